"""One entry of a journal, read from git whole: its code, what it printed, its pictures."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.activity.execution import CODE, CODE_CHARS, OUTPUT, OUTPUT_CHARS
from lockgate.activity.secrets import mask
from lockgate.errors import UserError
from lockgate.git.batch import Batch

_TEXT_BYTES = 4 * max(CODE_CHARS, OUTPUT_CHARS)
_PICTURE_BYTES = 4_000_000


class CellContent(msgspec.Struct, frozen=True):
    """What a cell did. Secrets are masked."""

    code: str
    output: str


def read_cell(repository: Path, entry: str) -> CellContent:
    """Return the code and output of an entry that is known to be one; what is too large is left out.

    Raises `OutsideError` (`git-failed`).
    """
    with Batch(repository) as batch:
        code, output = (_text(batch, f"{entry}:{path}") for path in (CODE, OUTPUT))
    return CellContent(mask(code)[:CODE_CHARS], mask(output)[-OUTPUT_CHARS:])


def read_picture(repository: Path, entry: str, path: str) -> bytes:
    """Return a picture that an entry is known to name. Raises `UserError` (`entry-unknown`)."""
    with Batch(repository) as batch:
        content = _bytes(batch, f"{entry}:{path}", _PICTURE_BYTES)
    if content is None:
        raise UserError(
            f"the picture of {entry[:10]} is not there", "Look at the code instead.", code="entry-unknown"
        )
    return content


def _text(batch: Batch, expression: str) -> str:
    content = _bytes(batch, expression, _TEXT_BYTES)
    return content.decode("utf-8", "replace") if content is not None else ""


def _bytes(batch: Batch, expression: str, limit_bytes: int) -> bytes | None:
    size = next(batch.sizes([expression]))
    found = batch.read(expression) if size is not None and size <= limit_bytes else None
    return found.content if found is not None and found.kind == "blob" else None
