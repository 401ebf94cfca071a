"""Which paths a pattern takes."""

from __future__ import annotations

import glob
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.project.globs import compile_glob, fixed_folder, is_glob, may_hold


@pytest.mark.parametrize(
    ("pattern", "path", "is_taken"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "data/a.csv", False),
        ("data/*.csv", "data/a.csv", True),
        ("data/*", "data/sub", True),
        ("data/*", "data/sub/a.csv", True),
        ("data/*.csv", "data/sub/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("data/**", "data/x/y", True),
        ("data/**", "data", False),
        ("data/**/a", "data/a", True),
        ("data/**/**/a", "data/x/y/z/a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c].py", "b.py", True),
        ("[!a-c].py", "b.py", False),
        ("[^a-c].py", "d.py", True),
        ("[[]x].py", "[x].py", True),
        ("a[/]b", "a/b", False),
        ("a[", "a[", True),
        ("a[]]", "a]", True),
        ("x.*", "xa", False),
        ("*", ".hidden", True),
        ("é*", "été", True),
        ("**", "a", True),
        ("a**b", "axxb", True),
        ("a**b", "ax/xb", False),
    ],
)
def test_patterns(pattern: str, path: str, is_taken: bool) -> None:
    assert compile_glob(pattern)(path) is is_taken


def test_only_marks_make_a_pattern() -> None:
    assert [is_glob(path) for path in ("a*", "a?", "a[b]", "a-b.csv")] == [True, True, True, False]


def test_the_folder_spelled_out_before_the_first_mark() -> None:
    assert fixed_folder("a/b/*.csv") == "a/b"
    assert fixed_folder("*.csv") == ""
    assert fixed_folder("a/*/c") == "a"
    assert fixed_folder("a/**") == "a"


def test_a_folder_may_hold_what_lies_deeper() -> None:
    assert may_hold("build/*/a.csv", "build/x")
    assert may_hold("build/**/a.csv", "build")
    assert not may_hold("**/a.csv", "build")
    assert not may_hold("build/*.csv", "other")
    assert not may_hold("build/*.csv", "build/x")


def test_no_pattern_runs_away() -> None:
    before = time.monotonic()
    for pattern in ("*a" * 30, "**/" * 30 + "x", "*?" * 30 + "b", "**/*a/" * 8 + "b"):
        compile_glob(pattern)("a" * 120)
        compile_glob(pattern)("/".join(["a"] * 60))
    assert time.monotonic() - before < 5


letters = st.text(alphabet="ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
paths = st.lists(letters, min_size=1, max_size=3).map("/".join)
parts = st.sampled_from(["*", "**", "?", "a*", "[ab]", "[!a]", "*b*", "a", "b", "??"])
patterns = st.lists(parts, min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None)
@given(st.sets(paths, max_size=6), patterns)
def test_files_are_taken_as_python_takes_them(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], pattern: str
) -> None:
    root = tmp_path_factory.mktemp("glob")
    made: set[str] = set()
    for name in sorted(names):
        target = root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        except (FileExistsError, NotADirectoryError):
            continue
        made.add(name)
    found = glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207 - Path.glob differs
    # Python's own gives `a/` for `a/**`, also where `a` is a file; here `a/**` is what lies in `a`.
    found = [each for each in found if each and not each.endswith("/")]
    taken = {name for name in made for each in found if f"{name}/".startswith(f"{each}/")}
    is_match = compile_glob(pattern)
    assert {name for name in made if is_match(name)} == taken


@given(st.text(), st.text())
def test_any_pattern_has_an_answer(pattern: str, path: str) -> None:
    assert compile_glob(pattern)(path) in (True, False)
    may_hold(pattern, path)
    fixed_folder(pattern)
