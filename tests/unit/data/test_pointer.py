"""Pointers are DVC's `.dvc` files: read whoever wrote them, written as DVC writes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lockgate.data.pointer import Output, Pointer, parse_pointer, simple_pointer, write_pointer
from lockgate.data.pointer_reading import read_pointer
from lockgate.data.pointer_writing import rewrite_pointer
from lockgate.errors import UserError

MD5 = "2cd6ee2c70b0bde53fbe6cac3c8b8bb1"
FOLDER = "24f962482afb0a5124c142f7468a0ce9.dir"

#: As DVC 3.67.1 wrote them.
WRITTEN = {
    "data.csv.dvc": (
        f"outs:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: data.csv\n",
        Output("data.csv", MD5, 2),
    ),
    "in/d.dvc": (
        f"outs:\n- md5: {FOLDER}\n  size: 4\n  nfiles: 3\n  hash: md5\n  path: d\n",
        Output("in/d", FOLDER, 4, 3),
    ),
    "123.dvc": (f"outs:\n- md5: {MD5}\n  size: 3\n  hash: md5\n  path: '123'\n", Output("123", MD5, 3)),
    "ü weird [name]!.csv.dvc": (
        f"outs:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: ü weird [name]!.csv\n",
        Output("ü weird [name]!.csv", MD5, 2),
    ),
    "null.dvc": (f"outs:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: 'null'\n", Output("null", MD5, 2)),
    "run.sh.dvc": (
        f"outs:\n- md5: {MD5}\n  size: 2\n  isexec: true\n  hash: md5\n  path: run.sh\n",
        Output("run.sh", MD5, 2, is_executable=True),
    ),
}

COMMENTED = f"""\
# The survey of 2024, as it came
desc: survey

outs:
  - path: raw/survey.csv   # from the institute
    md5: {MD5}
    size: 2
    hash: md5
    desc: one row a person
    type: dataset
    labels: [survey, raw]
    meta:
      licence: CC0
    remote: archive
    push: false
meta: {{by: ada}}
"""


@pytest.mark.parametrize("file", WRITTEN)
def test_as_dvc_writes(file: str) -> None:
    text, output = WRITTEN[file]
    assert parse_pointer(text, file) == read_pointer(text, file) == Pointer(file, (output,))
    assert write_pointer(Pointer(file, (output,))) == text
    assert write_pointer(Pointer(file, (output,)), text) == text


def test_everything_a_member_wrote_is_read() -> None:
    pointer = parse_pointer(COMMENTED, "in/survey.dvc")
    assert pointer.desc == "survey"
    assert pointer.meta == {"by": "ada"}
    assert pointer.outputs == (
        Output(
            "in/raw/survey.csv",
            MD5,
            2,
            desc="one row a person",
            type="dataset",
            labels=("survey", "raw"),
            meta={"licence": "CC0"},
            remote="archive",
            push=False,
        ),
    )


def test_what_a_member_wrote_stays() -> None:
    pointer = parse_pointer(COMMENTED, "in/survey.dvc")
    new = "0cc175b9c0f1b6a831c399e269772661"
    changed = replace(pointer, outputs=(replace(pointer.outputs[0], md5=new, size_bytes=1),))
    text = write_pointer(changed, COMMENTED)
    assert parse_pointer(text, "in/survey.dvc") == changed
    assert "# The survey of 2024, as it came\n" in text
    assert re.search(r"path: raw/survey.csv +# from the institute\n", text)
    assert text.index("path:") < text.index("md5:") < text.index("hash:")
    assert new in text
    assert MD5 not in text
    assert text.replace(new, MD5).replace("size: 1", "size: 2").split() == COMMENTED.split()


def test_the_working_folder_counts() -> None:
    text = f"wdir: ../data\nouts:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: x.csv\n"
    pointer = parse_pointer(text, "pointers/x.csv.dvc")
    assert pointer.outputs[0].path == "data/x.csv"
    assert write_pointer(pointer, text) == text


def test_the_form_of_dvc_2_is_told_apart_and_made_new() -> None:
    text = f"outs:\n- md5: {MD5}\n  size: 2\n  path: x.csv\n"
    (output,) = parse_pointer(text, "x.csv.dvc").outputs
    assert output == Output("x.csv", MD5, 2, is_legacy=True)
    assert write_pointer(Pointer("x.csv.dvc", (output,)), text) == text
    new = Output("x.csv", "0cc175b9c0f1b6a831c399e269772661", 1)
    assert write_pointer(Pointer("x.csv.dvc", (new,)), text) == (
        "outs:\n- md5: 0cc175b9c0f1b6a831c399e269772661\n  size: 1\n  hash: md5\n  path: x.csv\n"
    )


def test_imports_keep_their_source() -> None:
    text = (
        "md5: 9ee2bb2ba4dd2bba08ac0dcd5d9e7d43\nfrozen: true\ndeps:\n- path: use.csv\n  repo:\n"
        "    url: https://example.org/data\n    rev_lock: 96fd8e791b0ee4824fc1ceffd13b1b49\n"
        f"outs:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: use.csv\n"
    )
    pointer = parse_pointer(text, "use.csv.dvc")
    assert pointer.is_frozen
    assert pointer.dependencies[0]["repo"] == {
        "url": "https://example.org/data",
        "rev_lock": "96fd8e791b0ee4824fc1ceffd13b1b49",
    }
    assert write_pointer(pointer, text) == text
    assert write_pointer(pointer) == text


def test_files_of_a_versioned_remote_give_the_folders_digest() -> None:
    text = (
        "outs:\n- path: d\n  hash: md5\n  size: 2\n  nfiles: 2\n  files:\n"
        "  - relpath: b\n    md5: 92eb5ffee6ae2fec3ad71c777531578f\n    size: 1\n"
        "  - relpath: a\n    md5: 0cc175b9c0f1b6a831c399e269772661\n    size: 1\n"
    )
    (output,) = parse_pointer(text, "d.dvc").outputs
    assert output.is_folder
    assert output.md5 == "5b94ef7ba4840901cc23311660411a1d.dir"


def test_digits_alone_are_a_digest_too() -> None:
    md5 = "1" * 32
    text = write_pointer(simple_pointer("data.csv", md5, 1))
    assert f"md5: '{md5}'" in text
    for each in (text, text.replace("'", "")):
        assert parse_pointer(each, "data.csv.dvc").outputs[0].md5 == md5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "names no data"),
        ("outs: []\n", 1, "names no data"),
        ("outs:\n- md5: xyz\n  path: a\n", 2, "`md5` is no digest"),
        (f"outs:\n- md5: {MD5}\n", 2, "without `path`"),
        (f"outs:\n- md5: {MD5}\n  path: ../../a\n", 3, "outside"),
        (f"outs:\n- md5: {MD5}\n  path: /a\n", 3, "outside"),
        (f"outs:\n- md5: {MD5}\n  path: a\n  size: much\n", 4, "`size` is not a whole number"),
        (f"outs:\n- md5: {MD5}\n  path: a\n  hash: sha256\n", 4, "sha256 is unknown"),
        (f"outs:\n- md5: {MD5}\n  path: a\n  pth: b\n", 4, "no key `pth`"),
        (f"outs:\n- md5: {MD5}\n  path: a\n  labels: 3\n", 4, "`labels`"),
        (f"outs:\n- md5: {MD5}\n  path: a\n  push: perhaps\n", 4, "neither true nor false"),
        (f"cmd: make\nouts:\n- md5: {MD5}\n  path: a\n", 1, "DVC 0.x"),
        ("<<<<<<< ours\nouts:\n", 2, "not allowed"),
        ("outs: [\n", 1, "expected"),
        ("- a\n", 1, "no table"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        parse_pointer(text, "a.dvc")
    assert caught.value.code == "pointer-invalid"
    assert caught.value.message.startswith(f"a.dvc:{line}: ")


digests = st.text("0123456789abcdef", min_size=32, max_size=32)
names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@given(names, digests, st.integers(0, 10**15), st.none() | st.integers(0, 10**9), st.booleans())
@example("true", MD5, 0, None, False)
@example("1e5", MD5, 0, None, False)
@example("0x1f", MD5, 0, None, False)
@example("2024-01-01", MD5, 0, None, False)
@example("a b " * 60, MD5, 0, None, False)
@example("data.csv", "1" * 31 + "e", 0, None, False)
def test_pointers_come_back(name: str, md5: str, size: int, count: int | None, is_deep: bool) -> None:
    path = f"a/b/{name}" if is_deep else name
    digest = md5 if count is None else md5 + ".dir"
    pointer = simple_pointer(path, digest, size, count)
    text = write_pointer(pointer)
    assert parse_pointer(text, pointer.file) == pointer
    assert read_pointer(text, pointer.file) == pointer


@given(st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True), digests)
@example("n", MD5)
@example("off", MD5)
@example("g1_000", MD5)
def test_the_short_way_writes_what_the_library_writes(name: str, md5: str) -> None:
    if name in (".", ".."):
        return
    pointer = simple_pointer(name, md5, 5)
    assert write_pointer(pointer) == rewrite_pointer(pointer, None)
