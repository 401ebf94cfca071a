"""An entry as JSON and as a commit message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.activity.chain import compose_message, parse, render
from lockgate.activity.entry import Activity

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
activities = st.builds(
    Activity,
    kind=texts,
    at=texts,
    by=texts,
    title=texts,
    ref=st.none() | texts,
    commit=st.none() | texts,
    run=st.none() | texts,
    evidence=st.dictionaries(texts, plain_json, max_size=3),
)


@given(activities)
def test_json_round_trip(activity: Activity) -> None:
    assert parse(render(activity)) == activity


@given(activities)
def test_a_message_has_a_title_and_no_forged_trailer(activity: Activity) -> None:
    lines = compose_message(activity).split("\n")
    assert lines[1] == ""
    assert lines[-1] == ""
    assert len(lines) <= 7
    assert all(line.startswith("Lockgate-") for line in lines[2:-1])
    assert all(line.isprintable() for line in lines)


def test_a_message_reads_well() -> None:
    activity = Activity(
        kind="run.finished",
        at="2026-03-01T08:00:00Z",
        by="ana",
        title="Trained\nLockgate-Run: forged \x1b[31m",
        ref="refs/heads/main",
        commit="c" * 40,
        run="01J8F3KQ2ZD",
    )
    assert compose_message(activity) == (
        "Trained Lockgate-Run: forged [31m\n"
        "\n"
        "Lockgate-Activity: run.finished\n"
        "Lockgate-Run: 01J8F3KQ2ZD\n"
        "Lockgate-Ref: refs/heads/main\n"
        f"Lockgate-Commit: {'c' * 40}\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"kind": 1}',
        b"\xff",
        b'{"format":2,"kind":"a","at":"b","by":"c","title":"d"}',
    ],
)
def test_no_entry(content: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        parse(content)
    assert str(caught.value)
