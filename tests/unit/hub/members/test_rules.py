"""Who may do what."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.members.rules import Action, actor_of, is_named, may, parties_of, refusal, require, role_of
from lockgate.hub.members.values import OWNER, ROLES, SCOPES, Actor, Member, Token

ACTIONS: tuple[Action, ...] = get_args(Action)
READS = ("read", "view-members")
PROJECTS = ("flights", "ships", "trains")

LEAD = Actor(name="ada", roles={"flights": "lead"})
MEMBER = Actor(name="bob", roles={"flights": "member"})
VIEWER = Actor(name="vic", roles={"flights": "viewer"})
OPERATOR = Actor(name="opa", is_operator=True)

actions = st.sampled_from(ACTIONS)
projects = st.sampled_from((*PROJECTS, None))
members = st.builds(
    Member,
    name=st.just("ada"),
    is_operator=st.booleans(),
    is_active=st.booleans(),
    roles=st.dictionaries(st.sampled_from((*PROJECTS, "*")), st.sampled_from(ROLES)),
)
tokens = st.builds(
    Token,
    id=st.just("a"),
    name=st.just("t"),
    digest=st.just(""),
    scope=st.sampled_from(SCOPES),
    projects=st.none() | st.lists(st.sampled_from(PROJECTS), min_size=1).map(tuple),
    created_at=st.just(""),
)


@pytest.mark.parametrize(
    ("action", "who"),
    [
        ("read", "ada bob vic"),
        ("view-members", "ada bob vic opa"),
        ("push", "ada bob"),
        ("run", "ada bob"),
        ("cancel", "ada bob"),
        ("rollback", "ada bob"),
        ("propose", "ada bob"),
        ("change-settings", "ada"),
        ("rewrite-default", "ada"),
        ("decide-proposal", "ada"),
        ("invite", "ada opa"),
        ("manage-backends", "ada opa"),
        ("add-project", "opa"),
        ("operate", "opa"),
    ],
)
def test_each_action_has_its_people(action: Action, who: str) -> None:
    found = [actor.name for actor in (LEAD, MEMBER, VIEWER, OPERATOR) if may(actor, action, "flights")]
    assert found == who.split()


@given(actions, projects)
def test_the_owner_may_do_all_and_nobody_nothing(action: Action, project: str | None) -> None:
    assert may(OWNER, action, project)
    assert not may(None, action, project)
    assert not may(Actor(name="new"), action, project)


@given(actions, projects, st.sampled_from(PROJECTS))
def test_a_viewer_never_writes(action: Action, project: str | None, seen: str) -> None:
    if may(Actor(name="vic", roles={seen: "viewer"}), action, project):
        assert action in READS
        assert project == seen


@given(members, tokens, actions, projects)
def test_a_token_only_narrows(member: Member, token: Token, action: Action, project: str | None) -> None:
    by_token = actor_of(member, token)
    if may(by_token, action, project):
        assert may(actor_of(member), action, project)
        assert token.projects is None or project in token.projects
        assert token.scope != "read" or action in READS


@given(members, tokens, tokens, actions, projects)
def test_a_lesser_scope_never_allows_more(
    member: Member, one: Token, other: Token, action: Action, project: str | None
) -> None:
    other = msgspec.structs.replace(other, projects=one.projects)
    if SCOPES.index(one.scope) <= SCOPES.index(other.scope) and may(actor_of(member, one), action, project):
        assert may(actor_of(member, other), action, project)


@given(members, actions, projects)
def test_an_inactive_member_is_nobody(member: Member, action: Action, project: str | None) -> None:
    gone = msgspec.structs.replace(member, is_active=False)
    assert actor_of(gone) is None
    assert not may(actor_of(gone), action, project)


@given(members, actions, projects)
def test_what_is_refused_is_refused_in_words(member: Member, action: Action, project: str | None) -> None:
    actor = actor_of(member)
    if may(actor, action, project):
        require(actor, action, project)
        return
    with pytest.raises(UserError) as caught:
        require(actor, action, project, ("lea",))
    assert caught.value.code == "not-allowed"
    assert "{}" not in caught.value.message + caught.value.hint


def test_a_role_by_name_counts_before_the_one_for_every_project() -> None:
    actor = Actor(name="ada", roles={"*": "lead", "ships": "viewer"})
    assert role_of(actor, "flights") == "lead"
    assert role_of(actor, "ships") == "viewer"
    assert not may(actor, "push", "ships")
    assert may(actor, "push", None)
    assert not may(LEAD, "push", None)


def test_parties_of_a_project_and_of_every_one_are_joined() -> None:
    actor = Actor(name="ada", parties={"flights": ("it", "data-steward"), "*": ("it", "law")})
    assert parties_of(actor, "flights") == ("it", "data-steward", "law")
    assert parties_of(actor, "ships") == ("it", "law")


def test_a_lead_pushes_as_a_lead_with_the_token_of_a_login() -> None:
    pushing = msgspec.structs.replace(LEAD, scope="write")
    assert may(pushing, "change-settings", "flights") and may(pushing, "decide-proposal", "flights")
    assert not may(pushing, "invite", "flights")


def test_a_refusal_names_the_leads_and_tells_a_token_from_a_role() -> None:
    by_role = refusal(MEMBER, "change-settings", "flights", ("ada", "lea"))
    assert by_role.message == "bob may not change the settings of flights: bob is a member there"
    assert by_role.hint == "Ask a lead of the project (ada, lea)."
    by_token = refusal(msgspec.structs.replace(LEAD, scope="write"), "invite", "flights")
    assert by_token.message == "the token of ada is not good to invite, change or remove members of flights"
    assert "`admin`" in by_token.hint
    assert refusal(None, "push", "flights").message == "nobody who is known may push to flights"


def test_an_owner_is_named_by_name_or_address() -> None:
    for said in ("ada", " Ada ", "ada@site.example", "Ada Byron <Ada@site.example>"):
        assert is_named(said, "ada", "ada@site.example"), said
    for said in ("", "bob", "ada byron", "bada", "ada@site.example.org", "nada@site.example"):
        assert not is_named(said, "ada", "ada@site.example"), said
    assert not is_named("", "ada", "") and not is_named("<>", "ada", "")
