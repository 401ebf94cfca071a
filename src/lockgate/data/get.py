"""`lockgate data get`: the data that pointers stand for, into the work tree; only what differs is touched."""

from __future__ import annotations

import os

from lockgate.data.change import change_between_listings, change_of, is_made, seen_at
from lockgate.data.clone import Clone
from lockgate.data.linking import digest_of, place
from lockgate.data.pointed import Pointed
from lockgate.data.state import Known, State, now_ns
from lockgate.data.store_listing import listing, missing
from lockgate.data.survey import Survey, digest_of_survey, survey, survey_again
from lockgate.data.whole import WholeObjects
from lockgate.errors import LockgateError, OutsideError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.data.change import Change
    from lockgate.data.source import Source

_NAMED_AT_MOST = 5


class Got:
    """What became of one output. Paths are those within it; a single file's is empty."""

    __slots__ = ("kept", "output", "placed", "removed")

    def __init__(self, output: Pointed) -> None:
        self.output = output
        self.placed: list[str] = []
        self.removed: list[str] = []
        self.kept: list[str] = []
        """Files that are in no version: they stay."""


def get(
    clone: Clone, outputs: Sequence[Pointed], sources: Sequence[Source] = (), is_forced: bool = False
) -> list[Got]:
    """Bring the work tree's data to what the pointers say.

    A file whose bytes are nowhere else is not overwritten unless `is_forced`. An output is done as a whole or
    not begun; the others are done, then the first failure is raised: `UserError` `data-edited`,
    `path-blocked`, `data-legacy`, `listing-damaged`; `OutsideError` `data-missing`, `store-damaged`,
    `file-unwritable`.
    """
    state, store = State(clone.git_dir), WholeObjects(clone)
    done: list[Got] = []
    failure: LockgateError | None = None
    try:
        for output in outputs:
            if output.is_cached and output.md5 is not None:
                try:
                    done.append(_get(clone, state, store, output, sources, is_forced))
                except LockgateError as error:
                    failure = failure or error
    finally:
        state.save()
        store.save()
    if failure is not None:
        raise failure
    return done


def _get(
    clone: Clone,
    state: State,
    store: WholeObjects,
    output: Pointed,
    sources: Sequence[Source],
    is_forced: bool,
) -> Got:
    got = Got(output)
    if output.is_legacy:
        raise UserError(
            f"{output.file} is a pointer of DVC 2, whose objects lie elsewhere",
            f"Bring the data with `dvc checkout`, then: lockgate data add {output.path}",
            code="data-legacy",
        )
    _check_way(clone, output.path)
    known = state.get(output.path)
    found = survey(clone, output.path, known, digest_of)
    if found is not None and known is not None and found.is_as_known:
        if known.md5 == output.md5:
            return got
        here = known.md5
    else:
        here = digest_of_survey(found) if found is not None else ""
    if found is not None and here == output.md5:
        state.put(output.path, Known(output.text, here, found.tree, found.digests), found.looked_at_ns)
        return got
    since_ns = found.looked_at_ns if found is not None else now_ns()
    change = change_between_listings(clone, store, output, found, known)
    if change is None:
        change = change_of(found, _wanted(clone, store, output, sources))
    _make(clone, store, output, found, change, sources, is_forced, got)
    _note(clone, state, output, found, change, got, since_ns)
    return got


def _wanted(clone: Clone, store: WholeObjects, output: Pointed, sources: Sequence[Source]) -> dict[str, str]:
    md5 = output.md5 or ""
    if not output.is_folder:
        return {"": md5}
    if not clone.has(md5):
        _bring(clone, {md5}, sources)
    files = listing(clone, md5, is_whole=not store.damaged({md5}))
    if files is None:
        if clone.has(md5):
            raise UserError(
                f"the listing of {output.path} in the store is damaged",
                "`lockgate data verify` says more. Remove it, and get it from a remote.",
                code="listing-damaged",
            )
        raise _missing(clone, [output.path], sources)
    return files


def _make(
    clone: Clone,
    store: WholeObjects,
    output: Pointed,
    found: Survey | None,
    change: Change,
    sources: Sequence[Source],
    is_forced: bool,
    got: Got,
) -> None:
    there, to_place = change
    surplus = [path for path in there if path not in to_place]
    objects = set(to_place.values())
    absent = missing(clone, objects)
    brought = absent
    if absent:
        absent = _bring(clone, absent, sources)
    if absent:
        raise _missing(clone, _named(output, to_place, absent), sources)
    store.note(brought)
    damaged = store.damaged(objects - brought)
    if damaged:
        raise _damaged(_named(output, to_place, damaged))
    at_stake = set(there.values())
    safe = at_stake - missing(clone, at_stake)
    edited = sorted(path for path in to_place if path in there and there[path] not in safe)
    if edited and not is_forced:
        raise _edited(output, edited)
    for path in to_place:
        _check_inside(path)
    got.kept = sorted(path for path in surplus if there[path] not in safe)
    got.removed = sorted(path for path in surplus if there[path] in safe)
    got.placed = sorted(to_place)
    try:
        _apply(clone, output, found, to_place, got)
    except OSError as error:
        raise OutsideError(
            f"{error.filename or output.path} cannot be written: {error.strerror or error}",
            "Look at the disk (df -h) and the rights there, then say it again: it goes on from here.",
            code="file-unwritable",
            is_transient=True,
        ) from None


def _bring(clone: Clone, absent: set[str], sources: Sequence[Source]) -> set[str]:
    """Ask one place after the other; return what none of them has.

    A place that fails is told of when the others do not have what it may have.
    """
    failure: LockgateError | None = None
    for source in sources:
        try:
            source.bring(clone, sorted(absent))
        except LockgateError as error:
            failure = failure or error
        absent = missing(clone, absent)
        if not absent:
            return absent
    if failure is not None:
        raise failure
    return absent


def _apply(clone: Clone, output: Pointed, found: Survey | None, to_place: dict[str, str], got: Got) -> None:
    top = f"{clone.root}/{output.path}"
    seen = seen_at(found, (*to_place, *got.removed)) if found is not None else {}
    for path in got.removed:
        file = f"{top}/{path}" if path else top
        _check_untouched(output, path, file, seen)
        os.unlink(file)
    _remove_empty(top, got.removed)
    if output.is_folder:
        _folder(top, output)
    made: set[str] = set()
    for path, md5 in to_place.items():
        file = f"{top}/{path}" if path else top
        folder = os.path.dirname(file)
        if folder not in made:
            _folder(folder, output)
            made.add(folder)
        if path in seen:
            _check_untouched(output, path, file, seen)
        try:
            place(clone, md5, file, output.is_executable)
        except IsADirectoryError:
            raise _blocked(output, file) from None


def _check_untouched(output: Pointed, path: str, file: str, seen: dict[str, tuple[int, int, int]]) -> None:
    try:
        about = os.stat(file)
    except FileNotFoundError:
        return
    if (about.st_ino, about.st_size, about.st_mtime_ns) != seen[path]:
        raise _edited(output, [path])


def _folder(folder: str, output: Pointed) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _blocked(output, folder) from None


def _remove_empty(top: str, removed: list[str]) -> None:
    for path in sorted({os.path.dirname(path) for path in removed}, key=len, reverse=True):
        folder = path
        while folder:
            try:
                os.rmdir(f"{top}/{folder}")
            except OSError:
                break
            folder = os.path.dirname(folder)


def _note(
    clone: Clone,
    state: State,
    output: Pointed,
    found: Survey | None,
    change: Change,
    got: Got,
    since_ns: int,
) -> None:
    """Note what lies there now. What was placed is not read: who changes it leaves a younger time."""
    top = f"{clone.root}/{output.path}"

    def read(path: str, seen: tuple[int, int, int]) -> str:
        return change[1].get(path[len(top) + 1 :]) or digest_of(path, seen)

    if found is not None and output.is_folder and not found.is_file:
        now: Survey | None = survey_again(clone, output.path, found, _touched(got), change[1], read)
    else:
        before = Known("", "", found.tree, found.digests) if found is not None else None
        now = survey(clone, output.path, before, read)
    if now is not None:
        is_whole = not got.kept and is_made(found, now, change)
        md5 = output.md5 or "" if is_whole else digest_of_survey(now)
        state.put(output.path, Known(output.text, md5, now.tree, now.digests), since_ns)


def _touched(got: Got) -> set[str]:
    """Return the folders that files were placed in or removed from, and those around them, as in a tree."""
    touched = {""}
    for folder in {os.path.dirname(path) for path in (*got.placed, *got.removed)}:
        while folder and f"{folder}/" not in touched:
            touched.add(f"{folder}/")
            folder = os.path.dirname(folder)
    return touched


def _check_way(clone: Clone, path: str) -> None:
    """Nothing is written through a link that leads out of the work tree."""
    above = os.path.dirname(f"{clone.root}/{path}")
    real = os.path.realpath(above)
    if real != clone.root and not real.startswith(clone.root + "/"):
        raise UserError(
            f"{path} lies behind a link that leads out of the work tree",
            "Replace the link by a plain folder; nothing is written outside.",
            code="path-outside",
        )


def _check_inside(path: str) -> None:
    parts = path.split("/")
    if path and ("" in parts or "." in parts or ".." in parts or ".git" in parts or "\0" in path):
        raise UserError(
            f"a listing names {path!r}, which is no place inside the folder",
            "Somebody made this listing by hand: do not trust it.",
            code="path-unsafe",
        )


def _named(output: Pointed, to_place: dict[str, str], md5s: set[str]) -> list[str]:
    return sorted(
        f"{output.path}/{path}" if path else output.path for path, md5 in to_place.items() if md5 in md5s
    )


def _damaged(names: list[str]) -> OutsideError:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return OutsideError(
        f"the bytes of {', '.join(names[:_NAMED_AT_MOST])}{more} in this clone's store are damaged",
        "Find the objects: lockgate data verify. Remove them, and get them from the hub or the remote.",
        code="store-damaged",
    )


def _missing(clone: Clone, names: list[str], sources: Sequence[Source]) -> OutsideError:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    cause = f"the bytes of {', '.join(names[:_NAMED_AT_MOST])}{more} are not in this clone's store"
    lacking = next((found for source in sources if (found := source.lacking(clone)) is not None), None)
    if lacking is not None:
        return OutsideError(f"{cause}, and {lacking[0]}", lacking[1], code="data-missing")
    return OutsideError(
        cause,
        "Whoever has them sends them to the hub: lockgate hub send; or to the project's remote: "
        "lockgate data put",
        code="data-missing",
    )


def _edited(output: Pointed, paths: list[str]) -> UserError:
    names = [f"{output.path}/{path}" if path else output.path for path in paths]
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return UserError(
        f"{', '.join(names[:_NAMED_AT_MOST])}{more} would be overwritten, and the bytes are nowhere else",
        f"Keep them: lockgate data add {output.path}; or lose them: lockgate data get --force {output.path}",
        code="data-edited",
    )


def _blocked(output: Pointed, path: str) -> UserError:
    return UserError(
        f"{output.path} cannot be placed: something else stands at {path}",
        "Move it away and try again.",
        code="path-blocked",
    )
