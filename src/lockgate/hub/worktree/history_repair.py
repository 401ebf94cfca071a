"""`lockgate data repair`: files too large for git become data in the commits that are not on the hub yet.

Merges, authors, dates and messages stay; signatures, which hold for other commits, go. In an order that may
break off anywhere: bytes into the store, new objects, a note of what is left, all refs at once, the index.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pygit2

from lockgate.data.digest import md5_of_file
from lockgate.data.dvc_folder import ensure_dvc_folder
from lockgate.data.pointer import pointer_file
from lockgate.errors import UserError
from lockgate.git.listing import EXECUTABLE, FILE, FOLDER, Entry
from lockgate.git.objects import Repository
from lockgate.git.program import attempt, clean_environment, git
from lockgate.git.worktree import git_dir_of
from lockgate.hub.exchanging.clone_data import clone_store
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.worktree.git_rule import git_limit
from lockgate.hub.worktree.large_files import pointer_text

BACKUPS = "refs/lockgate/backup/"
_NOTE = "lockgate/repair.json"
_SIGNATURE = re.compile(rb"^(?:gpgsig|gpgsig-sha256|mergetag) .*\n(?: .*\n)*", re.MULTILINE)
_TAG_SIGNATURE = re.compile(rb"-----BEGIN (?:PGP|SSH) SIGNATURE-----.*\Z", re.DOTALL)


class Moved(msgspec.Struct, frozen=True):
    """A file of history that is data now."""

    path: str
    """One of its paths."""
    blob: str
    md5: str
    size_bytes: int


class Repaired(msgspec.Struct, frozen=True):
    """What was done."""

    files: tuple[Moved, ...] = ()
    refs: tuple[str, ...] = ()
    """Branches and tags that lead to other commits now."""
    commit_count: int = 0
    unsigned_count: int = 0
    """Commits and tags that lost their signature."""
    backup: str = ""
    """Where the old branches and tags are kept: refs that begin so."""
    is_resumed: bool = False
    """The rest of an earlier call was done."""


class _Rest(msgspec.Struct, frozen=True):
    """What is to be done once the refs have moved."""

    before: str
    """The commit that was checked out."""
    files: tuple[Moved, ...]


def repair(root: Path) -> Repaired:
    """Rewrite this clone's commits that the hub does not have, as far as they bring files above `git_limit`.

    The work tree's files stay; in the index a pointer takes the place of each. The old branches and tags are
    kept under `refs/lockgate/backup/`. Where an earlier call was killed, this one goes on.
    Raises `UserError` (`merge-under-way`).
    """
    note = git_dir_of(root) / _NOTE
    tips = _tips(root)
    files = _large(root, tips)
    if not files:
        if not note.exists():
            return Repaired()
        rest = msgspec.json.decode(note.read_bytes(), type=_Rest)
        if _head(root) != rest.before:
            _settle(root, rest)
        note.unlink()
        return Repaired(rest.files, is_resumed=True)
    if attempt(root, "ls-files", "--unmerged")[1].strip():
        raise UserError(
            "a merge is under way",
            "Finish it, or: git merge --abort; then try again.",
            code="merge-under-way",
        )
    rewriting = _Rewriting(root, files)
    for commit in _unpushed(root, tips):
        rewriting.take(commit)
    moves = {ref: (old, new) for ref, old in tips.items() if (new := rewriting.of(old)) != old}
    head = _head(root)
    note.parent.mkdir(exist_ok=True)
    note.write_bytes(msgspec.json.encode(_Rest(head, files)))
    backup = f"{BACKUPS}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}/"
    _move(root, moves, backup)
    _settle(root, _Rest(head, files))
    note.unlink()
    return Repaired(files, tuple(moves), rewriting.commit_count, rewriting.unsigned_count, backup)


def _head(root: Path) -> str:
    return attempt(root, "rev-parse", "--verify", "--quiet", "HEAD")[1].decode().strip()


def _tips(root: Path) -> dict[str, str]:
    """Return this clone's branches and tags, and `HEAD` where it is none of them."""
    output = git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", "refs/tags/")
    found = {ref: oid for oid, _, ref in (line.partition(" ") for line in output.decode().splitlines())}
    if attempt(root, "symbolic-ref", "--quiet", "HEAD")[0] != 0 and _head(root):
        found["HEAD"] = _head(root)
    return found


def _unpushed(root: Path, tips: Mapping[str, str]) -> list[str]:
    """Return the commits that the hub is not known to have, each after its parents."""
    output = git(root, "rev-list", "--topo-order", "--reverse", *tips, "--not", f"--remotes={REMOTE}")
    return output.decode().split()


def _large(root: Path, tips: Mapping[str, str]) -> tuple[Moved, ...]:
    """Put the large files of these commits into the clone's store, and return them."""
    if not tips:
        return ()
    limit = git_limit(root)
    listed = git(root, "rev-list", "--objects", *tips, "--not", f"--remotes={REMOTE}")
    sizes = git(
        root, "cat-file", "--batch-check=%(objecttype) %(objectname) %(objectsize) %(rest)", stdin=listed
    )
    found = []
    for line in sizes.decode("utf-8", "surrogateescape").split("\n"):
        kind, _, rest = line.partition(" ")
        if kind == "blob":
            oid, size, path = rest.split(" ", 2)
            if int(size) > limit and path:
                found.append(Moved(path, oid, _keep(root, oid), int(size)))
    return tuple(found)


def _keep(root: Path, oid: str) -> str:
    """Put a blob into the clone's store; return its md5."""
    ensure_dvc_folder(str(root))
    store = clone_store(root)
    store.folder.mkdir(parents=True, exist_ok=True)
    draft = store.folder / f".blob-{oid}"
    try:
        with draft.open("wb") as file:
            words = ["git", "-C", str(root), "cat-file", "blob", oid]
            subprocess.run(words, stdout=file, env=clean_environment(), check=True)
        md5 = md5_of_file(draft)
        if not store.has(md5):
            store.adopt(draft, md5)
        return md5
    finally:
        draft.unlink(missing_ok=True)


class _Rewriting:
    """Commits and trees written anew; the same tree becomes the same tree wherever it stands."""

    def __init__(self, root: Path, files: Sequence[Moved]) -> None:
        self._repository = Repository(root)
        self._raw = self._repository.raw
        self._large = {file.blob: file for file in files}
        self._trees: dict[str, str] = {}
        self._commits: dict[str, str] = {}
        self.commit_count = 0
        self.unsigned_count = 0

    def of(self, oid: str) -> str:
        """Return what a ref to this object leads to now: a commit, or a tag of one."""
        if oid in self._commits:
            return self._commits[oid]
        kind, content = self._raw.odb.read(oid)
        if kind != pygit2.enums.ObjectType.TAG:
            return oid
        target = content[7:47].decode()
        new = self.of(target)
        if new == target:
            return oid
        body = b"object " + new.encode() + content[47:]
        unsigned = _TAG_SIGNATURE.sub(b"", body)
        self.unsigned_count += unsigned != body
        self._commits[oid] = str(self._raw.odb.write(kind, unsigned))
        return self._commits[oid]

    def take(self, oid: str) -> None:
        """Write a commit anew whose parents have been; as it is where nothing of it changes."""
        kind, content = self._raw.odb.read(oid)
        head, gap, body = content.partition(b"\n\n")
        lines = head.split(b"\n")
        for number, line in enumerate(lines):
            word, _, value = line.partition(b" ")
            if word == b"tree":
                lines[number] = b"tree " + self._tree(value.decode()).encode()
            elif word == b"parent":
                lines[number] = b"parent " + self._commits.get(value.decode(), value.decode()).encode()
            else:
                break
        new = b"\n".join(lines)
        if new == head:
            self._commits[oid] = oid
            return
        unsigned = _SIGNATURE.sub(b"", new + b"\n").removesuffix(b"\n")
        self.unsigned_count += unsigned != new
        self.commit_count += 1
        self._commits[oid] = str(self._raw.odb.write(kind, unsigned + gap + body))

    def _tree(self, oid: str) -> str:
        if oid not in self._trees:
            self._trees[oid] = self._tree_anew(oid)
        return self._trees[oid]

    def _tree_anew(self, oid: str) -> str:
        tree = self._raw[oid]
        assert isinstance(tree, pygit2.Tree)
        put: dict[str, Entry] = {}
        data: list[str] = []
        for each in tree:
            name = (each.raw_name or b"").decode("utf-8", "surrogateescape")
            entry = Entry(int(each.filemode), str(each.id))
            if entry.mode == FOLDER:
                new = self._tree(entry.id)
                put.update({name: Entry(FOLDER, new)} if new != entry.id else {})
            elif entry.id in self._large and entry.mode in (FILE, EXECUTABLE):
                file = self._large[entry.id]
                text = pointer_text(name, file.md5, file.size_bytes, is_executable=entry.mode == EXECUTABLE)
                put[pointer_file(name)] = self._blob(text)
                data.append(name)
        if data:
            put[".gitignore"] = self._blob(ignoring(self._text(tree, ".gitignore"), data))
        return self._repository.edit_tree(oid, put, data) if put else oid

    def _blob(self, content: bytes) -> Entry:
        return Entry(FILE, self._repository.write_blob(content))

    def _text(self, tree: pygit2.Tree, name: str) -> bytes:
        found = tree[name] if name in tree else None  # noqa: SIM401  (a tree has no get)
        return found.data if isinstance(found, pygit2.Blob) else b""


def ignoring(before: bytes, names: Sequence[str]) -> bytes:
    """Return a `.gitignore` that names these files of its own folder too."""
    known = before.split(b"\n")
    lines = [f"/{name}".encode("utf-8", "surrogateescape") for name in sorted(names)]
    new = [line for line in lines if line not in known]
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    return before + gap + b"".join(line + b"\n" for line in new)


def _move(root: Path, moves: Mapping[str, tuple[str, str]], backup: str) -> None:
    """Move all refs at once, and keep what they led to (git-update-ref(1), `--stdin`)."""
    lines = ["start"]
    for ref, (old, new) in moves.items():
        lines.append(f"create {backup}{ref.removeprefix('refs/')} {old}")
        lines += ["option no-deref"] if ref == "HEAD" else []
        lines.append(f"update {ref} {new} {old}")
    lines += ["prepare", "commit"]
    git(
        root,
        "update-ref",
        "-m",
        "lockgate data repair",
        "--stdin",
        stdin="".join(f"{x}\n" for x in lines).encode(),
    )


def _settle(root: Path, rest: _Rest) -> None:
    """Make index and work tree fit the commit now checked out; what a member edited or staged stays."""
    blobs = {file.blob for file in rest.files}
    staged = git(root, "ls-files", "--stage", "-z").decode("utf-8", "surrogateescape").split("\0")
    taken: list[str] = []
    index: dict[str, str] = {}
    for row in filter(None, staged):
        about, _, path = row.partition("\t")
        index[path] = about.split()[1]
        if index[path] in blobs:
            taken.append(path)
    lines = []
    for path in taken:
        folder = path.rpartition("/")[0]
        ignore = f"{folder}/.gitignore" if folder else ".gitignore"
        lines.append(f"0 {'0' * 40}\t{path}")
        lines.append(_entry(root, "HEAD", pointer_file(path)))
        if index.get(ignore) == _blob(root, rest.before, ignore):
            lines.append(_entry(root, "HEAD", ignore))
        _write(root, pointer_file(path), ignore, path)
    listed = "\0".join(line for line in lines if line)
    if listed:
        git(
            root, "update-index", "-z", "--index-info",
            stdin=(listed + "\0").encode("utf-8", "surrogateescape"),
        )  # fmt: skip
        attempt(root, "update-index", "-q", "--refresh")


def _blob(root: Path, commit: str, path: str) -> str | None:
    code, output, _ = attempt(root, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    return output.decode().strip() if code == 0 else None


def _entry(root: Path, commit: str, path: str) -> str:
    oid = _blob(root, commit, path)
    return f"100644 {oid}\t{path}" if oid is not None else ""


def _write(root: Path, pointer: str, ignore: str, path: str) -> None:
    place = root / pointer
    if not place.exists() and place.parent.is_dir():
        place.write_bytes(git(root, "cat-file", "blob", f"HEAD:{pointer}"))
    ignored = root / ignore
    before = ignored.read_bytes() if ignored.exists() else b""
    after = ignoring(before, [path.rpartition("/")[2]])
    if after != before and ignored.parent.is_dir():
        ignored.write_bytes(after)
