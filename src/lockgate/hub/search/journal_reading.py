"""Reading a stretch of a member's journal. Whatever a clone pushed stands there: nothing of it is believed.

The one thing that is known is whose journal it is, since the hub lets nobody push another's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from lockgate.activity.chain import FILE_NAME, parse
from lockgate.activity.entry import Activity
from lockgate.activity.execution import CODE, CODE_CHARS, KIND, OUTPUT, OUTPUT_CHARS, telling_line
from lockgate.activity.journal import STARTED, SYNCED
from lockgate.activity.secrets import mask
from lockgate.git.batch import Batch
from lockgate.hub.members.slug import member_slug
from lockgate.hub.search.detail import CellLine
from lockgate.hub.search.reading import clean

#: Larger ones were not written by a capture of ours.
_ENTRY_BYTES = 64_000
_CODE_BYTES, _OUTPUT_BYTES = 4 * CODE_CHARS, 4 * OUTPUT_CHARS
_NAME_CHARS = 400
#: So much of a cell is shown in a list.
_SHOWN_LINES, _SHOWN_CHARS = 12, 1_200
_OUTPUT_SHOWN_LINES, _OUTPUT_SHOWN_CHARS = 12, 1_200
_PICTURE = re.compile(r"pictures/[0-9]{1,3}\.(?:png|jpg|gif|svg)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class ReadCell(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a journal as the index keeps it; texts without secrets."""

    kind: str
    """`cell.executed`, or `sync.finished`: a line without code."""
    line: CellLine
    by: str
    """As git called its owner there."""
    notebook: str | None
    ref: str | None
    """The branch that was checked out."""
    code: str
    output: str


def read_cells(
    batch: Batch, ids: Sequence[str], owner: str, now: float, problems: list[str]
) -> Iterator[ReadCell]:
    """Yield those of these commits that tell of a cell `owner` executed, or of a sync, in order.

    `owner` is the member in the journal's ref. A time to come is taken for `now`, so that no clock keeps an
    entry on top of the feed. Raises `OutsideError` (`git-failed`).
    """
    activities = dict(_activities(batch, ids, owner, problems))
    codes = _texts(batch, [f"{id}:{CODE}" for id in activities], _CODE_BYTES)
    outputs = _texts(batch, [f"{id}:{OUTPUT}" for id in activities], _OUTPUT_BYTES)
    for (id, (activity, at)), code, output in zip(activities.items(), codes, outputs, strict=True):
        yield _cell(id, activity, min(at, now), code[:CODE_CHARS], output[-OUTPUT_CHARS:])


def pictures_in(evidence: dict[str, object]) -> tuple[str, ...]:
    """Return the paths of an entry's pictures, as far as they are named as a capture names them."""
    listed = evidence.get("pictures")
    named = (
        [each.get("file") for each in listed[:20] if isinstance(each, dict)]
        if isinstance(listed, list)
        else []
    )
    return tuple(name for name in named if isinstance(name, str) and _PICTURE.fullmatch(name))


def _activities(
    batch: Batch, ids: Sequence[str], owner: str, problems: list[str]
) -> Iterator[tuple[str, tuple[Activity, float]]]:
    asked = [f"{id}:{FILE_NAME}" for id in ids]
    small = [
        id
        for id, size in zip(ids, batch.sizes(asked), strict=True)
        if size is not None and size <= _ENTRY_BYTES
    ]
    unread = len(ids) - len(small)
    foreign = 0
    for id, found in zip(small, batch.read_many([f"{id}:{FILE_NAME}" for id in small]), strict=True):
        try:
            activity = parse(found.content if found is not None else b"")
            at = datetime.fromisoformat(activity.at).timestamp()
        except (ValueError, OverflowError, msgspec.MsgspecError):
            unread += 1
            continue
        if activity.kind not in (KIND, SYNCED):
            unread += activity.kind != STARTED
        elif member_slug(activity.by) != owner:
            foreign += 1
        else:
            yield id, (activity, at)
    if unread:
        problems.append(f"in {owner}'s journal {unread} told neither of a cell nor of a sync")
    if foreign:
        problems.append(f"in {owner}'s journal {foreign} stood in another's name")


def _texts(batch: Batch, asked: Sequence[str], limit_bytes: int) -> Iterator[str]:
    sizes = list(batch.sizes(asked))
    small = [
        each for each, size in zip(asked, sizes, strict=True) if size is not None and size <= limit_bytes
    ]
    found = dict(zip(small, batch.read_many(small), strict=True))
    for each in asked:
        content = found.get(each)
        is_text = content is not None and content.kind == "blob"
        yield mask(clean(content.content.decode("utf-8", "replace"))) if content and is_text else ""


def _cell(id: str, activity: Activity, at: float, code: str, output: str) -> ReadCell:
    evidence = activity.evidence
    notebook = _name(evidence.get("notebook"))
    count, seconds, error = evidence.get("count"), evidence.get("seconds"), evidence.get("error")
    status = evidence.get("status")
    whole = code.strip("\n").rstrip()
    shown = "\n".join(whole.splitlines()[:_SHOWN_LINES])[:_SHOWN_CHARS].rstrip()
    commit = activity.commit or ""
    line = CellLine(
        entry=id,
        at=at,
        title=telling_line(code if activity.kind == KIND else mask(clean(activity.title))),
        count=count
        if isinstance(count, int) and not isinstance(count, bool) and abs(count) < 1 << 53
        else None,
        cell=_name(evidence.get("cell")),
        status=status if status in ("ok", "error") else "unknown",
        seconds=_seconds(seconds),
        error=mask(clean(error))[:_NAME_CHARS] if isinstance(error, str) else None,
        code=shown,
        is_cut=len(shown) < len(whole),
        output=_last(output),
        pictures=pictures_in(evidence),
        commit=commit if _COMMIT.fullmatch(commit) else None,
        is_hidden=evidence.get("is_hidden") is True,
    )
    ref = activity.ref if activity.ref and activity.ref.startswith("refs/heads/") else None
    return ReadCell(
        kind=activity.kind,
        line=line,
        by=clean(activity.by)[:_NAME_CHARS],
        notebook=notebook,
        ref=_name(ref),
        code=code,
        output=output,
    )


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e9 else None  # type: ignore[operator,arg-type]


def _name(value: object) -> str | None:
    return clean(value)[:_NAME_CHARS] if isinstance(value, str) and value else None


def _last(output: str) -> str:
    return "\n".join(output.rstrip().splitlines()[-_OUTPUT_SHOWN_LINES:])[-_OUTPUT_SHOWN_CHARS:]
