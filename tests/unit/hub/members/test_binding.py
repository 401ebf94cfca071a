"""Whose login it is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.members.binding import Login, bind, free_name
from lockgate.hub.members.names import is_name
from lockgate.hub.members.values import Member

ADA = Member(name="ada", email="ada@example.org")
BOUND = Member(name="bob", email="bob@example.org", subject="idp 2")
LOGIN = Login(subject="idp 1", email="Ada@example.org", is_email_verified=True, wished_name="ada")


def refused(login: Login, new_members: str = "none", *members: Member) -> str:
    with pytest.raises(UserError) as caught:
        bind(members or (ADA, BOUND), login, new_members)
    return str(caught.value.code)


def test_a_subject_counts_before_an_address() -> None:
    login = msgspec.structs.replace(LOGIN, subject="idp 2")
    assert bind((ADA, BOUND), login, "none").member == BOUND
    assert bind((ADA, BOUND), login, "none").change == "none"


def test_a_verified_address_binds_once() -> None:
    found = bind((ADA, BOUND), LOGIN, "none")
    assert (found.member.name, found.member.subject, found.change) == ("ada", "idp 1", "bind")
    other = Login(subject="idp 3", email="bob@example.org", is_email_verified=True)
    assert refused(other) == "member-conflict"
    assert refused(other, "viewer") == "member-conflict"


def test_an_address_nobody_vouches_for_says_nothing() -> None:
    login = msgspec.structs.replace(LOGIN, is_email_verified=False)
    assert refused(login) == "login-unknown"
    new = bind((ADA, BOUND), login, "viewer")
    assert (new.member.name, new.member.email, new.member.roles) == ("ada-2", "", {"*": "viewer"})
    assert refused(Login(subject="idp 9", email="", is_email_verified=True), "none", Member(name="x")) == (
        "login-unknown"
    )


def test_a_name_binds_where_names_are_the_same() -> None:
    login = Login(subject="jh ada", wished_name="ada", known_by="name")
    found = bind((ADA, BOUND), login, "none")
    assert (found.member.name, found.member.subject, found.change) == ("ada", "jh ada", "bind")
    assert refused(msgspec.structs.replace(login, subject="jh bob", wished_name="bob")) == "member-conflict"
    assert refused(msgspec.structs.replace(login, wished_name="Ada")) == "login-unknown"
    for wished in ("", "owner", "ada@example.org", "hub"):
        stranger = msgspec.structs.replace(login, wished_name=wished)
        assert refused(stranger) == "login-unknown"
        assert bind((ADA, BOUND), stranger, "viewer").change == "add"


def test_a_name_says_nothing_where_nobody_says_that_they_are_the_same() -> None:
    login = Login(subject="jh ada", wished_name="ada", known_by="nothing")
    assert refused(login) == "login-unknown"
    assert bind((ADA, BOUND), login, "viewer").member.name == "ada-2"
    vouched = msgspec.structs.replace(login, email="ada@example.org", is_email_verified=True)
    assert refused(vouched) == "login-unknown"


def test_who_is_no_member_is_told_what_to_do() -> None:
    def hint(login: Login) -> str:
        with pytest.raises(UserError) as caught:
            bind((BOUND,), login, "none")
        return str(caught.value.hint)

    assert "(ada@example.org)" in hint(LOGIN)
    assert "by your name there: eve" in hint(Login(subject="j", wished_name="eve", known_by="name"))
    for login in (
        Login(subject="j", wished_name="Eve <x>", known_by="name"),
        Login(subject="j", wished_name="eve", known_by="nothing"),
    ):
        assert "operator" in hint(login)


def test_the_inactive_stay_out() -> None:
    gone = msgspec.structs.replace(ADA, is_active=False)
    assert refused(LOGIN, "viewer", gone) == "member-inactive"
    assert refused(LOGIN, "viewer", msgspec.structs.replace(gone, subject="idp 1")) == "member-inactive"


@given(st.text(), st.text(), st.sets(st.sampled_from(["ada", "member", "member-2", "a"])))
def test_a_new_name_is_one_and_is_free(wished: str, email: str, taken: set[str]) -> None:
    name = free_name(Login(subject="s", wished_name=wished, email=email), taken)
    assert is_name(name)
    assert name not in taken


@given(st.text(), st.text(), st.booleans(), st.text())
def test_a_login_never_makes_more_than_a_viewer(
    subject: str, email: str, is_verified: bool, wished: str
) -> None:
    login = Login(subject=subject, email=email, is_email_verified=is_verified, wished_name=wished)
    try:
        found = bind((ADA, BOUND), login, "viewer")
    except UserError:
        return
    if found.change == "add":
        assert found.member.roles == {"*": "viewer"}
        assert not found.member.is_operator
