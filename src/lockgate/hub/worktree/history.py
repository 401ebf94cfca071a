"""The activity chain as a work tree has it: brought from the hub, read, searched, verified.

The copy is the ref of the same name. It only ever grows: a hub that shows another past is told of.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.errors import OutsideError, UserError
from lockgate.git.program import attempt
from lockgate.git.worktree import git_dir_of, remotes
from lockgate.hub.reaching.address import REMOTE, LocalHub, of_url
from lockgate.runs.inputs import WHOLE

#: The variables by which a member tells git how to reach a host.
_SSH = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT")
ADDED = "project.added"
#: So many entries back a run is looked for.
SEARCHED = 100_000
#: So many characters of an id name a run.
SHORTEST = 4


class Refreshed(msgspec.Struct, frozen=True):
    """How bringing the chain went; `warning` says why the copy may be old, None: it is the hub's."""

    warning: str | None = None


class Entry(msgspec.Struct, frozen=True):
    id: str
    activity: Activity


class Pinned(msgspec.Struct, frozen=True):
    """The hub's public key as first seen; `is_new`: it was just now."""

    public_key: str
    is_new: bool

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it."""
        blob = base64.b64decode(self.public_key.split()[1])
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def refresh(root: Path) -> Refreshed:
    """Bring the chain from the remote `hub` into the work tree's repository.

    Where the hub cannot be reached, the copy stays and the warning says so. Raises `OutsideError`
    (`activity-rewritten`) when the hub's chain does not continue the copy.
    """
    if REMOTE not in remotes(root):
        return Refreshed(f"there is no remote `{REMOTE}`; this is what was fetched before")
    # git takes any update of a ref outside refs/heads (git-fetch(1), <refspec>): it is judged here first
    incoming = f"refs/lockgate/incoming/{os.getpid()}"
    code, _, error = attempt(
        root,
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance",
        REMOTE, f"+{chain.REF}:{incoming}",
        environment={name: os.environ[name] for name in _SSH if name in os.environ},
    )  # fmt: skip
    if code == 0:
        try:
            _take_over(root, incoming)
        finally:
            attempt(root, "update-ref", "-d", incoming)
        return Refreshed()
    words = error.decode("utf-8", "replace").strip()
    if "couldn't find remote ref" in words:
        return Refreshed("the hub has recorded nothing of this project yet")
    return Refreshed(f"the hub cannot be reached; this is what was fetched before ({_last(words)})")


def _take_over(root: Path, incoming: str) -> None:
    """Move the copy on to what came, if that continues it."""
    code, output, _ = attempt(root, "rev-parse", "--verify", "--quiet", chain.REF)
    old = output.decode().strip() if code == 0 else "0" * 40
    if code == 0 and attempt(root, "merge-base", "--is-ancestor", old, incoming)[0] != 0:
        raise OutsideError(
            "the hub's activity chain does not continue the one fetched before: entries were changed or lost",
            f"Ask the hub's owner why. To take the hub's: git fetch {REMOTE} +{chain.REF}:{chain.REF}",
            code="activity-rewritten",
        )
    # Where another process was faster, the copy is as new
    attempt(root, "update-ref", chain.REF, incoming, old)


def _last(words: str) -> str:
    lines = [line for line in words.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("fatal: ")]
    return (told or lines or ["no reason given"])[0].removeprefix("fatal: ")


def entries(repository: Path, limit: int, path: str | None = None) -> Iterator[Entry]:
    """Yield the newest entries, newest first; with a path, those of runs that read or made it."""
    found = of_path(_read(repository), path) if path is not None else _read(repository)
    for number, entry in enumerate(found, start=1):
        yield entry
        if number >= limit:
            return


def _read(repository: Path) -> Iterator[Entry]:
    for oid, activity in chain.read(repository):
        yield Entry(oid, activity)


def of_path(found: Iterable[Entry], path: str) -> Iterator[Entry]:
    """Yield, of entries newest first, those of runs whose stages read or made a path, or what lies in it.

    A run's end is recorded after its beginning, so the end is met first and tells.
    """
    runs: set[str] = set()
    for entry in found:
        run = entry.activity.run
        if run is None:
            continue
        if run in runs or any(_touches(path, other) for other in touched(entry.activity)):
            runs.add(run)
            yield entry


def touched(activity: Activity) -> Iterator[str]:
    """Yield every path that a `run.finished` says its stages read or made; `.` is the whole project."""
    for record in _dicts(activity.evidence.get("records")):
        for artifact in _dicts(record.get("artifacts")):
            yield str(artifact.get("path"))
        needs = record.get("needs")
        for need in needs if isinstance(needs, list) else []:
            if isinstance(need, list) and need:
                yield str(need[0])


def _dicts(value: object) -> Iterator[dict[str, object]]:
    for each in value if isinstance(value, list) else []:
        if isinstance(each, dict):
            yield each


def _touches(path: str, other: str) -> bool:
    return (
        other in (path, WHOLE) or path == "." or other.startswith(path + "/") or path.startswith(other + "/")
    )


def pin(root: Path) -> Pinned:
    """Return the hub's public key, kept in `.git/lockgate/hub.pub` from the first time on.

    For a hub on this machine it is the key beside it; for one behind ssh, what the chain's first entries
    say. Raises `UserError`: `hub-key-changed`, `hub-key-unknown`.
    """
    place = git_dir_of(root) / "lockgate" / "hub.pub"
    shown = _shown_key(root)
    try:
        kept = place.read_text("utf-8").strip()
    except FileNotFoundError:
        kept = None
    if kept is None:
        if shown is None:
            raise UserError(
                "the hub's public key is not known here",
                f"Take the line of key.pub in the hub's directory and write it to {place}",
                code="hub-key-unknown",
            )
        place.parent.mkdir(exist_ok=True)
        place.write_text(shown + "\n", "utf-8")
        return Pinned(shown, True)
    if shown is not None and shown.split()[:2] != kept.split()[:2]:
        raise UserError(
            "the hub's key is not the one that was pinned here",
            f"Ask the hub's owner whether it was replaced. If so: rm {place}, and verify again.",
            code="hub-key-changed",
        )
    return Pinned(kept, False)


def _shown_key(root: Path) -> str | None:
    url = remotes(root).get(REMOTE)
    if url is not None:
        try:
            place = of_url(url, root)
        except UserError:
            place = None
        if isinstance(place, LocalHub):
            return public_key_of(place)
    return key_in_chain(root)


def public_key_of(place: LocalHub) -> str:
    """Return the line of a hub's `key.pub`. Raises `OutsideError` (`key-missing`)."""
    file = place.hub.key.with_name(place.hub.key.name + ".pub")
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise OutsideError(
            f"the hub's public key {file} cannot be read: {error.strerror}",
            f"Make it again: ssh-keygen -y -f {place.hub.key} > {file}",
            code="key-missing",
        ) from None


def key_in_chain(repository: Path) -> str | None:
    """Return the public key that the chain names: the newest `project.imported`, else `project.added`."""
    oid = _told_at(repository, chain.IMPORTED, is_newest=True) or added_entry(repository)
    for _, activity in chain.read(repository, 1, oid) if oid else ():
        found = activity.evidence.get("public_key")
        if activity.kind in (ADDED, chain.IMPORTED) and isinstance(found, str) and len(found.split()) >= 2:
            return found
    return None


def added_entry(repository: Path) -> str | None:
    """Return the oldest `project.added` of the chain, found by its trailer."""
    return _told_at(repository, ADDED, is_newest=False)


def _told_at(repository: Path, kind: str, *, is_newest: bool) -> str | None:
    code, output, _ = attempt(
        repository, "log", "--first-parent", "--format=%H", "--fixed-strings",
        f"--grep=Lockgate-Activity: {kind}", chain.REF, "--",
    )  # fmt: skip
    found = output.decode().split()
    return found[0 if is_newest else -1] if code == 0 and found else None


def result_of(found: Iterable[Entry], text: str) -> tuple[str, str]:
    """Return the result commit and the snapshot of the run meant by the end of an id; `latest`: the newest.

    Raises `UserError` (`run-unknown`).
    """
    ending = text.strip().upper()
    for entry in found:
        run, evidence = entry.activity.run, entry.activity.evidence
        if run is None or entry.activity.kind != "run.finished":
            continue
        request = evidence.get("request")
        if text == "latest" and isinstance(request, dict) and request.get("proof"):
            continue
        if text == "latest" or (len(ending) >= SHORTEST and run.endswith(ending)):
            snapshot = request.get("commit") if isinstance(request, dict) else None
            result = evidence.get("result")
            if isinstance(snapshot, str) and isinstance(result, str):
                return result, snapshot
    raise UserError(
        f"the activity chain knows no run {text} that has ended",
        "The runs there are: lockgate runs; give at least 4 characters of the id.",
        code="run-unknown",
    )
