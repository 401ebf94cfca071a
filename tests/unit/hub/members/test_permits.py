"""Which changes of members somebody may make."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.members.edits import Edit, edited
from lockgate.hub.members.overview import overview
from lockgate.hub.members.permits import (
    changed_projects,
    require_addition,
    require_change,
    require_removal,
)
from lockgate.hub.members.values import OWNER, Actor, Member, Token

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f bob@home"
LEAD = Actor(name="ada", roles={"flights": "lead", "ships": "member"})
OPERATOR = Actor(name="opa", is_operator=True)
BOB = Member(name="bob", email="bob@example.org", roles={"flights": "member", "ships": "member"})
TOKEN = Token(id="a", name="t", digest="", scope="read", created_at="")
NOT_ROLES = [
    Edit(email="x@example.org"),
    Edit(full_name="Bob"),
    Edit(is_operator=True),
    Edit(is_active=False),
    Edit(password="digest"),
    Edit(add_keys=(KEY,)),
]


def allows(actor: Actor | None, edit: Edit, member: Member = BOB) -> bool:
    try:
        require_change(actor, member, edited(member, edit))
    except UserError as error:
        assert error.code == "not-allowed"
        return False
    return True


def test_a_lead_gives_roles_and_parties_in_their_project_alone() -> None:
    assert allows(LEAD, Edit(role="lead", projects=("flights",)))
    assert allows(LEAD, Edit(role="none", projects=("flights",)))
    assert allows(LEAD, Edit(add_parties=("it",), projects=("flights",)))
    assert not allows(LEAD, Edit(role="lead", projects=("ships",)))
    assert not allows(LEAD, Edit(role="lead", projects=("*",)))
    assert not allows(LEAD, Edit(add_parties=("it",), projects=("flights", "ships")))
    assert not allows(msgspec.structs.replace(LEAD, scope="write"), Edit(role="lead", projects=("flights",)))


@pytest.mark.parametrize("edit", NOT_ROLES)
def test_a_lead_changes_nothing_else_of_others_and_an_operator_does(edit: Edit) -> None:
    assert not allows(LEAD, edit)
    assert not allows(None, edit)
    assert allows(OPERATOR, edit)
    assert allows(OWNER, edit)
    assert not allows(msgspec.structs.replace(OPERATOR, scope="write"), edit)


def test_members_change_how_they_show_who_they_are_and_not_who_they_are() -> None:
    me = Actor(name="bob", roles=BOB.roles)
    assert [allows(me, edit) for edit in NOT_ROLES] == [False, True, False, False, True, True]
    given = msgspec.structs.replace(BOB, tokens=(TOKEN,))
    require_change(me, BOB, given)
    for token in (
        msgspec.structs.replace(me, scope="write"),
        msgspec.structs.replace(me, projects=("flights",)),
    ):
        with pytest.raises(UserError):
            require_change(token, BOB, given)


def test_a_lead_invites_into_their_project_and_an_operator_anywhere() -> None:
    new = Member(name="new", email="n@example.org", roles={"flights": "member"})
    require_addition(LEAD, new)
    for other in (
        Member(name="new"),
        msgspec.structs.replace(new, is_operator=True),
        msgspec.structs.replace(new, subject="idp 1"),
        msgspec.structs.replace(new, tokens=(TOKEN,)),
        msgspec.structs.replace(new, roles={"flights": "member", "ships": "viewer"}),
        msgspec.structs.replace(new, roles={"*": "viewer"}),
    ):
        with pytest.raises(UserError):
            require_addition(LEAD, other)
        require_addition(OPERATOR, other)
    with pytest.raises(UserError, match="nobody who is known"):
        require_addition(None, new)
    with pytest.raises(UserError, match="look after the hub"):
        require_removal(LEAD)
    require_removal(OPERATOR)


@given(
    st.sampled_from(["lead", "member", "viewer", "none", None]),
    st.lists(st.sampled_from(["flights", "ships", "*"]), unique=True).map(tuple),
    st.lists(st.sampled_from(["it", "law"])).map(tuple),
    st.lists(st.sampled_from(["it", "law"])).map(tuple),
)
def test_an_edit_changes_the_projects_named_and_no_other(
    role: str | None, projects: tuple[str, ...], gained: tuple[str, ...], lost: tuple[str, ...]
) -> None:
    edit = msgspec.convert(
        {"role": role, "projects": projects, "add_parties": gained, "drop_parties": lost}, Edit
    )
    after = edited(BOB, edit)
    assert set(changed_projects(BOB, after)) <= set(projects)
    assert edited(after, edit) == after
    assert changed_projects(after, BOB) == changed_projects(BOB, after)


def test_keys_come_and_go() -> None:
    member = edited(BOB, Edit(add_keys=(KEY, KEY)))
    assert member.keys == (KEY,)
    for name in ("bob@home", KEY, KEY.split()[1], " ".join(KEY.split()[:2])):
        assert edited(member, Edit(drop_keys=(name,))).keys == ()
    for name in ("ssh-ed25519", "bob", "", "A"):
        with pytest.raises(UserError, match="has no ssh key"):
            edited(member, Edit(drop_keys=(name,)))


def test_what_others_see_has_no_digest() -> None:
    secret = msgspec.structs.replace(TOKEN, digest="verysecret")
    member = Member(
        name="bob",
        roles={"*": "viewer", "a": "lead", "b": "lead"},
        is_operator=True,
        is_active=False,
        password="verysecret",
        tokens=(secret,),
        subject="idp 1",
        parties={"a": ("it", "law")},
    )
    shown = overview(member)
    assert b"verysecret" not in msgspec.json.encode(shown)
    assert shown.roles_text == "viewer of every project; lead of a, b; operator; inactive"
    assert shown.ways_text == "password, 1 token, login elsewhere"
    assert shown.parties_text == "it, law (a)"
    assert overview(Member(name="x")).roles_text == "no role"
