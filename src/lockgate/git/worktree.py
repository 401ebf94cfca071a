"""A member's work tree, by the git program alone: what changed, a snapshot of it, artifacts put into it."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.git.place import checkout_paths as checkout_paths
from lockgate.git.program import attempt, git

#: git's words are matched below, so untranslated; and the member's index is not locked.
QUIET = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
PLAIN = ("-c", "core.hooksPath=/dev/null", "-c", "core.splitIndex=false")
IDENTITY = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")


class Changes(msgspec.Struct, frozen=True):
    """How a work tree differs from its HEAD. Paths are relative to the root; ignored files are left out."""

    head: str | None
    """The commit checked out; None when there is no commit yet."""
    branch: str | None
    """The branch's short name; None when HEAD is detached."""
    changed: tuple[str, ...] = ()
    """Modified, or added to the index."""
    untracked: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Folders git could not look into, so that what is in them is unknown."""
    ignored: tuple[str, ...] = ()
    """What git ignores, where that was asked for; a folder that is ignored itself, ending in `/`, as one."""

    @property
    def is_clean(self) -> bool:
        return not (self.changed or self.untracked or self.deleted or self.unmerged or self.unreadable)


class Swaps(msgspec.Struct, frozen=True):
    """What a snapshot has otherwise than the work tree."""

    out: tuple[str, ...] = ()
    """Files and folders that are left out."""
    put: dict[str, bytes] = {}
    """Files that stand in it with this content."""


def find_root(path: Path) -> Path:
    """Return the root of the work tree that `path` (a file or folder) lies in.

    Raises `UserError`: `not-a-repository`, `bare-repository`, `unsafe-repository` (owned by somebody else).
    """
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise _not_a_repository(path)
    code, output, error = attempt(folder, "rev-parse", "--show-toplevel", environment=QUIET)
    if code == 0:
        return Path(os.fsdecode(output.removesuffix(b"\n")))
    words = error.decode("utf-8", "replace")
    if "must be run in a work tree" in words:
        raise UserError(
            f"{path} is a bare repository, or inside a `.git` folder: there is no work tree",
            "Go to the folder with your files; `git clone` makes one.",
            code="bare-repository",
        )
    if "dubious ownership" in words or "unsafe repository" in words:
        raise UserError(
            f"{path} belongs to another user, so git refuses to work there",
            f"If you trust it, type: git config --global --add safe.directory {folder}",
            code="unsafe-repository",
        )
    raise _not_a_repository(path)


def head(root: Path) -> tuple[str | None, str | None]:
    """Return the branch checked out (None: detached) and its commit (None: none yet)."""
    _, branch, _ = attempt(root, "symbolic-ref", "--quiet", "--short", "HEAD", environment=QUIET)
    _, commit, _ = attempt(root, "rev-parse", "--quiet", "--verify", "HEAD^{commit}", environment=QUIET)
    return branch.decode("utf-8", "replace").strip() or None, commit.decode().strip() or None


def changes(root: Path, *, has_ignored: bool = False) -> Changes:
    """Return how the work tree differs from HEAD, by one call of git that takes no lock."""
    more = ("--ignored=matching",) if has_ignored else ()
    code, output, error = attempt(
        root,
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--no-ahead-behind",
        "--no-renames",
        "--untracked-files=all",
        *more,
        environment=QUIET,
    )
    words = error.decode("utf-8", "surrogateescape")
    if code != 0:
        raise _failed("no status", root, words)
    return msgspec.structs.replace(parse_status(output), unreadable=tuple(_UNREADABLE.findall(words)))


_UNREADABLE = re.compile(r"could not open directory '(.*)': Permission denied")


def parse_status(output: bytes) -> Changes:
    """Read `git status --porcelain=v2 -z --branch --no-renames`, also with `--ignored` (git-status(1))."""
    facts: dict[str, str] = {}
    kinds = ("changed", "untracked", "deleted", "unmerged", "ignored")
    paths: dict[str, list[str]] = {each: [] for each in kinds}
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        kind, _, rest = record.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            facts[name] = value
        elif kind == "1":
            state, path = rest[:2], rest.split(" ", 7)[7]
            paths["deleted" if "D" in state else "changed"].append(path)
        elif kind == "u":
            paths["unmerged"].append(rest.split(" ", 9)[9])
        elif kind == "?":
            paths["untracked"].append(rest)
        elif kind == "!":
            paths["ignored"].append(rest)
    present = set(paths["untracked"])
    oid, branch = facts.get("branch.oid", "(initial)"), facts.get("branch.head", "(detached)")
    return Changes(
        head=None if oid == "(initial)" else oid,
        branch=None if branch == "(detached)" else branch,
        changed=tuple(paths["changed"]),
        untracked=tuple(paths["untracked"]),
        deleted=tuple(path for path in paths["deleted"] if path not in present),
        unmerged=tuple(paths["unmerged"]),
        ignored=tuple(paths["ignored"]),
    )


def snapshot(
    root: Path,
    message: str,
    swap: Callable[[Changes], Swaps] = lambda changes: Swaps(),
    put: Mapping[str, bytes] | None = None,
    found: Changes | None = None,
) -> str:
    """Return a commit of the work tree as it is, uncommitted and untracked (not ignored) files too.

    Its parent is HEAD; HEAD itself is returned when nothing differs. Branch, index and files stay untouched.
    `swap` is told what differs, and says what the commit is to have otherwise; `put` are files that it has
    with this content whatever differs; `found`: what `changes` told a moment ago.
    Raises `UserError`: `merge-under-way`, `embedded-repository`, `file-unreadable`, `file-name`;
    `OutsideError`: `git-failed`.
    """
    found = found or changes(root)
    if found.unmerged:
        raise UserError(
            f"a merge is under way: {found.unmerged[0]!r} has conflicts",
            "Resolve them and `git add` the files, or `git merge --abort`; then try again.",
            code="merge-under-way",
        )
    if found.head and found.is_clean and not put:
        return found.head
    if found.unreadable:
        raise _unreadable(found.unreadable[0])
    for path in found.untracked:
        # With every untracked file listed by itself, only a repository of its own is shown as a folder
        if path.endswith("/"):
            raise _embedded(path)
    swaps = swap(found)
    with copied_index(root) as index:
        environment = QUIET | {"GIT_INDEX_FILE": os.fspath(index)}
        # What differs is known by now: git need not look for it once more
        taken = "".join(f"{path}\0" for path in _without(found, set(swaps.out)))
        code, _, error = attempt(
            root, *PLAIN, "update-index", "--ignore-skip-worktree-entries", "--add", "--remove", "--replace",
            "-z", "--stdin", stdin=taken.encode("utf-8", "surrogateescape"), environment=environment,
        )  # fmt: skip
        words = error.decode("utf-8", "replace")
        if code != 0 or "Permission denied" in words or f"\n{_PASSED_OVER}" in f"\n{words}":
            _explain_add(root, words)
        _swap(root, Swaps(swaps.out, swaps.put | dict(put or {})), environment)
        tree = git(root, *PLAIN, "write-tree", environment=environment).decode().strip()
    if found.head and git(root, "rev-parse", f"{found.head}^{{tree}}").decode().strip() == tree:
        return found.head
    return commit_tree(root, tree, found.head, message)


#: How update-index calls a path that git takes from nobody, as `git~1`, and goes on without it.
_PASSED_OVER = "Ignoring path "


def _without(found: Changes, out: set[str]) -> Iterator[str]:
    """Yield the paths that differ, but for those left out and what lies below them."""
    for path in (*found.changed, *found.untracked, *found.deleted):
        around = path if out else ""
        while around and around not in out:
            around = around.rpartition("/")[0]
        if not around:
            yield path


def _swap(root: Path, swaps: Swaps, environment: Mapping[str, str]) -> None:
    """Take files out of an index and put others in."""
    if swaps.out:
        listed = "\0".join(swaps.out).encode("utf-8", "surrogateescape")
        words = ("update-index", "-z", "--force-remove", "--stdin")
        git(root, *PLAIN, *words, stdin=listed, environment=environment)
    for path, content in swaps.put.items():
        oid = git(root, "hash-object", "-w", "--stdin", stdin=content).decode().strip()
        git(
            root, *PLAIN, "update-index", "--add", "--cacheinfo", f"100644,{oid},{path}",
            environment=environment,
        )  # fmt: skip


def member_here(folder: Path | None = None) -> str | None:
    """Return the address git knows for who works here, or in a folder; None: it knows none."""
    code, output, _ = attempt(folder or Path.cwd(), "config", "user.email")
    return output.decode("utf-8", "replace").strip() or None if code == 0 else None


def remotes(root: Path) -> dict[str, str]:
    """Return the remotes' addresses by name."""
    _, output, _ = attempt(root, "config", "-z", "--get-regexp", r"^remote\..*\.url$")
    found: dict[str, str] = {}
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        name, _, url = record.partition("\n")
        if record:
            found.setdefault(name.removeprefix("remote.").removesuffix(".url"), url)
    return found


def add_remote(root: Path, name: str, url: str) -> None:
    """Add a remote; one of that name and address is left as it is.

    Raises `UserError`: `remote-exists` (with another address), `remote-invalid`.
    """
    there = remotes(root).get(name)
    if there == url:
        return
    if there is not None:
        raise UserError(
            f"the remote {name!r} exists already and leads to {there}",
            f"To change it, type: git remote set-url {name} {url}",
            code="remote-exists",
        )
    code, _, error = attempt(root, "remote", "add", "--", name, url, environment=QUIET)
    if code != 0:
        raise UserError(
            f"git cannot add the remote {name!r}: {error.decode('utf-8', 'replace').strip()}",
            "Choose a plain name such as `hub`.",
            code="remote-invalid",
        )


@contextmanager
def copied_index(root: Path) -> Iterator[Path]:
    """Give a copy of the index beside it (where a split index finds its other half), removed afterwards."""
    git_dir = git_dir_of(root)
    copy = git_dir / f"lockgate-index-{os.getpid()}-{os.urandom(6).hex()}"
    try:
        try:
            stat = (git_dir / "index").stat()
            copy.write_bytes((git_dir / "index").read_bytes())
            # git takes a file as young as the index for possibly changed: its technical/racy-git
            os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutsideError(
                f"no snapshot of {root}: {error.strerror}: {error.filename}",
                "Check the disk space and the owner of the `.git` folder.",
                code="git-failed",
            ) from None
        yield copy
    finally:
        copy.unlink(missing_ok=True)
        copy.with_name(copy.name + ".lock").unlink(missing_ok=True)


def git_dir_of(root: Path) -> Path:
    """Return the folder of HEAD and index: `.git`, or where a `.git` file points to (git-worktree(1))."""
    place = root / ".git"
    if place.is_dir():
        return place
    return root / os.fsdecode(place.read_bytes().removeprefix(b"gitdir: ").removesuffix(b"\n"))


def commit_tree(root: Path, tree: str, parent: str | None, message: str, *merged: str) -> str:
    """Write a commit by the member, or by the login name where git knows no member; return its id.

    `merged`: further parents.

    Raises `OutsideError` (`git-failed`).
    """
    parents = [word for each in (parent, *merged) if each for word in ("-p", each)]
    command = ("-c", "i18n.commitEncoding=utf-8", "commit-tree", tree, *parents)
    text = message.encode("utf-8", "replace")
    own = {name: os.environ[name] for name in IDENTITY if os.environ.get(name)}
    code, output, error = attempt(root, *command, stdin=text, environment=QUIET | own)
    if code != 0 and (b"ident" in error or b"email" in error):
        code, output, error = attempt(root, *command, stdin=text, environment=QUIET | _login() | own)
    if code != 0:
        raise _failed("no snapshot", root, error.decode("utf-8", "replace"))
    return output.decode().strip()


def _login() -> dict[str, str]:
    """Who commits where git was never told: the login name at this machine."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = os.environ.get("LOGNAME") or str(os.getuid())
    email = f"{name}@{os.uname().nodename}"
    return dict(zip(IDENTITY, (name, email, name, email), strict=True))


def _explain_add(root: Path, words: str) -> NoReturn:
    lines = words.strip().splitlines()
    for line in lines:
        if line.startswith(_PASSED_OVER):
            name = line.removeprefix(_PASSED_OVER)
            raise UserError(
                f"git takes no file of the name {name!r}, so it would be missing from the snapshot",
                "Rename it, or name it in `.gitignore`.",
                code="file-name",
            )
        if "Permission denied" in line or "unable to index file" in line:
            raise _unreadable(line.split(": ", 1)[-1])
        if "does not have a commit checked out" in line:
            raise _embedded(line.split("'")[1] if "'" in line else "a folder")
    raise _failed("no snapshot", root, words)


def _failed(what: str, root: Path, words: str) -> OutsideError:
    lines = words.strip().splitlines()
    return OutsideError(
        f"{what} of {root}: {lines[-1] if lines else 'git gave no reason'}",
        "Look at it with `git status`; `git add --all --dry-run` shows the same complaint.",
        code="git-failed",
    )


def _unreadable(what: str) -> UserError:
    return UserError(
        f"not everything can be read, so there is no snapshot: {what}",
        "Make it readable, or name it in `.gitignore`.",
        code="file-unreadable",
    )


def _embedded(path: str) -> UserError:
    return UserError(
        f"{path!r} is a git repository of its own inside this one; its files would be left out",
        f"Name it in `.gitignore`, or make it a submodule: git submodule add <address> {path.rstrip('/')}",
        code="embedded-repository",
    )


def _not_a_repository(path: Path) -> UserError:
    return UserError(
        f"{path} is not in a git repository",
        "Type `git init` (or `lockgate init`, which does it too) in the project's folder.",
        code="not-a-repository",
    )
