"""What a script's text tells of the files it reads and writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.reading import UNKNOWN, Use, python_use, r_use


def use(text: str) -> Use:
    found = python_use(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "reads", "writes"),
    [
        ("pd.read_csv('a.csv')", ("a.csv",), ()),
        ("pd.read_csv(filepath_or_buffer='a.csv')", ("a.csv",), ()),
        ("open('a')", ("a",), ()),
        ("open('a', 'w')", (), ("a",)),
        ("open('a', mode='ab')", (), ("a",)),
        ("open(file='a')", ("a",), ()),
        ("df.to_parquet('b/a.parquet')", (), ("b/a.parquet",)),
        ("joblib.dump(model, 'm.pkl')", (), ("m.pkl",)),
        ("joblib.load('m.pkl')", ("m.pkl",), ()),
        ("json.dump(x, open('m.json', 'w'))", (), ("m.json",)),
        ("json.load(open('m.json'))", ("m.json",), ()),
        ("plt.savefig(f'f/{n}.png')", (), (f"f/{UNKNOWN}.png",)),
        ("A = Path('data')\npd.read_csv(A / 'x' / 'y.csv')", ("data/x/y.csv",), ()),
        ("D = 'data'\npd.read_csv(f'{D}/y.csv')", ("data/y.csv",), ()),
        ("pd.read_csv(os.path.join('data', 'y.csv'))", ("data/y.csv",), ()),
        ("Path('a').read_text()\nPath('b').write_bytes(b'')", ("a",), ("b",)),
        ("Path('a').open('w')", (), ("a",)),
        ("print('a')", (), ()),
    ],
)
def test_python(code: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> None:
    found = use(code)
    assert (found.reads, found.writes, found.has_unknown) == (reads, writes, False)


def test_a_read_that_is_not_spelled_out_is_told() -> None:
    assert use("pd.read_csv(sys.argv[1])").has_unknown
    assert not use("df.to_csv(sys.argv[1])").has_unknown


def test_imports_are_listed() -> None:
    assert use(
        "import a.b, c\nfrom d import e\nfrom .f import g\nfrom . import h\nfrom i import *"
    ).imports == (
        "a.b",
        "c",
        "d",
        "d.e",
        ".f",
        ".f.g",
        ".h",
        "i",
    )


@pytest.mark.parametrize(
    ("code", "does_something"),
    [
        ("'''words'''\nimport a\nX = 1\ndef f(): g()\nclass C: pass", False),
        ("P = Path('a')", False),
        ("", False),
        ("x = load()", True),
        ("print(1)", True),
        ("if __name__ == '__main__': main()", True),
        ("for x in y: pass", True),
    ],
)
def test_modules_are_told_from_scripts(code: str, does_something: bool) -> None:
    assert use(code).does_something is does_something


def test_what_is_no_python_is_none() -> None:
    assert python_use("def (") is None
    assert python_use("a\0b") is None
    assert python_use("(" * 5000) is None


def test_r() -> None:
    found = r_use(
        "# read.csv('no')\nd <- read.csv(\"a.csv\")\nm <- readRDS('m.rds')\nsource('lib.R')\n"
        "write.csv(d, \"o/b.csv\", row.names = FALSE)\nggsave('f.png')\nsaveRDS(m, 'n.rds')"
    )
    assert found.reads == ("a.csv", "m.rds", "lib.R")
    assert found.writes == ("o/b.csv", "f.png", "n.rds")
    assert not found.has_unknown
    assert r_use("read.csv(path)").has_unknown


@given(st.text(alphabet="abf()'\"\n =.,{}:/\\#") | st.text())
def test_any_text_has_an_answer(text: str) -> None:
    python_use(text)
    r_use(text)
