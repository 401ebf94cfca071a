"""The book of members: real files, real processes, real argon2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.members.acting import by_name
from lockgate.hub.members.authenticate import (
    by_password,
    by_token,
    hash_password,
    set_password,
)
from lockgate.hub.members.book import MemberBook, open_book, projects_of
from lockgate.hub.members.rules import may
from lockgate.hub.members.tokens import digest_of, issue, revoke
from lockgate.hub.members.values import Member

PASSWORD = "four words in a row"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return create_hub(tmp_path / "hub")[0]


@pytest.fixture
def book(hub: Hub) -> MemberBook:
    return open_book(hub)


def refused(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(LockgateError) as caught:
        call(*arguments)
    return str(caught.value.code)


def test_a_hub_is_open_until_its_first_member_and_never_again(book: MemberBook) -> None:
    was_open = book.is_open
    assert was_open
    assert book.members() == ()
    assert book.find("ada") is None
    assert refused(book.require, "ada") == "member-unknown"
    book.add(Member(name="ada", roles={"flights": "lead"}))
    assert not book.is_open
    book.remove("ada")
    assert not book.is_open
    assert book.members() == ()


def test_what_is_written_is_read_by_others_at_once(hub: Hub, book: MemberBook) -> None:
    other = open_book(hub)
    book.add(Member(name="ada", email="ada@example.org", roles={"flights": "lead"}, parties={"*": ("it",)}))
    assert other.find("ada") == book.find("ada")
    assert other.leads("flights") == ("ada",)
    other.change("ada", lambda member: msgspec.structs.replace(member, roles={"flights": "viewer"}))
    assert book.leads("flights") == ()
    other.remove("ada")
    assert book.find("ada") is None
    assert book.members() == ()


def test_files_are_the_owners_alone(book: MemberBook) -> None:
    book.add(Member(name="ada"))
    assert book.folder.stat().st_mode & 0o777 == 0o700
    assert (book.folder / "ada.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((book.folder / "ada.json").read_text()) == {"name": "ada"}
    assert sorted(path.name for path in book.folder.iterdir()) == [".lock", "ada.json"]


def test_who_somebody_is_is_said_of_one_member_only(book: MemberBook) -> None:
    book.add(Member(name="ada", email="ada@example.org", keys=("ssh-ed25519 AAAA a",), subject="idp 1"))
    assert refused(book.add, Member(name="ada")) == "member-exists"
    assert refused(book.add, Member(name="../ada")) == "member-name"
    for double in (
        Member(name="bob", email="ada@example.org"),
        Member(name="bob", keys=("ssh-ed25519 AAAA b",)),
        Member(name="bob", subject="idp 1"),
    ):
        assert refused(book.add, double) == "member-conflict"
    book.add(Member(name="bob"))
    assert (
        refused(book.change, "bob", lambda member: msgspec.structs.replace(member, subject="idp 1"))
        == "member-conflict"
    )
    assert book.find("bob") == Member(name="bob")


def test_a_damaged_file_is_told_and_not_taken_for_nobody(book: MemberBook) -> None:
    book.add(Member(name="ada"))
    other, unknown, wrong = (
        '{"name": "bob"}',
        '{"name": "ada", "x": 1}',
        '{"name": "ada", "roles": {"*": "god"}}',
    )
    for content in ("", other, unknown, wrong):
        (book.folder / "ada.json").write_text(content)
        assert refused(book.find, "ada") == "member-damaged"
        assert refused(book.members) == "member-damaged"


def test_a_book_that_cannot_be_read_is_not_an_open_one(book: MemberBook) -> None:
    book.folder.write_text("no folder")
    assert not book.is_open
    with pytest.raises(OutsideError):
        book.members()


WRITER = """
import sys
from pathlib import Path
import msgspec
from lockgate.hub.directory import open_hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member
book = open_book(open_hub(Path(sys.argv[1])))
for number in range(30):
    name = f"p{sys.argv[2]}-{number}"
    book.change("ada", lambda m: msgspec.structs.replace(m, roles={**m.roles, name: "member"}))
    book.add(Member(name=name))
    assert len(book.members()) > number
"""


def test_processes_at_once_lose_nothing(hub: Hub, book: MemberBook) -> None:
    book.add(Member(name="ada"))
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(hub.root), str(n)], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    while any(writer.poll() is None for writer in writers):
        assert book.require("ada").name == "ada"
    for writer in writers:
        _, error = writer.communicate()
        assert writer.returncode == 0, error.decode()
    assert len(book.require("ada").roles) == 120
    assert len(book.members()) == 121


def test_passwords(book: MemberBook) -> None:
    book.add(Member(name="ada", roles={"flights": "lead"}))
    assert by_password(book, "ada", PASSWORD) is None
    set_password(book, "ada", PASSWORD)
    assert PASSWORD not in (book.folder / "ada.json").read_text()
    actor = by_password(book, "ada", PASSWORD)
    assert actor is not None
    assert may(actor, "change-settings", "flights")
    assert by_password(book, "ada", PASSWORD + "!") is None
    assert by_password(book, "ada", "") is None
    assert by_password(book, "bob", PASSWORD) is None
    assert by_password(book, "../ada", PASSWORD) is None
    assert by_password(book, "ada", "x" * 5000) is None
    book.change("ada", lambda member: msgspec.structs.replace(member, is_active=False))
    assert by_password(book, "ada", PASSWORD) is None
    assert refused(by_name, book, "ada") == "member-inactive"


def test_a_weak_digest_is_replaced_at_the_next_login(book: MemberBook) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=64).hash(PASSWORD)
    book.add(Member(name="ada", password=weak))
    assert by_password(book, "ada", PASSWORD) is not None
    assert book.require("ada").password != weak
    assert by_password(book, "ada", PASSWORD) is not None


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaa", "ada-lovelace", "x" * 1025])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(UserError, match="password"):
        hash_password(password, ("Ada-Lovelace",))


def test_a_name_nobody_has_takes_as_long_as_a_wrong_password(book: MemberBook) -> None:
    book.add(Member(name="ada", password=hash_password(PASSWORD)))

    def least(name: str) -> float:
        """The least of several: what other processes take of the machine adds, and never takes away."""
        times = []
        for _ in range(7):
            began = time.process_time()
            assert by_password(book, name, "a wrong password") is None
            times.append(time.process_time() - began)
        return min(times)

    by_password(book, "ada", "to warm up")
    known, unknown = least("ada"), least("bob")
    assert unknown > known * 0.6
    assert known > unknown * 0.6


def test_tokens(hub: Hub, book: MemberBook) -> None:
    (hub.repositories / "flights.git").mkdir()
    book.add(Member(name="ada", roles={"*": "lead"}))
    token, secret = issue(book, "ada", "laptop", "write", ["flights"], 30)
    assert len(secret) == len("lgt_") + 10 + 1 + 43
    assert secret not in (book.folder / "ada.json").read_text()
    assert token.digest == digest_of(secret)
    actor = by_token(book, secret)
    assert actor is not None
    assert may(actor, "push", "flights")
    assert not may(actor, "push", "ships")
    assert not may(actor, "invite", "flights")
    for wrong in ("", "lgt_", secret[:-1], secret[:-1] + ("a" if secret[-1] != "a" else "b"), secret + "a"):
        assert by_token(book, wrong) is None
    assert refused(issue, book, "ada", "laptop", "read") == "token-exists"
    assert refused(issue, book, "ada", "x", "read", ["nosuch"]) == "project-unknown"
    assert refused(issue, book, "ada", "x", "read", None, 0) == "token-days"
    assert refused(issue, book, "bob", "x", "read") == "member-unknown"
    assert refused(revoke, book, "ada", "other") == "token-unknown"
    assert revoke(book, "ada", "laptop") == token
    assert by_token(book, secret) is None


def test_a_token_ends_by_time_and_with_its_member(book: MemberBook) -> None:
    book.add(Member(name="ada"))
    _, secret = issue(book, "ada", "ci", "read", None, 1)
    assert by_token(book, secret) is not None

    def outdate(member: Member) -> Member:
        old = tuple(msgspec.structs.replace(t, expires_at="2020-01-01T00:00:00Z") for t in member.tokens)
        return msgspec.structs.replace(member, tokens=old)

    book.change("ada", outdate)
    assert by_token(book, secret) is None
    _, again = issue(book, "ada", "ci", "read")
    assert [token.name for token in book.require("ada").tokens] == ["ci"]
    book.change("ada", lambda member: msgspec.structs.replace(member, is_active=False))
    assert by_token(book, again) is None


def test_the_projects_somebody_has_a_part_in(hub: Hub) -> None:
    for name in ("a", "b", "c"):
        (hub.repositories / f"{name}.git").mkdir()
    assert projects_of(hub, Member(name="ada", roles={"a": "lead", "gone": "lead"})) == ("a",)
    assert projects_of(hub, Member(name="ada", parties={"c": ("it",)}, roles={"a": "lead"})) == ("a", "c")
    assert projects_of(hub, Member(name="ada", roles={"*": "viewer"})) == ("a", "b", "c")


def test_members_are_known_without_what_is_heavy() -> None:
    code = (
        "import sys, lockgate.hub.members.authenticate as _, lockgate.hub.pushing.entitlement as _\n"
        "heavy = ('argon2', 'sqlalchemy', 'pygit2', 'litestar', 'cryptography')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "[]\n"
