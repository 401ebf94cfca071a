"""Answers of the verbs: values by name, a text, and HTML in which nothing is more than text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.notebook.answer import Answer, Table, View
from lockgate.notebook.progress import Course
from lockgate.notebook.views import view_of

OURS = {"div", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "progress", "em", "span"}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


@given(st.text(), st.text())
def test_no_text_becomes_markup(one: str, other: str) -> None:
    hostile = f"<script>{one}</script><img src=x onerror={other}>"
    view = View(hostile, [hostile], [Table(hostile, (hostile, one), [(other, hostile)])])
    tags = Tags(view.as_html)
    assert tags.found <= OURS
    assert tags.attributes <= {"class", "style", "scope"}


def test_a_bar_escapes_the_names_of_stages() -> None:
    course = Course()
    course.take({"kind": "planned", "run": 'a"<b>', "total": 2})
    course.take({"kind": "running", "stage": "<script>", "total": 2})
    tags = Tags(course.as_html)
    assert tags.found <= OURS
    assert tags.attributes <= {"class", "aria-label", "value", "max"}


def test_a_course_counts_and_names_what_runs() -> None:
    course = Course()
    for news in (
        {"run": "01ABCDEFGH", "project": "p"},
        {"kind": "planned", "run": "01ABCDEFGH", "total": 4},
        {"kind": "cached", "stage": "a", "settled": 1, "total": 4},
        {"kind": "running", "stage": "b"},
        {"kind": "progress", "stage": "b", "words": "half way"},
    ):
        course.take(news)
    assert course.as_text.startswith("run ABCDEFGH ██████░")
    assert course.as_text.endswith("1/4 b half way")
    course.take({"kind": "ended", "state": "failed", "settled": 2})
    assert course.as_text.endswith("2/4 failed")


def test_an_answer_gives_its_values_by_name_and_cannot_be_changed() -> None:
    answer = Answer({"line": {"state": "failed"}, "stages": [{"name": "a"}]}, View("x"))
    assert answer.line.state == "failed"
    assert answer["stages"][0].name == "a"
    assert list(answer) == ["line", "stages"]
    with pytest.raises(AttributeError, match="read only"):
        answer.line = 1
    with pytest.raises(AttributeError, match="has no nothing"):
        _ = answer.nothing
    with pytest.raises(AttributeError, match="it has state"):
        _ = answer.line.nothing


def test_a_table_is_cut_and_says_so() -> None:
    view = View("x", (), [Table("", ("a",), [(str(n),) for n in range(1000)])])
    assert "… and 800 more" in view.as_text
    assert "(200 of 1000 shown)" in view.as_html


@pytest.mark.parametrize(
    "value", [None, [], {}, "x", 3, [1, "b"], [{"a": 1}, {"b": [2]}], {"a": {"b": None}}]
)
def test_any_answer_can_be_shown(value: object) -> None:
    view = view_of(["data", "anything"], value)
    assert view.as_text
    assert Tags(view.as_html).found <= OURS


def test_a_state_has_a_mark_beside_its_word() -> None:
    html = View("x", (), [Table("", ("State",), [("failed",), ("waiting",)])]).as_html
    assert '<span aria-hidden="true">✗</span> failed' in html
    assert ">waiting<" in html


def test_a_status_tells_what_would_run_and_why() -> None:
    stages = [{"name": "a", "reason": "never run"}, {"name": "b", "reason": "cached", "reused": {"run": "x"}}]
    text = view_of(["status"], {"stages": stages, "notes": ["edited by hand"]}).as_text
    assert text.splitlines()[:2] == ["1 of 2 stages would run", "edited by hand"]
    assert "a      yes  never run" in text
