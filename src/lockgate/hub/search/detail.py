"""What an entry of the feed shows beneath its title, worked out once at intake."""

from __future__ import annotations

import msgspec


class ArtifactRef(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One artifact, enough to link to it and to fetch its bytes."""

    run: str
    stage: str
    path: str
    kind: str
    md5: str
    git: str | None = None
    """Its blob or tree id; None: only the store has it."""
    size_bytes: int = 0


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file that a pushed commit changed; `status` is git's letter (git-diff(1), --name-status)."""

    status: str
    path: str


class Snippet(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some changed lines of a file, each beginning with `+`, `-` or a blank; `@@` lines divide places.

    Of a notebook they are lines of its cells' sources.
    """

    path: str
    lines: tuple[str, ...]
    is_cut: bool = False


class CellLine(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One executed cell as a list shows it. `entry`: its commit in the journal; `at`: when it ended."""

    entry: str
    at: float
    title: str
    """Its first line that does something."""
    count: int | None = None
    """What stood in its brackets."""
    cell: str | None = None
    """The cell's id in its notebook."""
    status: str = "unknown"
    """`ok`, `error`, or `unknown` where its end was not heard."""
    seconds: float | None = None
    error: str | None = None
    code: str = ""
    """The beginning of it."""
    is_cut: bool = False
    output: str = ""
    """The end of what it printed."""
    pictures: tuple[str, ...] = ()
    """Paths in the entry's tree, as `pictures/0.png`."""
    commit: str | None = None
    """The work tree as it was at that moment."""
    is_hidden: bool = False
    """Its output was not kept, as the cell asks for."""


class Sitting(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one person executed in one notebook without a long pause."""

    count: int
    began_at: float
    device: str
    """The clone in which it was, as its journal is called."""
    notebook: str | None = None
    """None: a console, or a program."""
    seconds: float = 0.0
    """How long all cells took together."""
    failed: int = 0
    picture_count: int = 0
    pictures: tuple[tuple[str, str], ...] = ()
    """The newest ones, as (entry, path in its tree)."""
    newest: tuple[CellLine, ...] = ()
    """The last few cells, the newest first."""


class Detail(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All of it. Lists are cut short; the counts tell how many there are."""

    outcome: str | None = None
    cause: str | None = None
    seconds: float | None = None
    snapshot: str | None = None
    """The commit that a finished run executed."""
    has_moved_branch: bool = False
    states: dict[str, int] = {}
    """How many stages ended in which state."""
    params: dict[str, str] = {}
    metrics: dict[str, float | str] = {}
    metric_count: int = 0
    figures: tuple[ArtifactRef, ...] = ()
    figure_count: int = 0
    tables: tuple[ArtifactRef, ...] = ()
    table_count: int = 0
    changes: tuple[Change, ...] = ()
    change_count: int = 0
    snippets: tuple[Snippet, ...] = ()
    logs: tuple[str, ...] = ()
    """Paths in the entry's tree, as `logs/0000-train.txt`."""
    sitting: Sitting | None = None
    """Of `cell.executed`: the cells that are told of as one."""
    evidence: dict[str, object] = {}
    """Of kinds that are not about runs: the entry's own, if it is small."""
