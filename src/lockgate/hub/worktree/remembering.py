"""The feed of a clone: journals of members and devices, merged by time with the copy of the hub's chain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.activity.execution import CODE, KIND, OUTPUT
from lockgate.activity.journal import SYNCED, device_of, journals_in
from lockgate.activity.sitting import is_one_sitting
from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import AS_WRITTEN, Content, read_many
from lockgate.git.program import attempt, git
from lockgate.hub.members.slug import member_slug
from lockgate.hub.worktree.rollback import State, find_state, state_of

PAGE = 50
#: So many entries are read of a journal or chain at a time.
_STRETCH = 200
#: So many lines are a page at most, those that fold included.
_MOST_LINES = 1_000
#: So many are looked through for a page that asks for few of them.
_LOOKED = 20_000
_ID = re.compile(r"[0-9a-f]{40}")
_BRANCHES = "refs/heads/"
_BEGINNING = re.compile(r"[0-9a-f]{4,40}")
_IMPORTANT = ("run.finished", "release.", "signoff.", "verification.", "sync.", "proposal.")

_EXECUTED = frozenset({"cell", "figure", "error"})

Kind = Literal["cell", "figure", "error", "run", "sync", "other"]


class Wanted(msgspec.Struct, frozen=True):
    """What of the feed is asked for; nothing said: all."""

    kinds: tuple[Kind, ...] = ()
    by: str | None = None
    branch: str | None = None
    text: str = ""
    is_important: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as a list shows it."""

    id: str
    at: str
    by: str
    device: str | None
    """None: the hub's chain."""
    kind: Kind
    title: str
    outcome: str | None = None
    run: str | None = None
    branch: str | None = None
    notebook: str | None = None
    cell: str | None = None
    has_state: bool = False
    is_important: bool = False
    pictures: tuple[str, ...] = ()
    """Files of the entry."""
    follows: bool = False
    """It is of one sitting with the line above, beneath which it folds."""


class Page(msgspec.Struct, frozen=True):
    """Some entries, newest first; what folds is not counted.

    `next`: what to give as `before` for older ones, None: there are none.
    """

    lines: tuple[Line, ...]
    next: dict[str, str] | None
    people: tuple[str, ...]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One entry unfolded."""

    line: Line
    code: str | None = None
    output: str | None = None
    error: str | None = None
    left_out: tuple[str, ...] = ()
    is_hidden: bool = False
    details: tuple[tuple[str, str], ...] = ()
    commit: str | None = None
    """The state it names."""


def page_of(root: Path, wanted: Wanted, before: dict[str, str] | None = None, size: int = PAGE) -> Page:
    """Return a page of the feed. `before` is the `next` of the page above: ref → the entry to go on with.

    Raises `UserError` (`page-invalid`), `OutsideError` (`activity-damaged`).
    """
    starts = _starts(root) if before is None else before
    if not all(_ID.fullmatch(id) for id in starts.values()):
        raise UserError(
            "this page of the feed does not exist", "Begin at the top again.", code="page-invalid"
        )
    sources = {ref: _entries(root, ref, start) for ref, start in starts.items()}
    heads = {ref: head for ref, source in sources.items() if (head := next(source, None)) is not None}
    found: list[Line] = []
    people: set[str] = set()
    folds = not (wanted.text or wanted.is_important or {"figure", "error"} & {*wanted.kinds})
    count = 0
    for _ in range(_LOOKED):
        if not heads or len(found) >= _MOST_LINES:
            break
        ref = max(heads, key=lambda name: (heads[name][1].at, name))
        id, activity = heads[ref]
        line = line_of(id, activity, ref)
        people.add(line.by)
        follows = folds and bool(found) and is_of_one_sitting(found[-1], line)
        if count >= size and not follows:
            break
        if is_wanted(line, wanted):
            count += not follows
            found.append(msgspec.structs.replace(line, follows=follows))
        following = next(sources[ref], None)
        if following is None:
            del heads[ref]
        else:
            heads[ref] = following
    left = {ref: head[0] for ref, head in heads.items()}
    return Page(tuple(found), left or None, tuple(sorted(people)))


def _starts(root: Path) -> dict[str, str]:
    listed = git(
        root, "for-each-ref", "--format=%(refname) %(objectname)", chain.REF, "refs/lockgate/journals/"
    )
    return dict(line.split(" ") for line in listed.decode("utf-8", "replace").splitlines())


def _entries(root: Path, ref: str, start: str) -> Iterator[tuple[str, Activity]]:
    """Yield the entries of a journal or chain from one on, reading a stretch at a time."""
    while True:
        try:
            # One more, to go on with
            stretch = list(chain.read(root, _STRETCH + 1, start))
        except OutsideError:
            if ref == chain.REF:
                raise
            # Anybody may have pushed anything as a journal of theirs: it keeps nobody from the others'
            return
        told = stretch[:_STRETCH]
        yield from (each for each in told if ref == chain.REF or each[1].kind in (KIND, SYNCED))
        if len(stretch) <= _STRETCH:
            return
        start = stretch[-1][0]


def line_of(id: str, activity: Activity, ref: str) -> Line:
    """Return an entry as a list shows it; who wrote a journal is told by its ref."""
    evidence = activity.evidence
    pictures = evidence.get("pictures") if activity.kind == KIND else None
    files = tuple(
        str(each.get("file")) for each in pictures if isinstance(each, dict)
    ) if isinstance(pictures, list) else ()  # fmt: skip
    outcome = evidence.get("status" if activity.kind == KIND else "outcome")
    kind = kind_of(activity, bool(files))
    ref_named = activity.ref or ""
    owner, device = device_of(ref) if ref != chain.REF else (None, None)
    return Line(
        id=id,
        at=activity.at,
        by=activity.by if owner in (None, member_slug(activity.by)) else str(owner),
        device=device,
        kind=kind,
        title=activity.title,
        outcome=str(outcome) if outcome is not None else None,
        run=activity.run,
        branch=ref_named.removeprefix(_BRANCHES) if ref_named.startswith(_BRANCHES) else None,
        notebook=_text(evidence, "notebook"),
        cell=_text(evidence, "cell"),
        has_state=activity.commit is not None,
        is_important=kind in ("figure", "error") or activity.kind.startswith(_IMPORTANT),
        pictures=files,
    )


def is_of_one_sitting(above: Line, line: Line) -> bool:
    """Return whether two lines tell of cells executed in one sitting."""
    is_same = (above.by, above.device, above.notebook) == (line.by, line.device, line.notebook)
    if not is_same or not {above.kind, line.kind} <= _EXECUTED:
        return False
    return is_one_sitting(_epoch(above.at), _epoch(line.at))


def _epoch(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def kind_of(activity: Activity, has_pictures: bool) -> Kind:
    """Return what an entry is to a reader of the feed."""
    if activity.kind == KIND:
        failed = activity.evidence.get("status") == "error"
        return "error" if failed else "figure" if has_pictures else "cell"
    if activity.kind.startswith("run."):
        return "run"
    return "sync" if activity.kind.startswith(("sync.", "push.")) else "other"


def is_wanted(line: Line, wanted: Wanted) -> bool:
    """Return whether a line is asked for; every word must stand in it somewhere, in any case."""
    if wanted.kinds and line.kind not in wanted.kinds:
        return False
    if wanted.branch and line.branch != wanted.branch:
        return False
    if (wanted.by and line.by != wanted.by) or (wanted.is_important and not line.is_important):
        return False
    whole = " ".join((line.title, line.by, line.notebook or "", line.run or "", line.at)).casefold()
    return all(word in whole for word in wanted.text.casefold().split())


def show(root: Path, id: str) -> Shown:
    """Return one entry unfolded. Raises `UserError` (`entry-unknown`)."""
    ref, activity = _find(root, id)
    code, output = read_many(root, [f"{id}:{CODE}", f"{id}:{OUTPUT}"])
    evidence = activity.evidence
    left_out = evidence.get("left_out")
    return Shown(
        line=line_of(id, activity, ref),
        code=_text_of(code),
        output=_text_of(output),
        error=_text(evidence, "error") or _text(evidence, "cause"),
        left_out=tuple(map(str, left_out)) if isinstance(left_out, list) else (),
        is_hidden=bool(evidence.get("is_hidden")),
        details=tuple(_details(activity)),
        commit=activity.commit,
    )


def _text_of(file: Content | None) -> str | None:
    return file.content.decode("utf-8", "replace") if file is not None else None


def picture(root: Path, id: str, file: str) -> bytes:
    """Return an image of an entry. Raises `UserError` (`entry-unknown`)."""
    ref, activity = _find(root, id)
    if file not in line_of(id, activity, ref).pictures:
        raise _unknown(id)
    (found,) = read_many(root, [f"{id}:{file}"])
    if found is None:
        raise _unknown(id)
    return found.content


def state_at(root: Path, id: str) -> State:
    """Return the state that an entry names, of a cell the work tree as it ran.

    Raises `UserError`: `entry-unknown`, `activity-no-state`, `run-unknown`.
    """
    ref, activity = _find(root, id)
    if ref == chain.REF:
        from lockgate.hub.worktree.history import Entry  # noqa: PLC0415

        return find_state([Entry(id, activity)], id)
    if activity.commit is None or not _ID.fullmatch(activity.commit):
        raise UserError(
            "no state of the project was kept with this entry",
            "Choose another one.",
            code="activity-no-state",
        )
    # Whatever a clone pushed may stand there; it becomes the subject of a commit
    title = chain.one_line(f"{activity.title[:80]}, {activity.at[:40]}")
    return State(commit=activity.commit, title=title, trailer=id)


def state_named(root: Path, text: str) -> State:
    """Return the state meant by the end of a run's id, or by the beginning of the id of any entry.

    Raises as `lockgate.hub.worktree.rollback.state_of`.
    """
    return journal_state(root, text) or state_of(root, text)


def journal_state(root: Path, text: str) -> State | None:
    """Return the state meant by the beginning of the id of a journal's entry; None: it is of none.

    Raises `UserError` (`activity-no-state`).
    """
    id = _entry_in(root, text.strip().lower(), journals_in(root))
    return state_at(root, id) if id is not None else None


def entry_named(root: Path, start: str) -> str:
    """Return the whole id of the entry whose id begins so. Raises `UserError` (`entry-unknown`)."""
    id = _entry_in(root, start.strip().lower(), (*journals_in(root), chain.REF))
    if id is None:
        raise _unknown(start)
    return id


def _entry_in(root: Path, start: str, names: Iterable[str]) -> str | None:
    """Return the entry of one of these refs that is meant, whole; None: it is none."""
    if not _BEGINNING.fullmatch(start):
        return None
    code, output, _ = attempt(root, "rev-parse", "--verify", "--quiet", f"{start}^{{commit}}")
    id = output.decode().strip()
    is_one = code == 0 and any(is_in(root, id, ref) for ref in names)
    return id if is_one and next(read_many(root, [f"{id}:{chain.FILE_NAME}"])) is not None else None


def _find(root: Path, id: str) -> tuple[str, Activity]:
    """Return the ref that holds an entry, and the entry: a commit of the project's own is none."""
    if not _ID.fullmatch(id):
        raise _unknown(id)
    for ref in (*journals_in(root), chain.REF):
        if is_in(root, id, ref):
            (found,) = read_many(root, [f"{id}:{chain.FILE_NAME}"])
            if found is not None:
                return ref, chain.parse(found.content)
    raise _unknown(id)


def is_in(root: Path, id: str, ref: str) -> bool:
    """Return whether a ref's history holds a commit."""
    return attempt(root, "merge-base", "--is-ancestor", id, ref, environment=AS_WRITTEN)[0] == 0


def _unknown(id: str) -> UserError:
    return UserError(
        f"no entry {id[:10]} is known here",
        "Those there are: lockgate activity; or reload the feed.",
        code="entry-unknown",
    )


def _details(activity: Activity) -> Iterable[tuple[str, str]]:
    evidence = activity.evidence
    request = evidence.get("request")
    if isinstance(request, dict) and isinstance(request.get("ref"), str):
        yield "branch", str(request["ref"]).removeprefix("refs/heads/")
    records = evidence.get("records")
    for record in islice(records if isinstance(records, list) else [], 12):
        if isinstance(record, dict):
            made = record.get("artifacts")
            paths = (
                [str(each.get("path")) for each in made if isinstance(each, dict)]
                if isinstance(made, list)
                else []
            )
            yield str(record.get("stage", "stage")), ", ".join(paths[:6]) or "made nothing"
    seconds = evidence.get("seconds")
    if isinstance(seconds, int | float):
        yield "took", f"{seconds:.3g} s"


def _text(evidence: dict[str, object], name: str) -> str | None:
    found = evidence.get(name)
    return found if isinstance(found, str) else None
