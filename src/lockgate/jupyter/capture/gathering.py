"""Cells put together from what a kernel broadcasts (Jupyter's messaging protocol 5.4, IOPub). Decides only.

A flood costs little: of each message the header is read; bodies are kept as they came, the last ones only,
and read when the cell has ended.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from lockgate.activity.execution import CODE_CHARS, OUTPUT_CHARS, Execution, Picture

Frames = Sequence[bytes]
#: Verifies a message and reads it: `jupyter_client.session.Session.deserialize`.
Read = Callable[[Frames], dict[str, Any]]

#: So many bytes of messages with text are held of one cell; more than the end that is kept, in any script.
_TEXT_BYTES = 8 * OUTPUT_CHARS
#: So many messages with rich output, and so many bytes of them.
_SHOWN, _SHOWN_BYTES = 40, 32_000_000
_PICTURES, PICTURE_BYTES = 8, 2_000_000
#: Cells that run at once: kernels have subshells (JEP 91).
_OPEN = 8
_DELIMITER = b"<IDS|MSG>"
_RASTER = ("image/png", "image/jpeg", "image/gif")
_SVG = "image/svg+xml"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")
_RICH = ("display_data", "execute_result", "update_display_data")


class _Header(msgspec.Struct, frozen=True, gc=False):
    msg_type: str = ""
    msg_id: str = ""
    subshell_id: str | None = None


_header = msgspec.json.Decoder(_Header).decode


class _Open:
    """A cell that runs."""

    def __init__(self, request: str, code: str, count: int | None, at: float, subshell: str | None) -> None:
        self.request = request
        self.code = code
        self.count = count
        self.at = at
        self.subshell = subshell
        self.texts: deque[tuple[int, Frames]] = deque()
        self.rich: deque[tuple[int, Frames]] = deque()
        self.error: Frames | None = None
        self.is_clearing = False
        self._number = 0
        self._text_bytes = 0
        self._rich_bytes = 0

    def add_text(self, frames: Frames) -> None:
        self._begin()
        self.texts.append((self._number, frames))
        self._text_bytes += len(frames[4])
        while self._text_bytes > _TEXT_BYTES and len(self.texts) > 1:
            self._text_bytes -= len(self.texts.popleft()[1][4])

    def add_rich(self, frames: Frames) -> None:
        self._begin()
        self.rich.append((self._number, frames))
        self._rich_bytes += len(frames[4])
        while len(self.rich) > _SHOWN or (self._rich_bytes > _SHOWN_BYTES and len(self.rich) > 1):
            self._rich_bytes -= len(self.rich.popleft()[1][4])

    def clear(self) -> None:
        self.texts.clear()
        self.rich.clear()
        self._text_bytes = self._rich_bytes = 0
        self.is_clearing = False

    def _begin(self) -> None:
        if self.is_clearing:
            self.clear()
        self._number += 1


class Gatherer:
    """The cells of one kernel. `read` raises ValueError for a message that is not the kernel's."""

    def __init__(self, kernel: str, read: Read) -> None:
        self._kernel = kernel
        self._read = read
        self._open: dict[str, _Open] = {}

    def take(self, whole: Frames, now: float) -> Iterator[Execution]:
        """Take a message as it came, with its routing ids; yield the cells that have ended with it."""
        frames = whole[whole.index(_DELIMITER) + 1 :]
        kind, parent = _header(frames[1]).msg_type, _header(frames[2])
        if kind == "execute_input":
            yield from self._begin(frames, parent, now)
            return
        cell = self._open.get(parent.msg_id)
        if cell is None:
            return
        if kind == "stream":
            cell.add_text(frames)
        elif kind in _RICH:
            cell.add_rich(frames)
        elif kind == "error":
            cell.error = frames
        elif kind == "clear_output":
            cell.is_clearing = True
            if not self._read(frames)["content"].get("wait"):
                cell.clear()
        elif kind == "status" and self._read(frames)["content"].get("execution_state") == "idle":
            del self._open[parent.msg_id]
            yield self._end(cell, now, is_whole=True)

    def end_all(self, now: float) -> Iterator[Execution]:
        """The kernel is gone, or begins anew: what ran has ended."""
        cells = list(self._open.values())
        self._open.clear()
        for cell in cells:
            yield self._end(cell, now, is_whole=False)

    def _begin(self, frames: Frames, parent: _Header, now: float) -> Iterator[Execution]:
        content = self._read(frames)["content"]
        # One shell runs one cell at a time: the end of the one before was lost, as a slow reader may lose it
        lost = [key for key, cell in self._open.items() if cell.subshell == parent.subshell_id]
        lost += list(self._open)[: max(0, len(self._open) - _OPEN + 1)]
        for key in dict.fromkeys(lost):
            yield self._end(self._open.pop(key), now, is_whole=False)
        code, count = content.get("code"), content.get("execution_count")
        if isinstance(code, str) and code.strip():
            self._open[parent.msg_id] = _Open(
                parent.msg_id, code, count if isinstance(count, int) else None, now, parent.subshell_id
            )

    def _end(self, cell: _Open, now: float, *, is_whole: bool) -> Execution:
        texts: list[str] = []
        pictures: list[Picture] = []
        left_out: list[str] = []
        for content in self._outputs(cell):
            data = content.get("data")
            if not isinstance(data, dict):
                texts.append(str(content.get("text", "")))
                continue
            picture = picture_in(data)
            if picture is None:
                texts.append(_plain(data) + "\n")
            elif len(picture.content) > PICTURE_BYTES:
                left_out.append(f"an image of {len(picture.content) / 1e6:.1f} MB")
            else:
                pictures.append(picture)
        if len(pictures) > _PICTURES:
            left_out.append(f"{len(pictures) - _PICTURES} more images")
        error = self._read(cell.error)["content"] if cell.error is not None else None
        if error is not None:
            texts.append("\n".join(str(line) for line in error.get("traceback") or ()))
        if len(cell.code) > CODE_CHARS:
            left_out.append(f"{len(cell.code) - CODE_CHARS} characters of code")
        return Execution(
            code=cell.code,
            count=cell.count,
            started_at=cell.at,
            seconds=max(0.0, now - cell.at),
            status="error" if error is not None else "ok" if is_whole else "unknown",
            error=_in_one_line(error) if error is not None else None,
            text=readable("".join(texts))[-OUTPUT_CHARS:],
            pictures=tuple(pictures[-_PICTURES:]),
            left_out=tuple(left_out),
            kernel=self._kernel,
            request=cell.request,
        )

    def _outputs(self, cell: _Open) -> Iterator[dict[str, Any]]:
        """Yield contents in order; of a display that was updated, what it shows in the end."""
        found: list[dict[str, Any]] = []
        shown: dict[str, int] = {}
        for _, frames in sorted((*cell.texts, *cell.rich), key=lambda each: each[0]):
            message = self._read(frames)
            content = message["content"]
            display = (content.get("transient") or {}).get("display_id")
            if display is not None and display in shown:
                found[shown[display]] = content
                continue
            if display is not None:
                shown[display] = len(found)
            found.append(content)
        yield from found


def picture_in(data: dict[str, Any]) -> Picture | None:
    """Return the image of a MIME bundle, the best there is; None: there is none that can be read."""
    for kind in _RASTER:
        text = data.get(kind)
        if isinstance(text, str):
            try:
                content = base64.b64decode(text)
            except (binascii.Error, ValueError):
                return None
            return Picture(kind, content) if content else None
    drawing = data.get(_SVG)
    return Picture(_SVG, drawing.encode("utf-8", "replace")) if isinstance(drawing, str) else None


def readable(text: str) -> str:
    """Return text as a terminal would have left it: without colours, and of a progress bar its last state."""
    return _OVERWRITTEN.sub("", _COLOURS.sub("", text)).replace("\r\n", "\n")


def _plain(data: dict[str, Any]) -> str:
    for kind in ("text/plain", "text/markdown"):
        found = data.get(kind)
        if isinstance(found, list):
            return "".join(map(str, found))
        if isinstance(found, str):
            return found
    return ""


def _in_one_line(error: dict[str, Any]) -> str:
    words = f"{error.get('ename') or 'Error'}: {error.get('evalue') or ''}"
    return " ".join(readable(words).split())[:300]
