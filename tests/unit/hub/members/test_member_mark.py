"""By what a member is told from another of the name."""

from __future__ import annotations

from msgspec.structs import replace

from lockgate.hub.members.mark import mark_of, subject_of
from lockgate.hub.members.values import Member

ADA = Member(name="ada", id="5f", created_at="2026-11-26T09:00:00Z")


def test_another_of_the_name_has_another_mark_even_within_the_second() -> None:
    again = replace(ADA, id="6a")
    assert mark_of(again) != mark_of(ADA)
    assert subject_of(again) != subject_of(ADA)


def test_a_password_changes_the_mark_and_not_who_it_is() -> None:
    known = replace(ADA, password="digest")
    assert mark_of(known) != mark_of(ADA)
    assert subject_of(known) == subject_of(ADA)


def test_what_else_changes_of_a_member_leaves_the_mark() -> None:
    changed = replace(ADA, email="ada@example.org", roles={"*": "lead"}, subject="idp 1")
    assert mark_of(changed) == mark_of(ADA)
