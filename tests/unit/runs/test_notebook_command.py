from __future__ import annotations

import json
import shlex

import pytest

from lockgate.project.pipeline import Scalar, Stage
from lockgate.runs.notebook import implied_makes, notebook_command


def stage(notebook: str | None, *makes: str) -> Stage:
    return Stage(name="s", group="s", notebook=notebook, makes=makes)


@pytest.mark.parametrize(
    ("makes", "expected"),
    [
        ((), ("a/b.executed.ipynb", "a/b.html")),
        (("report.html", "other.html"), ("a/b.executed.ipynb", "report.html")),
        (("x.csv", "out/done.ipynb"), ("out/done.ipynb", "a/b.html")),
        (("a/b.ipynb",), ("a/b.executed.ipynb", "a/b.html")),
    ],
)
def test_a_notebook_makes_its_copy_and_its_page(makes: tuple[str, ...], expected: tuple[str, str]) -> None:
    implied = implied_makes(stage("a/b.ipynb", *makes))
    assert implied == expected
    assert implied_makes(stage("a/b.ipynb", *makes, *implied)) == expected


def test_a_command_makes_only_what_it_says() -> None:
    assert implied_makes(stage(None, "a.ipynb")) == ()


def test_the_command_survives_the_shell() -> None:
    params: dict[str, Scalar] = {"name": 'it\'s $HOME "ü"', "depth": 4, "is_on": True, "rate": 0.5}
    words = shlex.split(notebook_command("my report.ipynb", (), params))
    assert words[:5] == [
        "python",
        "../programs/notebook.py",
        "my report.ipynb",
        "my report.executed.ipynb",
        "my report.html",
    ]
    assert words[5] == "--parameters"
    assert json.loads(words[6]) == params


def test_without_parameters_none_are_passed() -> None:
    assert (
        notebook_command("r.ipynb", ("p.html",), {})
        == "python ../programs/notebook.py r.ipynb r.executed.ipynb p.html"
    )


def test_the_order_of_parameters_does_not_change_the_command() -> None:
    assert notebook_command("r.ipynb", (), {"a": 1, "b": 2}) == notebook_command(
        "r.ipynb", (), {"b": 2, "a": 1}
    )
