"""The book of a hub's members: one file a member, `HUB/members/NAME.json`.

Written whole and put in place by a rename, under a lock; read without one. Hooks call this: it imports
little.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.hub.directory import Hub
from lockgate.hub.members.names import is_name, require_name
from lockgate.hub.members.rules import actor_of, role_of
from lockgate.hub.members.values import EVERY, Member

FOLDER = "members"
_LOCK = ".lock"
_SUFFIX = ".json"


class MemberBook:
    """The members of one hub. What was read is kept until its file changes."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.folder = hub.root / FOLDER
        self._read: dict[str, tuple[tuple[int, int, int], Member]] = {}

    @property
    def is_open(self) -> bool:
        """Whether the hub never had a member: then whoever reaches it is its owner.

        One whose last member was removed is not open again; to open it, remove its folder `members`.
        """
        try:
            self.folder.stat()
        except FileNotFoundError:
            return True
        except OSError as error:
            self._fail(self.folder, error)
        return False

    def members(self) -> tuple[Member, ...]:
        """Return every member, by name. Raises `OutsideError`: `members-unreadable`, `member-damaged`."""
        try:
            with os.scandir(self.folder) as found:
                names = sorted(
                    entry.name.removesuffix(_SUFFIX)
                    for entry in found
                    if entry.name.endswith(_SUFFIX) and not entry.name.startswith(".")
                )
        except FileNotFoundError:
            names = []
        except OSError as error:
            self._fail(self.folder, error)
        for name in [known for known in tuple(self._read) if known not in names]:
            self._read.pop(name, None)
        members = [self.find(name) for name in names]
        return tuple(member for member in members if member is not None)

    def find(self, name: str) -> Member | None:
        """Return the member of this name. Raises `OutsideError`: `members-unreadable`, `member-damaged`."""
        if not is_name(name):
            return None
        path = self._path(name)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                version = (status.st_mtime_ns, status.st_ino, status.st_size)
                known = self._read.get(name)
                if known is not None and known[0] == version:
                    return known[1]
                content = file.read()
        except FileNotFoundError:
            self._read.pop(name, None)
            return None
        except OSError as error:
            self._fail(path, error)
        member = _parse(path, content)
        self._read[name] = (version, member)
        return member

    def require(self, name: str) -> Member:
        """Return the member of this name. Raises `UserError` (`member-unknown`)."""
        member = self.find(name)
        if member is None:
            known = ", ".join(each.name for each in self.members()[:20]) or "none yet"
            raise UserError(
                f"the hub has no member {name}",
                f"Its members: {known}. To add one: lockgate hub member add NAME",
                code="member-unknown",
            )
        return member

    def leads(self, project: str) -> tuple[str, ...]:
        """Return the names of a project's leads."""
        actors = [actor_of(member) for member in self.members()]
        return tuple(actor.name for actor in actors if actor and role_of(actor, project) == "lead")

    def add(self, member: Member) -> None:
        """Put a new member into the book.

        Raises `UserError`: `member-name`, `member-exists`, `member-conflict`; `OutsideError`:
        `members-unwritable`.
        """
        require_name(member.name)
        with self._locked():
            if self.find(member.name) is not None:
                raise UserError(
                    f"there is a member {member.name} already",
                    f"To change what they may do: lockgate hub member change {member.name}",
                    code="member-exists",
                )
            self._check_unique(member)
            self._write(member)

    def change(self, name: str, change: Callable[[Member], Member]) -> tuple[Member, Member]:
        """Put `change(member)` in a member's place; return both. Nothing else changes it in between.

        Raises `UserError`: `member-unknown`, `member-conflict`, and what `change` raises.
        """
        with self._locked():
            before = self.require(name)
            after = change(before)
            if after.name != name:
                raise ValueError("a member keeps its name")
            if after != before:
                self._check_unique(after)
                self._write(after)
            return before, after

    def remove(self, name: str) -> Member:
        """Take a member out of the book, their tokens and keys too. Raises `UserError` (`member-unknown`)."""
        with self._locked():
            member = self.require(name)
            self._path(name).unlink(missing_ok=True)
            self._read.pop(name, None)
            return member

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, member: Member) -> None:
        path = self._path(member.name)
        draft = path.with_name(f".{member.name}.{os.urandom(6).hex()}")
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(member), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _check_unique(self, member: Member) -> None:
        """A key, an address and a subject each say who somebody is: they can say it of one member only."""
        for other in self.members():
            if other.name == member.name:
                continue
            shared = {key.split()[1] for key in other.keys} & {key.split()[1] for key in member.keys}
            if shared:
                what = "this ssh key"
            elif member.email and member.email == other.email:
                what = f"the address {member.email}"
            elif member.subject and member.subject == other.subject:
                what = "this account elsewhere"
            else:
                continue
            raise UserError(
                f"{what} is that of {other.name} already",
                f"Take it from {other.name} first, or give {member.name} another.",
                code="member-conflict",
            )

    def _fail(self, path: Path, error: OSError) -> NoReturn:
        raise OutsideError(
            f"the hub's members cannot be read: {error.strerror or error} ({path})",
            f"Let the hub's own account own {self.folder}, mode 0700.",
            code="members-unreadable",
        ) from None


def open_book(hub: Hub) -> MemberBook:
    """Return the book of a hub; nothing is read yet."""
    return MemberBook(hub)


def projects_of(hub: Hub, *members: Member) -> tuple[str, ...]:
    """Return the projects in which these have a role or a party."""
    named = {project for member in members for project in (*member.roles, *member.parties)}
    there = hub.projects()
    return tuple(there) if EVERY in named else tuple(name for name in there if name in named)


def _parse(path: Path, content: bytes) -> Member:
    try:
        member = msgspec.json.decode(content, type=Member)
        if member.name != path.name.removesuffix(_SUFFIX):
            raise msgspec.ValidationError(f"it is named {member.name}")
    except msgspec.DecodeError as error:
        raise OutsideError(
            f"{path} is damaged: {error}",
            "Bring the file back from a backup, or move it away and add the member anew.",
            code="member-damaged",
        ) from None
    return member


def _unwritable(path: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"{path} cannot be written: {error.strerror or error}",
        "Do this as the account that owns the hub, on a disk with room.",
        code="members-unwritable",
    )
