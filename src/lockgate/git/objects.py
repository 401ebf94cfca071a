"""Git objects without a work tree: blobs, trees, commits and tags, read and written in milliseconds.

Over libgit2, whose import costs 70 ms: import this module only where objects are written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec
import pygit2
from pygit2.enums import ObjectType

from lockgate.errors import OutsideError, UserError
from lockgate.git.listing import FOLDER, Entry, parse_tree
from lockgate.git.path import check_path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

Author: TypeAlias = tuple[str, str, int]
"""Who wrote an object and when: name, email, seconds since 1970 (UTC)."""

_T = TypeVar("_T")
_Changes: TypeAlias = "dict[bytes, Entry | _Changes | None]"


class Commit(msgspec.Struct, frozen=True):
    """A commit as read back."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    committed_at: int
    """Seconds since 1970, UTC."""
    message: str


class Tag(msgspec.Struct, frozen=True):
    """An annotated tag object as read back."""

    id: str
    target: str
    name: str
    message: str
    tagger: Author


class Repository:
    """One repository on disk. Not for sharing between threads: each opens its own.

    Ids are hex strings everywhere.
    Raises `OutsideError`: `repository-missing`, `object-missing`, `git-failed`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.raw = pygit2.Repository(os.fspath(path))
        except pygit2.GitError as error:
            raise OutsideError(
                f"{path} cannot be opened as a git repository: {error}",
                "Check the path and who owns it.",
                code="repository-missing",
            ) from None

    def exists(self, oid: str) -> bool:
        """Return whether the object is here."""
        return _is_id(oid) and pygit2.Oid(hex=oid) in self.raw.odb

    def read_blob(self, oid: str) -> bytes:
        """Return a blob's content."""
        return self._read(oid, ObjectType.BLOB)

    def write_blob(self, content: bytes) -> str:
        """Write a blob and return its id."""
        return self._write(ObjectType.BLOB, content)

    def write_file_blob(self, path: Path) -> str:
        """Write a file's bytes as a blob, in pieces, and return its id (a link's target is followed)."""
        with self._in_words(f"store {path}"), path.open("rb") as file:
            return str(self.raw.create_blob_fromiobase(file))

    def tree_of(self, commit: str) -> str:
        """Return the tree id of a commit."""
        return self.read_commit(commit).tree

    def entry_of(self, tree: str, path: str) -> Entry | None:
        """Return what a tree holds at a path, a folder too; None where nothing is."""
        found: Entry | None = Entry(FOLDER, tree)
        for part in check_path(path):
            if found is None or found.mode != FOLDER:
                return None
            found = self._rows(found.id).get(part.encode("utf-8", "surrogateescape"))
        return found

    def list_tree(self, tree: str, folder: str = "") -> Iterator[tuple[str, Entry]]:
        """Yield every file, link and submodule below a tree by its path."""
        for name, entry in self._rows(tree).items():
            path = folder + name.decode("utf-8", "surrogateescape")
            if entry.mode == FOLDER:
                yield from self.list_tree(entry.id, path + "/")
            else:
                yield path, entry

    def edit_tree(self, base: str | None, put: Mapping[str, Entry], remove: Iterable[str] = ()) -> str:
        """Write the tree that is `base` without `remove` and with `put`; return its id.

        Removals come first; a path removed may be a folder, or absent. A put replaces a file or folder
        of that name, and a file that stands where it needs a folder. Folders left empty vanish. A put
        entry may be a whole folder (mode `FOLDER`, a tree's id).
        Raises `UserError`: `path-unsafe`, `path-conflict` (one put path lies inside another).
        """
        changes: _Changes = {}
        for path in remove:
            _plan(changes, path, None)
        removed = self._edit(base, changes) if changes else base
        changes = {}
        for path, entry in put.items():
            _plan(changes, path, entry)
        return self._edit(removed, changes) or self._write(ObjectType.TREE, b"")

    def commit(
        self,
        tree: str,
        parents: Iterable[str],
        message: str,
        author: Author,
        committer: Author | None = None,
        signature: Callable[[bytes], str] | None = None,
    ) -> str:
        """Write a commit and return its id; no ref moves.

        `signature` is given the commit's bytes and returns an armoured signature for the `gpgsig` header
        (git's gitformat-signature(5)).
        """
        above = tuple(parents)
        for oid in (tree, *above):
            self._require(oid)
        head = [b"tree " + tree.encode(), *(b"parent " + oid.encode() for oid in above)]
        head += [b"author " + _ident(author), b"committer " + _ident(committer or author)]
        body = b"\n\n" + _text(message)
        if signature is not None:
            armoured = signature(b"\n".join(head) + body).rstrip("\n")
            head.append(b"gpgsig " + armoured.encode().replace(b"\n", b"\n "))
        return self._write(ObjectType.COMMIT, b"\n".join(head) + body)

    def read_commit(self, oid: str) -> Commit:
        """Return a commit; text that is no UTF-8 is replaced, not refused."""
        found = self._peel(oid, pygit2.Commit)
        return Commit(
            id=str(found.id),
            tree=str(found.tree_id),
            parents=tuple(str(parent) for parent in found.parent_ids),
            author_name=found.author.raw_name.decode("utf-8", "replace"),
            author_email=found.author.raw_email.decode("utf-8", "replace"),
            committed_at=found.commit_time,
            message=found.raw_message.decode("utf-8", "replace"),
        )

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Return whether `ancestor` is `descendant` or reachable from it."""
        for oid in (ancestor, descendant):
            self._require(oid)
        if ancestor == descendant:
            return True
        with self._in_words(f"compare {ancestor} and {descendant}"):
            return self.raw.descendant_of(descendant, ancestor)

    def write_tag_object(
        self,
        target: str,
        name: str,
        message: str,
        tagger: Author,
        signature: Callable[[bytes], str] | None = None,
    ) -> str:
        """Write an annotated tag of a commit and return its id; no ref is made.

        A signature stands at the end of the tag's text, where `git verify-tag` looks for it.
        """
        self._require(target)
        head = b"object %s\ntype commit\ntag %s\ntagger %s" % (target.encode(), name.encode(), _ident(tagger))
        body = head + b"\n\n" + _text(message)
        if signature is not None:
            body += signature(body).rstrip("\n").encode() + b"\n"
        return self._write(ObjectType.TAG, body)

    def read_tag_object(self, oid: str) -> Tag:
        """Return an annotated tag; its message without the signature."""
        found = self._peel(oid, pygit2.Tag)
        message = found.raw_message.decode("utf-8", "replace")
        tagger = found.tagger
        return Tag(
            id=str(found.id),
            target=str(found.target),
            name=found.raw_name.decode("utf-8", "replace") if found.raw_name else "",
            message=message.split("-----BEGIN SSH SIGNATURE-----", 1)[0],
            tagger=(
                tagger.raw_name.decode("utf-8", "replace") if tagger else "",
                tagger.raw_email.decode("utf-8", "replace") if tagger else "",
                tagger.time if tagger else 0,
            ),
        )

    @property
    def common_dir(self) -> Path:
        """Where refs live: the repository itself, also for a linked work tree (gitrepository-layout(5))."""
        git_dir = Path(self.raw.path)
        try:
            return git_dir / (git_dir / "commondir").read_text().strip()
        except FileNotFoundError:
            return git_dir

    def check_ref_name(self, name: str) -> None:
        """Raise `UserError` (`ref-name`) unless git allows `name`, in full from `refs/`, as a ref."""
        if not name.startswith("refs/") or not pygit2.reference_is_valid_name(name):
            raise UserError(
                f"{name!r} is no name for a ref", "See `git help check-ref-format`.", code="ref-name"
            )

    def read_ref(self, name: str) -> str | None:
        """Return the id a ref points at, through symbolic refs; None when there is none."""
        self.check_ref_name(name)
        with self._in_words(f"read {name}"):
            try:
                return str(self.raw.lookup_reference(name).resolve().target)
            except KeyError:
                return None

    def list_refs(self, prefix: str) -> dict[str, str]:
        """Return the refs that begin with `prefix`, sorted by name; broken and symbolic ones left out."""
        with self._in_words("list refs"):
            found = {ref.name: ref.target for ref in self.raw.references.objects}
        return {
            name: str(target)
            for name, target in sorted(found.items())
            if name.startswith(prefix) and isinstance(target, pygit2.Oid)
        }

    def delete_ref(self, name: str, expected: str) -> bool:
        """Delete a ref that points at `expected`. Raises BlockingIOError while another process locks it."""
        try:
            ref = self.raw.lookup_reference(name)
            if str(ref.target) != expected:
                return False
            ref.delete()
        except KeyError:
            return False
        except (pygit2.GitError, OSError) as error:
            # libgit2's EMODIFIED and ELOCKED have no class of their own in pygit2
            words = str(error)
            if "old reference value does not match" in words:
                return False
            if "lock" in words:
                raise BlockingIOError(words) from error
            raise self._failed(f"delete {name}", error) from error
        return True

    def _edit(self, base: str | None, changes: _Changes) -> str | None:
        rows = self._rows(base) if base else {}
        for name, change in changes.items():
            if change is None:
                rows.pop(name, None)
            elif isinstance(change, Entry):
                rows[name] = change
            else:
                self._edit_folder(rows, name, change)
        if not rows:
            return None
        ordered = sorted(rows.items(), key=lambda row: row[0] + b"/" if row[1].mode == FOLDER else row[0])
        return self._write(
            ObjectType.TREE,
            b"".join(b"%o %s\0%s" % (entry.mode, name, bytes.fromhex(entry.id)) for name, entry in ordered),
        )

    def _edit_folder(self, rows: dict[bytes, Entry], name: bytes, inside: _Changes) -> None:
        old = rows.get(name)
        is_folder = old is not None and old.mode == FOLDER
        new = self._edit(old.id if old is not None and is_folder else None, inside)
        if new is not None:
            rows[name] = Entry(FOLDER, new)
        elif is_folder:
            del rows[name]

    def _rows(self, tree: str) -> dict[bytes, Entry]:
        with self._in_words(f"read {tree}"):
            return parse_tree(b"" if tree == EMPTY_TREE else self._read(tree, ObjectType.TREE))

    def _read(self, oid: str, kind: ObjectType) -> bytes:
        self._require(oid)
        with self._in_words(f"read {oid}"):
            found, content = self.raw.odb.read(oid)
        if found != kind:
            raise _missing(self.path, oid, kind.name.lower())
        return content

    def _write(self, kind: ObjectType, content: bytes) -> str:
        with self._in_words(f"write a {kind.name.lower()}"):
            return str(self.raw.odb.write(kind, content))

    def _peel(self, oid: str, kind: type[_T]) -> _T:
        self._require(oid)
        with self._in_words(f"read {oid}"):
            found = self.raw[oid]
        if not isinstance(found, kind):
            raise _missing(self.path, oid, kind.__name__.lower())
        return found

    def _require(self, oid: str) -> None:
        if not self.exists(oid):
            raise _missing(self.path, oid, "object")

    @contextmanager
    def _in_words(self, action: str) -> Iterator[None]:
        try:
            yield
        except (pygit2.GitError, KeyError, ValueError, OSError) as error:
            raise self._failed(action, error) from error

    def _failed(self, action: str, error: Exception) -> OutsideError:
        return OutsideError(
            f"git could not {action} in {self.path}: {error}",
            "Look at the disk (`df -h`), then at the repository (`git fsck`).",
            code="git-failed",
        )


def _plan(changes: _Changes, path: str, change: Entry | None) -> None:
    """Lay one path's change into the nested plan; a removal inside a removed folder adds nothing."""
    *folders, last = (part.encode("utf-8", "surrogateescape") for part in check_path(path))
    for folder in folders:
        inside = changes.setdefault(folder, {})
        if inside is None:
            return
        if isinstance(inside, Entry):
            raise _conflict(path)
        changes = inside
    if change is not None and last in changes:
        raise _conflict(path)
    changes[last] = change


def _conflict(path: str) -> UserError:
    return UserError(
        f"{path!r} would be a file and a folder at once",
        "Two results cannot be made at one path, or one inside the other: change one of the paths.",
        code="path-conflict",
    )


def _missing(repository: Path, oid: str, kind: str) -> OutsideError:
    return OutsideError(
        f"there is no {kind} {oid!r} in {repository}",
        "Run `git fsck` there; push the commit again if it was yours.",
        code="object-missing",
    )


def _is_id(oid: str) -> bool:
    return len(oid) == 40 and all(char in "0123456789abcdef" for char in oid)


def _ident(author: Author) -> bytes:
    """Return git's form of a person; what would break the line is left out, as git leaves it out."""
    name, email = ("".join(char for char in text if char not in "<>\n\0").strip() for text in author[:2])
    return f"{name or 'unknown'} <{email}> {author[2]} +0000".encode("utf-8", "replace")


def _text(message: str) -> bytes:
    return message.replace("\0", "").rstrip("\n").encode("utf-8", "replace") + b"\n"
