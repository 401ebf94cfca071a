"""A clone's data as the hub needs it: what the pointers of commits stand for, sent from the clone's store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from lockgate.data.clone import open_clone
from lockgate.data.pointer import SUFFIX, parse_pointer
from lockgate.data.store import Store
from lockgate.errors import LockgateError, UserError
from lockgate.git.contents import read_many
from lockgate.git.program import git
from lockgate.git.worktree import remotes
from lockgate.hub.exchanging.carrying import Carried, send_objects
from lockgate.hub.exchanging.exchange import exchange_with
from lockgate.hub.reaching.address import REMOTE, of_url
from lockgate.project.snapshot import CommitSource
from lockgate.runs.load import pointed_in
from lockgate.runs.pointed import is_pointer, pointed_by


def clone_store(root: Path) -> Store:
    """Return the clone's store. Raises `UserError` (`dvc-config-invalid`)."""
    return Store(Path(open_clone(str(root)).store))


def digests_at(root: Path, commit: str) -> list[str]:
    """Return what the pointers of a commit stand for. Raises `UserError` (`pointer-invalid`)."""
    names = git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    if f"{SUFFIX}\0".encode() not in names:
        return []
    return [each.output.md5 or "" for each in pointed_in(CommitSource(root, commit)).values()]


def digests_between(root: Path, tips: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return what the pointers in commits of `tips`, that are not in `known` ones, stand for; those that
    cannot be read are left out."""
    arguments = "".join(f"{tip}\n" for tip in tips) + "".join(f"^{commit}\n" for commit in known)
    output = git(root, "rev-list", "--objects", "--stdin", stdin=arguments.encode())
    found: dict[str, str] = {}
    for line in output.decode("utf-8", "surrogateescape").split("\n"):
        oid, _, path = line.partition(" ")
        if path.endswith(SUFFIX) and is_pointer(path):
            found[oid] = path
    digests: dict[str, None] = {}
    for (_, path), content in zip(found.items(), read_many(root, list(found)), strict=True):
        if content is None or content.kind != "blob":
            continue
        try:
            pointer = parse_pointer(content.content.decode("utf-8"), path)
        except (UserError, UnicodeDecodeError):
            continue
        digests.update((each.output.md5 or "", None) for each in pointed_by([pointer]).values())
    return list(digests)


def send_data(root: Path, digests: Sequence[str]) -> Carried:
    """Send what the hub lacks of these and the clone has. Raises what the hub refuses with."""
    if not digests:
        return Carried()
    place = of_url(remotes(root).get(REMOTE, ""), root)
    return send_objects(clone_store(root), exchange_with(place), digests)


def known_commits(root: Path, remote: str) -> list[str]:
    """Return the commits that a remote is known to have."""
    output = git(root, "for-each-ref", "--format=%(objectname)", f"refs/remotes/{remote}/")
    return output.decode().split()


def is_hub(root: Path, url: str) -> bool:
    """Return whether an address means a project of a hub, as far as the address tells."""
    try:
        of_url(url, root)
    except LockgateError:
        return False
    return True
