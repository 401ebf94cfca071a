"""Notes as an observer leaves them, and what they are taken to mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.observation import Declared, Observation, Use, in_words, left_over, observation

JOB = "c/job/workspace"
KNOWN = ("train.py", "data/a.csv", "settings.ini", "build/o")


def observed(
    *calls: str,
    variables: Sequence[str] = (),
    needs: Sequence[str] | None = ("train.py", "data/"),
    placed: Collection[str] = ("train.py", "data/a.csv", "data/b.csv"),
    allowed: Collection[str] = (),
) -> Observation:
    return observation(
        b"".join(call.encode() + b"\0" for call in calls),
        b"".join(text.encode() + b"\0" for text in variables),
        Declared(
            needs=needs,
            placed=placed,
            known=KNOWN.__contains__,
            makes=("build/o",),
            given={"PATH"},
            allowed=allowed,
        ),
    )


def test_inputs_read_are_told_and_what_was_made_on_the_way_is_nobodys_concern() -> None:
    seen = observed(
        JOB, "r/job/workspace/train.py", "r/job/workspace/data/a.csv", "w/job/workspace/build/o",
        "r/job/workspace/made-on-the-way", "m/job/workspace/build/o", "m/job/workspace/of-nobody", "s12", ".",
    )  # fmt: skip
    assert seen == Observation(read=("data/a.csv", "train.py"), software_count=12)


def test_what_lies_outside_or_is_not_placed_is_undeclared_in_the_order_of_use() -> None:
    seen = observed(
        JOB, "r/data/x.csv", "m/job/workspace/settings.ini", "w/tmp/scratch", "w/data/log", "h10.0.0.1:80",
        "nexample.org", "r/data/x.csv", "u3", ".",
    )  # fmt: skip
    assert [(use.what, use.how) for use in seen.undeclared] == [
        ("/data/x.csv", "read"),
        ("settings.ini", "asked for, and not there"),
        ("/data/log", "written"),
        ("host:10.0.0.1:80", "called"),
        ("host:example.org", "looked up"),
    ]
    assert seen.unseen_count == 3
    assert seen.unread == ("train.py", "data/")


def test_a_variable_read_by_the_projects_code_is_undeclared_one_read_by_a_library_is_told() -> None:
    seen = observed(
        JOB, "pPATH", "pUSER_TOKEN", ".",
        variables=("eUSER_TOKEN\ntrain.py:3", "aDEBUG\ntrain.py:4", "aTMP", "ePATH\ntrain.py:5"),
    )  # fmt: skip
    assert [in_words(use) for use in seen.undeclared] == [
        "read the variable USER_TOKEN (train.py:3)",
        "read the variable DEBUG (train.py:4, not set)",
    ]
    assert seen.variables == ("DEBUG", "TMP", "USER_TOKEN")
    assert seen.visible == ("USER_TOKEN",)


def test_what_the_project_allows_is_told_apart() -> None:
    seen = observed(
        JOB, "r/data/x.csv", "h10.0.0.1:80", ".", variables=("aDEBUG\nt.py:1",), allowed=("/data/*", "env:D*")
    )
    assert [use.what for use in seen.undeclared] == ["host:10.0.0.1:80"]
    assert [use.what for use in seen.allowed] == ["/data/x.csv", "env:DEBUG"]


def test_a_need_counts_as_read_by_any_of_its_files() -> None:
    files = ("train.py", "data/a.csv", "data/b.csv", "raw/c.csv")
    seen = observed(
        JOB, "r/job/workspace/train.py", "r/job/workspace/data/a.csv", ".",
        needs=("train.py", "data", "raw/*.csv", "nothing/"), placed=files,
    )  # fmt: skip
    assert seen.unread == ("raw/*.csv",)
    whole = observed(JOB, "r/job/workspace/train.py", ".", needs=None, placed=files)
    assert whole.unread == ()
    assert whole.read == ("train.py",)


def test_a_killed_job_tells_what_it_noted_by_then() -> None:
    seen = observation(
        b"c/job/workspace\0r/data/x.csv\0r/data/half-of-a-na",
        b"",
        Declared(needs=(), placed=(), known=lambda _: False, makes=(), given=()),
    )
    assert seen == Observation(undeclared=(Use("/data/x.csv", "read"),), is_cut_short=True)


@pytest.mark.parametrize(("notes", "fault"), [(("!no seccomp",), "no seccomp"), ((), "it left no notes")])
def test_where_nothing_was_observed_the_reason_is_told_and_no_need_is_blamed(
    notes: tuple[str, ...], fault: str
) -> None:
    assert observed(*notes) == Observation(fault=fault)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_taken(calls: bytes, variables: bytes) -> None:
    observation(
        calls, variables, Declared(needs=("a",), placed=("a",), known=lambda _: True, makes=(), given=())
    )


def test_a_pattern_with_a_star_allows_any_folder_below() -> None:
    uses = (Use("/data/deep/x", "read"), Use("/database", "read"))
    assert left_over(uses, ["/data/*"]) == uses[1:]
