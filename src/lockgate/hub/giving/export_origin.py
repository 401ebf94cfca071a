"""Where an exported project is taken from, the hub itself or a member's clone, and the refs that go along."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec

from lockgate.activity import chain
from lockgate.errors import OutsideError
from lockgate.git.defaultbranch import default_branch
from lockgate.git.program import git
from lockgate.git.worktree import find_root, git_dir_of
from lockgate.hub.exchanging.object_reading import Objects, objects_of
from lockgate.hub.giving.told import Told
from lockgate.hub.reaching.address import REMOTE, HttpHub, LocalHub, address
from lockgate.hub.worktree.history import pin, public_key_of, refresh
from lockgate.runs.runid import short

_HEADS = "refs/heads/"


class Origin(msgspec.Struct, frozen=True):
    """Where a project is taken from."""

    repository: Path
    objects: Objects
    project: str
    public_key: str
    is_clone: bool = False
    """The repository is a member's, its hub elsewhere."""


def find_origin(hub: Path | None, project: str | None, folder: Path) -> Origin:
    """Take from the hub itself where it is on this machine, else from the clone, brought up to date.

    Raises what `address` raises; `OutsideError` (`hub-unreachable`).
    """
    place = address(hub, project, folder)
    if isinstance(place, LocalHub):
        return Origin(
            place.hub.repository(place.project),
            objects_of(place, folder),
            place.project,
            public_key_of(place),
        )
    root = find_root(folder)
    warning = refresh(root).warning
    if warning is not None:
        raise OutsideError(
            warning, "Try again when the hub can be reached.", code="hub-unreachable", is_transient=True
        )
    name = (
        place.project if isinstance(place, HttpHub) else PurePosixPath(place.path).name.removesuffix(".git")
    )
    return Origin(
        root,
        objects_of(place, git_dir_of(root) / "lockgate" / "incoming"),
        name,
        pin(root).public_key,
        is_clone=True,
    )


def refs_of(origin: Origin, told: Told, *, is_whole_project: bool) -> tuple[dict[str, str], str]:
    """Return the refs that go along, with their commits, and the branch to begin with."""
    main = told.main
    refs = {chain.REF: told.tip}
    begins = main.ref if main.ref.startswith(_HEADS) else f"{_HEADS}run-{short(main.id).lower()}"
    tip = main.result if main.outcome == "succeeded" else main.snapshot
    if not is_whole_project:
        return refs | {begins: tip}, begins.removeprefix(_HEADS)
    if origin.is_clone:
        git(origin.repository, "fetch", "--quiet", "--no-write-fetch-head", REMOTE)
    listed = git(origin.repository, "for-each-ref", "--format=%(objectname) %(refname)",
                 f"refs/remotes/{REMOTE}/" if origin.is_clone else _HEADS, "refs/tags/")  # fmt: skip
    for line in listed.decode("utf-8", "surrogateescape").splitlines():
        oid, _, name = line.partition(" ")
        if not name.endswith("/HEAD"):
            refs[name.replace(f"refs/remotes/{REMOTE}/", _HEADS, 1)] = oid
    branch = default_branch(origin.repository) if not origin.is_clone else begins
    if branch not in refs:
        refs[begins] = tip
        branch = begins
    return refs, branch.removeprefix(_HEADS)
