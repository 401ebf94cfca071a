from __future__ import annotations

import pytest

from lockgate.activity.execution import CODE, OUTPUT, Execution, Picture, entry_of, mark_of, title_of


def done(code: str, **more: object) -> Execution:
    return Execution(code=code, started_at=1_780_000_000.0, seconds=0.5, status="ok", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "mark"),
    [
        ("# lockgate: hide\nx", "hide"),
        ("x\n  #lockgate:ignore  ", "ignore"),
        ("# lockgate: hide\n# lockgate: ignore", "ignore"),
        ("-- lockgate: hide", "hide"),
        ("print('# lockgate: hide')", None),
        ("# lockgate: hidden", None),
    ],
)
def test_a_comment_hides_or_ignores(code: str, mark: str | None) -> None:
    assert mark_of(code) == mark


def test_an_entry_holds_code_output_and_pictures_without_secrets() -> None:
    cell = done(
        "plot('hunter22')",
        text="hunter22\n",
        error="ValueError: hunter22",
        pictures=(Picture("image/png", b"\x89PNG"),),
        notebook="a/b.ipynb",
        cell="c1",
        count=3,
    )
    activity, files = entry_of(cell, "ana", "a" * 40, ["hunter22"])
    assert files == {
        CODE: "plot('‹secret›')".encode(),
        OUTPUT: "‹secret›\n".encode(),
        "pictures/0.png": b"\x89PNG",
    }
    assert (activity.title, activity.commit, activity.by) == (
        "b.ipynb [3]: plot('‹secret›')",
        "a" * 40,
        "ana",
    )
    assert activity.evidence["error"] == "ValueError: ‹secret›"
    assert activity.evidence["pictures"] == [{"file": "pictures/0.png", "type": "image/png"}]


def test_what_is_hidden_is_kept_without_its_output() -> None:
    cell = done("# lockgate: hide\nx", text="much", error="E: x", pictures=(Picture("image/png", b"x"),))
    activity, files = entry_of(cell, "ana", None, [])
    assert list(files) == [CODE]
    assert activity.evidence["is_hidden"] is True
    assert "error" not in activity.evidence


def test_a_title_is_the_first_line_that_does_something() -> None:
    assert title_of("# why\n\n  x = 1\ny", "d/n.ipynb", 2) == "n.ipynb [2]: x = 1"
    assert title_of("show(\n  # why\n  plot(\n    'a.png',\n", None, 1) == "console [1]: show(plot('a.png',"
    assert title_of("# only\n", None, None) == "console: # only"
    assert len(title_of("é" * 500, "n.ipynb", 1)) < 130
