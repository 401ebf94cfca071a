"""Git's diffs as files and lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lockgate.hub.showing.file_diff import LINES_AT_MOST, parse


def git(folder: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True).stdout


def test_what_git_writes_is_read(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "kept.py").write_text("a\nb\nc\n")
    (tmp_path / "gone.txt").write_text("x\n")
    (tmp_path / "old name.txt").write_text("".join(f"line {n}\n" for n in range(30)))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "kept.py").write_text("a\nB\nc\n--- d\n")
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "old name.txt").rename(tmp_path / "new.txt")
    (tmp_path / "bild ü\t.bin").write_bytes(b"\0\1")
    git(tmp_path, "add", "-A")
    output = git(tmp_path, "diff", "--cached", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/")
    found = {file.path: file for file in parse(output)}
    assert {path: file.status for path, file in found.items()} == {
        "kept.py": "changed",
        "gone.txt": "deleted",
        "new.txt": "renamed",
        "bild ü\t.bin": "binary",
    }
    assert (found["kept.py"].added, found["kept.py"].removed) == (2, 1)
    assert [line.kind for line in found["kept.py"].lines] == ["hunk", "", "del", "add", "", "add"]


def test_long_diffs_are_cut() -> None:
    lines = "".join(f"+{n}\n" for n in range(LINES_AT_MOST + 9))
    found = parse(f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n{lines}".encode())[0]
    assert len(found.lines) == LINES_AT_MOST
    assert found.is_cut
    assert found.added == LINES_AT_MOST + 9


@given(st.binary(max_size=200))
def test_whatever_comes_is_read(output: bytes) -> None:
    parse(output)
    parse(b"diff --git " + output)
