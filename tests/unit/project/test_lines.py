"""Finding the line of a key."""

from __future__ import annotations

import tomli
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.lines import locate

TEXT = '''\
# a comment with [stages.train] in it
[project]
name = """
[stages.train]
"""  # still the name

[stages.train]
run = "x"
needs = [
  "a.py",  # the code ]
  'b # c',
  "d",
]
matrix = { depth = [4,
  8], "odd key" = [1] }
params.rate = 0.5
[stages."re.port"]
run = "y"

[[things]]
a = 1
[[things]]
a = 2
'''


def test_keys_are_found_however_they_are_written() -> None:
    assert locate(TEXT, ("project",)) == 2
    assert locate(TEXT, ("project", "name")) == 3
    assert locate(TEXT, ("stages",)) == 7
    assert locate(TEXT, ("stages", "train", "run")) == 8
    assert locate(TEXT, ("stages", "train", "needs")) == 9
    assert locate(TEXT, ("stages", "train", "needs", "0")) == 10
    assert locate(TEXT, ("stages", "train", "needs", "2")) == 12
    assert locate(TEXT, ("stages", "train", "matrix", "depth", "1")) == 15
    assert locate(TEXT, ("stages", "train", "matrix", "odd key")) == 15
    assert locate(TEXT, ("stages", "train", "params", "rate")) == 16
    assert locate(TEXT, ("stages", "re.port", "run")) == 18
    assert locate(TEXT, ("things", "1", "a")) == 23


def test_a_key_that_is_missing_gives_the_table_around_it() -> None:
    assert locate(TEXT, ("stages", "train", "makes")) == 7
    assert locate(TEXT, ("stages", "nothing")) == 7
    assert locate(TEXT, ("nothing",)) == 1
    assert locate(TEXT, ()) == 1
    assert locate("", ("a",)) == 1


def test_escapes_in_a_quoted_key_are_read() -> None:
    assert locate('\n"\\u0061\\tb" = 1', ("a\tb",)) == 2


def test_a_value_left_open_does_not_lead_astray() -> None:
    assert locate('a = "x\nb = 1', ("b",)) == 2


@given(st.text(alphabet="ab.=[]{}\"'\\#,\n 1"), st.lists(st.sampled_from(["a", "b", "0"]), max_size=3))
def test_any_text_has_an_answer(text: str, path: list[str]) -> None:
    assert 1 <= locate(text, tuple(path)) <= text.count("\n") + 1


names = st.text(alphabet="ab.é\"' #=[", max_size=4)
quoted = st.text(alphabet="a]}[{\"'#,\n=\\", max_size=6).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
)


@given(st.lists(st.tuples(names, st.lists(quoted, max_size=3)), unique_by=lambda pair: pair[0]))
def test_every_key_of_a_document_is_found_on_its_line(pairs: list[tuple[str, list[str]]]) -> None:
    lines = ["[t]"]
    expected = {}
    for name, items in pairs:
        key = '"' + name.replace('"', '\\"') + '"'
        expected[name] = len(lines) + 1
        lines += [f"{key} = [", *(f"  {item}," for item in items), "]"]
    text = "\n".join(lines)
    assert list(tomli.loads(text)["t"]) == list(expected)
    for name, items in pairs:
        assert locate(text, ("t", name)) == expected[name]
        for number in range(len(items)):
            assert locate(text, ("t", name, str(number))) == expected[name] + 1 + number
