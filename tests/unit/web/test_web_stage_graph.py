"""The picture of a run's stages: each right of what it waits for."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from lockgate.hub.indexing.rows import JobRow
from lockgate.hub.showing.stage_layers import layers_of
from lockgate.hub.showing.stage_lines import note_of
from lockgate.web.pages.stage_graph import SHOWN_AT_MOST, Node, draw

NAMES = [f"s{number}" for number in range(9)]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=30))
def test_every_stage_stands_once_and_right_of_what_it_waits_for(pairs: list[tuple[str, str]]) -> None:
    upstream: dict[str, list[str]] = {}
    for first, second in pairs:
        if first < second:
            upstream.setdefault(second, []).append(first)
    layers = layers_of(NAMES, upstream)
    at = {name: column for column, layer in enumerate(layers) for name in layer}
    assert sorted(at) == NAMES
    assert all(at[other] < at[name] for name, others in upstream.items() for other in others)


def test_a_circle_ends_too() -> None:
    assert sorted(name for layer in layers_of(["a", "b"], {"a": ["b"], "b": ["a"]}) for name in layer) == [
        "a",
        "b",
    ]


def test_the_picture_says_states_in_words_and_links_to_logs() -> None:
    nodes = [
        Node("make", "succeeded", "its first run", "?stage=make"),
        Node('<b>"x"', "failed", "exit code 1", "?stage=x"),
    ]
    made = ElementTree.fromstring(draw(nodes, {'<b>"x"': ["make"]}))
    assert [a.get("aria-label") for a in made.iter("a")] == [
        "make: succeeded, its first run",
        '<b>"x": failed, exit code 1',
    ]
    assert len([path for path in made.iter("path") if path.get("class") == "edge"]) == 1


def test_too_many_stages_are_not_drawn() -> None:
    assert draw([Node(f"s{n}", "cached", "", "") for n in range(SHOWN_AT_MOST + 1)], {}) == ""


def test_a_stage_says_beside_its_state_why_it_ran() -> None:
    def note(state: str, reason: str, cause: str | None = None, waits_for: str | None = None) -> str:
        job = JobRow(
            stage="make",
            state=state,
            reason=reason,
            cause=cause,
            reused_from=None,
            started_at=None,
            ended_at=None,
            peak_memory_bytes=None,
            waits_for=waits_for,
        )
        return note_of(job)

    assert note("succeeded", "never run") == "its first run"
    assert note("succeeded", "code changed: make.py") == "code changed: make.py"
    assert note("submitted", "never run", waits_for="2 jobs are before it") == "2 jobs are before it"
    assert note("failed", "never run", cause="exit code 1") == "exit code 1"


def test_stages_of_a_matrix_can_be_told_apart_however_long_their_names_are() -> None:
    def names(*given: str) -> tuple[list[str], float]:
        made = ElementTree.fromstring(draw([Node(name, "succeeded", "", "") for name in given], {}))
        texts = [text.text or "" for text in made.iter("text") if text.get("class") == "title"]
        return texts, min(
            float(rect.get("width") or 0) for rect in made.iter("rect") if rect.get("rx") == "6"
        )

    short, short_wide = names("count", "draw")
    matrix, matrix_wide = names("train@depth=16,rate=0.01", "train@depth=16,rate=0.1")
    assert (short, matrix) == (["count", "draw"], ["train@depth=16,rate=0.01", "train@depth=16,rate=0.1"])
    assert matrix_wide > short_wide
    long, _ = names(*(f"train-with-every-carrier-there-is@depth=16,rate={rate}" for rate in ("0.01", "0.1")))
    assert len(set(long)) == 2
    assert all(len(name) <= 36 and name.startswith("train-with") for name in long)
