from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.project.requirements import (
    decode,
    gather,
    index_lines,
    line_of,
    logical_lines,
    name_of,
    needs_lock,
)

HASH = "--hash=sha256:aa"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("# nothing\n\n", False),
        (f"numpy==2.3.1 {HASH}\n", False),
        (f"numpy==2.3.1 \\\n    {HASH} \\\n    {HASH}\n# via x\n", False),
        (f"a[b,c]==1.0 ; python_version < '3.12' {HASH}\n", False),
        (f"a===1.0 {HASH}\n", False),
        (f"--index-url https://x.example\r\na==1 {HASH}\r\n", False),
        ("numpy==2.3.1\n", True),
        (f"numpy>=2.3.1 {HASH}\n", True),
        (f"numpy==2.3.1,>1 {HASH}\n", True),
        (f"numpy {HASH}\n", True),
        (f"a==1 {HASH}\nb==2\n", True),
        (f"a==1 {HASH}\n-r other.txt\n", True),
        (f"a @ https://x.example/a.whl {HASH}\n", True),
    ],
)
def test_only_pinned_and_hashed_is_a_lock(text: str, expected: bool) -> None:
    assert needs_lock(text) is expected


def test_lines_keep_the_number_they_start_at() -> None:
    text = "# one\n\na \\\n  --x \\\n# inside\n  --y\nb # c\nd#e\n  \nlast \\"
    assert list(logical_lines(text)) == [(3, "a    --x"), (6, "--y"), (7, "b"), (8, "d#e"), (10, "last")]


@given(st.text(alphabet="ab#\\ \n\r-=@/", max_size=60))
def test_any_text_is_read(text: str) -> None:
    numbers = [number for number, line in logical_lines(text) if line]
    assert numbers == sorted(set(numbers))
    try:
        gather("r.txt", {"r.txt": text.encode()}.get)
    except UserError as refused:
        assert refused.code in ("requirements-unsupported", "requirements-missing")


def test_included_files_are_gathered_from_where_they_are_named() -> None:
    files = {
        "requirements.txt": b"-r ops/base.txt\nnumpy\n",
        "ops/base.txt": b"--constraint=limits.txt\n-r ../requirements.txt\nsix\n",
        "ops/limits.txt": b"six<2\n",
        "other.txt": b"-e .\n",
    }
    assert gather("requirements.txt", files.get) == {k: v for k, v in files.items() if k != "other.txt"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "-e ."),
        ("--editable=git+https://x.example/y", "--editable"),
        (".", "neither a path"),
        ("./pkg", "neither a path"),
        ("/abs/pkg-1.0.whl", "neither a path"),
        ("pkg-1.0-py3-none-any.whl", "neither a path"),
        ("file:///etc/passwd", "neither a path"),
        ("a @ file:///etc/passwd", "neither a path"),
        ("a @ ../there", "neither a path"),
        ("https://x.example/a-1.0.tar.gz", "neither a path"),
        ("git+https://x.example/y.git", "version control"),
        ("a @ git+ssh://git@x.example/y.git@main", "version control"),
        ("--find-links /srv/wheels", "not an address"),
        ("-f wheels", "not an address"),
        ("--trusted-host x.example", "--trusted-host"),
        ("-r https://x.example/r.txt", "out of the project"),
        ("-r ../../etc/passwd", "out of the project"),
        ("-r /etc/passwd", "out of the project"),
        ("-r", "out of the project"),
        ("==1.0", "no requirement"),
    ],
)
def test_what_cannot_be_locked_is_refused_with_its_line(line: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        gather("ops/r.txt", {"ops/r.txt": f"# first\n\n{line}\n".encode()}.get)
    assert refused.value.code == "requirements-unsupported"
    assert refused.value.message.startswith("ops/r.txt line 3: ")
    assert said in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "Numpy [x] >= 1 ; sys_platform == 'linux'",
        "a @ https://x.example/a-1.0.whl",
        "torch==2.5.1+cpu --hash=sha256:aa",
        "--extra-index-url https://download.example/whl/cpu",
        "-i https://x.example",
        "--only-binary :all:",
        "--no-index",
    ],
)
def test_what_can_be_locked_passes(line: str) -> None:
    assert gather("r.txt", {"r.txt": line.encode()}.get) == {"r.txt": line.encode()}


def test_a_missing_file_is_told_with_where_it_is_named() -> None:
    with pytest.raises(UserError) as refused:
        gather("r.txt", {"r.txt": b"a\n-r b/c.txt\n"}.get)
    assert refused.value.code == "requirements-missing"
    assert "b/c.txt is not in the project, named at r.txt line 2" in refused.value.message


def test_endless_includes_end() -> None:
    with pytest.raises(UserError, match="one file too many"):
        gather("0.txt", lambda path: f"-r {int(path.split('.')[0]) + 1}.txt\n".encode())


@pytest.mark.parametrize("content", [b"\xff\xfen\x00u\x00", "nümpy".encode("latin-1"), b"a\0b"])
def test_what_is_no_utf8_is_told(content: bytes) -> None:
    with pytest.raises(UserError) as refused:
        decode("r.txt", content)
    assert refused.value.code == "requirements-unsupported"


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert decode("r.txt", "\ufeffnumpy".encode()) == "numpy"


def test_names_and_places() -> None:
    assert name_of("Foo_Bar.baz[x]>=1") == "foo-bar-baz"
    assert name_of("--pre") is None
    files = {"r.txt": b"# c\nFoo_Bar>=1\nb\n", "s.txt": b"b\n"}
    assert line_of(files, "foo-bar") == ("r.txt", 2)
    assert line_of(files, "b") is None
    assert line_of(files, "c") is None


def test_a_projects_own_indexes_are_told_apart() -> None:
    text = "a\n-i https://x.example\n--extra-index-url=https://y.example # why\n--pre\n"
    assert index_lines(text) == ("-i https://x.example", "--extra-index-url=https://y.example")
