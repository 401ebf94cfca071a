"""`lockgate data put`: the data that pointers stand for, to a remote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lockgate.data.clone import Clone
from lockgate.data.pointed import Pointed
from lockgate.data.remotes.contract import Remote
from lockgate.data.store import Store
from lockgate.data.store_listing import listing, missing
from lockgate.data.transfer import Told, Transferred, push
from lockgate.errors import OutsideError

_NAMED_AT_MOST = 5


def put(clone: Clone, outputs: Sequence[Pointed], remote: Remote, told: Told = lambda _: None) -> Transferred:
    """Send what the remote lacks of some outputs.

    Raises `OutsideError`: `data-missing`, where neither the remote nor this clone has some of it; what could
    be sent is there by then; and what `push` raises.
    """
    lacking = {each.path: _lacking(clone, each) for each in outputs if each.md5}
    wanted = sorted({md5 for gaps in lacking.values() for md5 in gaps})
    there = remote.present(wanted) if wanted else frozenset()
    nowhere = sorted(path for gaps in lacking.values() for md5, path in gaps.items() if md5 not in there)
    ready = [
        each.md5
        for each in outputs
        if each.md5 and each.md5 not in lacking[each.path] and lacking[each.path].keys() <= there
    ]
    sent = push(Store(Path(clone.store)), remote, ready, told)
    if nowhere:
        more = f" and {len(nowhere) - _NAMED_AT_MOST} more" if len(nowhere) > _NAMED_AT_MOST else ""
        raise OutsideError(
            f"the bytes of {', '.join(nowhere[:_NAMED_AT_MOST])}{more} are neither in this clone's store "
            f"nor at {remote.url}",
            f"Bring them here first: lockgate data get{'; the rest is at the remote' if ready else ''}",
            code="data-missing",
        )
    return sent


def _lacking(clone: Clone, output: Pointed) -> dict[str, str]:
    """Return the objects of an output that the clone's store does not have, with the paths they are at."""
    md5 = output.md5 or ""
    if not output.is_folder:
        return {} if clone.has(md5) else {md5: output.path}
    files = listing(clone, md5)
    if files is None:
        return {md5: output.path}
    gone = missing(clone, set(files.values()))
    return {each: f"{output.path}/{path}" for path, each in files.items() if each in gone}
