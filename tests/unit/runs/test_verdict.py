"""How a job ended, in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lockgate.git.listing import FILE, Entry, blob_id
from lockgate.project.pipeline import Pipeline, Stage
from lockgate.runs.inputs import Inputs
from lockgate.runs.job import ExitRecord
from lockgate.runs.sizing import Offer
from lockgate.runs.verdict import how_it_ended, judge, last_line, tail
from lockgate.runs.workspace import Placed

STAGE = Stage("a", "a", command="x", needs=("a.py",), makes=("out",))
FILES = {name: Entry(FILE, blob_id(b"")) for name in ("a.py", "b.csv")}
INPUTS = Inputs(Pipeline("p", "lockgate.toml", (STAGE,)), FILES, {}, lambda group, key: "lockgate.toml:3: ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "output.log").write_text("")
    return tmp_path


def verdict(folder: Path, exit_record: ExitRecord, *placed: Placed) -> str | None:
    return judge(folder, exit_record, STAGE, INPUTS, placed)


def test_all_well(folder: Path) -> None:
    assert verdict(folder, ExitRecord(code=0)) is None


@pytest.mark.parametrize(
    ("exit_record", "words"),
    [
        (ExitRecord(code=2), "exit code 2"),
        (ExitRecord(signal=9), "killed by signal 9 (SIGKILL)"),
        (ExitRecord(signal=9, detail="killed at 1.2 GB"), "killed at 1.2 GB"),
        (ExitRecord(signal=1234), "killed by signal 1234 (unknown)"),
    ],
)
def test_how(exit_record: ExitRecord, words: str) -> None:
    assert how_it_ended(exit_record) == words


@pytest.mark.parametrize(
    ("exit_record", "words"),
    [
        (
            ExitRecord(cause="memory", detail="killed at 1.2 GB, asked for 1 GB"),
            "killed at 1.2 GB, asked for 1 GB; ask for more memory (lockgate.toml:3)",
        ),
        (ExitRecord(code=0, cause="walltime"), "walltime; ask for more walltime (lockgate.toml:3)"),
        (ExitRecord(cause="cancelled", detail="by someone"), "cancelled"),
        (ExitRecord(cause="vanished"), "vanished"),
    ],
)
def test_what_the_backend_says_counts_first(folder: Path, exit_record: ExitRecord, words: str) -> None:
    (folder / "output.log").write_text("Traceback\nValueError: x\n")
    assert verdict(folder, exit_record) == words


def test_what_would_have_done_is_offered(folder: Path) -> None:
    ended = ExitRecord(cause="memory", detail="killed at 1.2 GB, asked for 1 GB")
    offered = Offer(kind="memory", amount=2 * 10**9, text="2 GB", why="so it is", command="lockgate run a …")
    assert judge(folder, ended, STAGE, INPUTS, (), offered) == (
        "killed at 1.2 GB, asked for 1 GB; so it is; once with more: lockgate run a …;"
        ' for good: memory = "2 GB" (lockgate.toml:3)'
    )
    dvc = Inputs(Pipeline("p", "dvc.yaml", (STAGE,)), FILES, {}, lambda group, key: "dvc.yaml:3: ")
    assert judge(folder, ended, STAGE, dvc, (), offered) == (
        "killed at 1.2 GB, asked for 1 GB; so it is; once with more: lockgate run a …"
    )


def test_the_last_words_are_told(folder: Path) -> None:
    (folder / "output.log").write_bytes(b"start\n\x1b[31mValueError: caf\xe9\x1b[0m\r\n\n  \n")
    assert verdict(folder, ExitRecord(code=1)) == "exit code 1: ValueError: caf\ufffd"
    (folder / "output.log").unlink()
    assert verdict(folder, ExitRecord(code=1)) == "exit code 1"


def test_only_the_end_of_the_output_is_read(folder: Path) -> None:
    (folder / "output.log").write_bytes(b"first\n" + b"x" * 10_000_000 + b"\nlast\n")
    assert len(tail(folder / "output.log")) <= 32_000
    assert verdict(folder, ExitRecord(code=1)) == "exit code 1: last"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n \n", ""),
        ("a\nb\n\n", "b"),
        ("progress 1%\rprogress 100%\r", "progress 100%"),
        ("\x1b[1;31mred\x1b[0m \x07bell", "red bell"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        (
            "Caused by: java.io.IOException: gone\n\tat a.B$.c(D.scala:12)\n\t... 22 more\n",
            "Caused by: java.io.IOException: gone",
        ),
    ],
)
def test_last_lines(text: str, line: str) -> None:
    assert last_line(text) == line


def test_an_undeclared_read_is_named_with_the_line_to_add_it(folder: Path) -> None:
    (folder / "output.log").write_text("FileNotFoundError: [Errno 2] No such file or directory: 'b.csv'\n")
    found = verdict(folder, ExitRecord(code=1))
    assert found is not None
    assert found.endswith(
        '; it read b.csv, which it does not declare: add "b.csv" to needs (lockgate.toml:3)'
    )


def test_a_workspace_that_is_gone(folder: Path) -> None:
    (folder / "workspace").rmdir()
    assert verdict(folder, ExitRecord(code=0)) == "its workspace was deleted while it ran"


def placed(folder: Path, name: str) -> Placed:
    origin = folder / "origin"
    origin.write_text("input")
    place = folder / "workspace" / name
    place.write_text("input")
    now = os.lstat(place)
    return Placed(
        name,
        f"<{origin}",
        inode=now.st_ino,
        size=now.st_size,
        mtime_ns=now.st_mtime_ns,
        ctime_ns=now.st_ctime_ns,
    )


def test_an_altered_input_is_at_fault_even_where_all_went_well(folder: Path) -> None:
    known = placed(folder, "a.py")
    assert verdict(folder, ExitRecord(code=0), known) is None
    (folder / "workspace/a.py").write_text("other")
    found = verdict(folder, ExitRecord(code=0), known)
    assert found is not None
    assert found.startswith("it altered a.py, which it needs")
    (folder / "workspace/a.py").unlink()
    assert (verdict(folder, ExitRecord(code=3), known) or "").startswith("exit code 3; it altered a.py")
