"""Changes of rights: done, and appended to the chains they concern."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import msgspec
import pytest

from lockgate.activity import chain
from lockgate.errors import UserError
from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.members.acting import MEMBER, SCOPE, actor_in, environment_of
from lockgate.hub.members.book import MemberBook, open_book
from lockgate.hub.members.changes import change, give_token, invite, remove, take_token
from lockgate.hub.members.edits import Edit, edited
from lockgate.hub.members.values import OWNER, Actor, Member
from lockgate.hub.worktree.admission import admit

LEAD = Actor(name="ada", roles={"flights": "lead"})


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = create_hub(tmp_path / "hub")[0]
    admit(hub, "flights")
    admit(hub, "ships")
    return hub


@pytest.fixture
def book(hub: Hub) -> MemberBook:
    book = open_book(hub)
    invite(book, OWNER, Member(name="ada", roles={"flights": "lead"}))
    return book


def told(hub: Hub, project: str = "flights") -> list[str]:
    entries = [activity for _, activity in chain.read(hub.repository(project))]
    return [f"{entry.kind}: {entry.title}" for entry in entries[::-1]][1:]


def test_every_change_is_told_where_it_matters(hub: Hub, book: MemberBook) -> None:
    invite(book, LEAD, Member(name="bob", roles={"flights": "member"}, parties={"flights": ("it",)}))
    change(book, LEAD, "bob", lambda m: edited(m, Edit(role="viewer", projects=("flights",))))
    change(book, OWNER, "bob", lambda m: edited(m, Edit(role="viewer", projects=("ships",))))
    change(book, OWNER, "bob", lambda m: edited(m, Edit(password="digest")))
    change(book, OWNER, "bob", lambda m: m)
    _, secret = give_token(book, OWNER, "bob", "ci", "read")
    take_token(book, OWNER, "bob", "ci")
    remove(book, OWNER, "bob")
    assert told(hub) == [
        "member.invited: owner invited ada as lead",
        "member.invited: ada invited bob as member, signing off for it",
        "member.changed: ada changed what bob may do: member → viewer, signing off for it",
        "member.changed: owner changed of bob: password",
        "member.changed: owner gave bob the token ci (read)",
        "member.changed: owner revoked the token ci of bob",
        "member.removed: owner removed bob from the hub",
    ]
    assert told(hub, "ships") == [
        "member.changed: owner changed what bob may do: none → viewer",
        *told(hub)[3:],
    ]
    entries = [activity for _, activity in chain.read(hub.repository("flights"))][::-1]
    assert entries[3].evidence == {
        "member": "bob",
        "before": {"role": "member", "parties": ["it"]},
        "after": {"role": "viewer", "parties": ["it"]},
    }
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert [entry.evidence.get("account") for entry in entries[1:]] == [own, None, None, *[own] * 4]
    assert secret not in str(entries)
    assert "digest" not in str(entries)


def test_what_may_not_be_is_not_done_and_names_whom_to_ask(hub: Hub, book: MemberBook) -> None:
    before = told(hub)
    bob = Actor(name="bob", roles={"flights": "member"})
    with pytest.raises(UserError) as caught:
        invite(book, bob, Member(name="eve", roles={"flights": "lead"}))
    assert caught.value.hint == "Ask a lead of the project (ada)."
    with pytest.raises(UserError, match="may not"):
        change(book, bob, "ada", lambda m: edited(m, Edit(role="none", projects=("flights",))))
    with pytest.raises(UserError, match="may not"):
        give_token(book, bob, "ada", "mine", "admin")
    with pytest.raises(UserError, match="may not"):
        remove(book, LEAD, "ada")
    with pytest.raises(UserError, match="no project"):
        invite(book, OWNER, Member(name="eve", roles={"nosuch": "lead"}))
    assert [member.name for member in book.members()] == ["ada"]
    assert told(hub) == before


def test_an_operator_is_told_of_in_every_project(hub: Hub, book: MemberBook) -> None:
    change(book, OWNER, "ada", lambda m: edited(m, Edit(is_operator=True)))
    words = "member.changed: owner changed what ada may do: lead → lead and operator"
    assert told(hub)[-1] == words
    assert len(told(hub, "ships")) == 1


def test_who_acts_is_handed_to_the_hooks(hub: Hub, book: MemberBook) -> None:
    assert actor_in(book, {}) == OWNER
    assert environment_of(OWNER) == {}
    ada = actor_in(book, {MEMBER: "ada"})
    assert ada == msgspec.structs.replace(LEAD)
    narrowed = msgspec.structs.replace(ada, scope="write")
    assert actor_in(book, environment_of(narrowed)) == narrowed
    for wrong, code in (
        ({MEMBER: "eve"}, "member-unknown"),
        ({MEMBER: "../ada"}, "member-unknown"),
        ({MEMBER: "ada", SCOPE: "all"}, "scope-unknown"),
    ):
        with pytest.raises(UserError) as caught:
            actor_in(book, wrong)
        assert caught.value.code == code


def test_a_hub_without_members_takes_the_name_it_is_given(tmp_path: Path) -> None:
    book = open_book(create_hub(tmp_path / "open")[0])
    assert actor_in(book, {MEMBER: "whoever"}) == Actor(name="whoever", is_owner=True)
