"""Charts are whole SVG with words for who cannot see them, and nothing in them acts."""

from __future__ import annotations

from xml.etree import ElementTree

from lockgate.web.pages.chart import Point, bar, line, spark

SVG = "{http://www.w3.org/2000/svg}"
EVIL = '"><script>alert(1)</script>'


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def test_a_line_says_its_values_in_words() -> None:
    made = parsed(line([Point("a", 1.0, "/x"), Point("b", 3.0), Point("c", 2.0)], "accuracy"))
    assert made.get("role") == "group"
    assert made.find("desc").text == "3 values from 1 to 2, least 1, largest 3"  # type: ignore[union-attr]
    assert [a.get("aria-label") for a in made.iter("a")] == ["a: 1"]
    heights = [float(circle.get("cy", "")) for circle in made.iter("circle")]
    assert heights[1] < heights[2] < heights[0]


def test_equal_and_single_values_are_drawn() -> None:
    for points in ([Point("a", 0.0)], [Point("a", 5.0), Point("b", 5.0)]):
        assert all("nan" not in circle.get("cy", "") for circle in parsed(line(points, "m")).iter("circle"))
    assert line([], "nothing") == ""


def test_a_spark_counts_states() -> None:
    made = parsed(spark([(1.0, "succeeded"), (2.0, "failed"), (0.0, "succeeded")], "Runs"))
    assert made.find("desc").text == "2 succeeded, 1 failed"  # type: ignore[union-attr]
    assert len(list(made.iter("rect"))) == 3


def test_a_bar_never_leaves_its_track() -> None:
    rect = list(parsed(bar(5.0, "running", 0.9)).iter("rect"))[1]
    assert float(rect.get("x", "")) + float(rect.get("width", "")) <= 200.01


def test_names_cannot_break_out() -> None:
    made = parsed(line([Point(EVIL, 1.0, EVIL, EVIL)], EVIL, EVIL))
    assert not list(made.iter("script"))
    assert "<script" not in spark([(1.0, EVIL)], EVIL)
    assert "<script" not in bar(0.5, EVIL)
