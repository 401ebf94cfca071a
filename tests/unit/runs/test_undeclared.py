"""Messages as real programs print them, and what they are taken to mean."""

# ruff: noqa: E501 - a message is one line

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.undeclared import find_undeclared

WORKSPACE = "/hub/runs/01/jobs/0-train/workspace"
KNOWN = {
    "j",
    "cat",
    "run.sh",
    "lib.sh",
    "my notes.txt",
    "data/j.csv",
    "data/ä ö.csv",
    "data/deep/k.parquet",
    "helper.py",
    "pkg/__init__.py",
    "pkg/tool.py",
    "pkg/sub/__init__.py",
    "names/only.py",
    "src/flights/__init__.py",
    "src/flights/clean.py",
    "steps/near.py",
    "steps/settings.toml",
    "js/util.js",
    "report.R",
    "include/x.h",
    "o",
}

MESSAGES = [
    # coreutils 9.1, dash 0.5.12, bash 5.2, mawk 1.3.4, grep 3.8, sed 4.9, tar 1.34, findutils 4.9
    ("cat: j: No such file or directory", "j"),
    ("head: cannot open 'data/j.csv' for reading: No such file or directory", "data/j.csv"),
    ("tail: cannot open 'my notes.txt' for reading: No such file or directory", "my notes.txt"),
    ("cat: 'my notes.txt': No such file or directory", "my notes.txt"),
    ("grep: my notes.txt: No such file or directory", "my notes.txt"),
    ("sort: cannot read: data/j.csv: No such file or directory", "data/j.csv"),
    ("awk: cannot open data/j.csv (No such file or directory)", "data/j.csv"),
    ("awk: cannot open my notes.txt (No such file or directory)", "my notes.txt"),
    ("gawk: cmd. line:1: fatal: cannot open file `data/j.csv' for reading: No such file or directory", "data/j.csv"),
    ("sed: can't read data/j.csv: No such file or directory", "data/j.csv"),
    ("cp: cannot stat 'data/ä ö.csv': No such file or directory", "data/ä ö.csv"),
    ("tar: data/j.csv: Cannot stat: No such file or directory", "data/j.csv"),
    ("ls: cannot access 'data': No such file or directory", "data/"),
    ("ls: cannot access 'data/deep/': No such file or directory", "data/deep/"),
    ("find: ‘data’: No such file or directory", "data/"),
    ("sh: 1: cd: can't cd to data", "data/"),
    ("sh: 1: .: cannot open ./lib.sh: No such file", "lib.sh"),
    ("sh: 0: cannot open run.sh: No such file", "run.sh"),
    ("sh: 1: ./run.sh: not found", "run.sh"),
    ("sh: 1: cannot open data/j.csv: No such file", "data/j.csv"),
    ("bash: run.sh: No such file or directory", "run.sh"),
    ("bash: line 1: data/j.csv: No such file or directory", "data/j.csv"),
    ("xargs: Cannot open input file ‘data/j.csv’: No such file or directory", "data/j.csv"),
    ("unzip:  cannot find or open data/j.csv, data/j.csv.zip or data/j.csv.ZIP.", "data/j.csv"),
    ("make: *** No rule to make target 'data/j.csv', needed by 'all'.  Stop.", "data/j.csv"),
    ("cc1: fatal error: include/x.h: No such file or directory", "include/x.h"),
    ("error: can't open patch 'data/j.csv': No such file or directory", "data/j.csv"),
    ("jq: error: Could not open file data/j.csv: No such file or directory", "data/j.csv"),
    # Python 3.11, pandas 2, Polars, PyArrow, h5py, DuckDB
    ("FileNotFoundError: [Errno 2] No such file or directory: 'data/j.csv'", "data/j.csv"),
    ("FileNotFoundError: [Errno 2] No such file or directory: './data/../j'", "j"),
    (f"FileNotFoundError: [Errno 2] No such file or directory: '{WORKSPACE}/data/j.csv'", "data/j.csv"),
    (f"FileNotFoundError: [Errno 2] No such file or directory: PosixPath('{WORKSPACE}/j')", "j"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'data'", "data/"),
    ("\x1b[0;31mFileNotFoundError\x1b[0m: [Errno 2] No such file or directory: 'data/j.csv'", "data/j.csv"),
    (f"/usr/bin/python3: can't open file '{WORKSPACE}/helper.py': [Errno 2] No such file or directory", "helper.py"),
    ("FileNotFoundError: File data/j.csv does not exist", "data/j.csv"),
    ("FileNotFoundError: No such file or directory (os error 2): data/deep/k.parquet", "data/deep/k.parquet"),
    (f"FileNotFoundError: Failed to open local file '{WORKSPACE}/data/deep/k.parquet'. Detail: [errno 2] No such",
     "data/deep/k.parquet"),
    ("FileNotFoundError: [Errno 2] Unable to synchronously open file (unable to open file: name = 'data/j.csv', "
     "errno = 2, error message = 'No such file or directory')", "data/j.csv"),
    ('_duckdb.IOException: IO Error: No files found that match the pattern "data/j.csv"', "data/j.csv"),
    ("ModuleNotFoundError: No module named 'helper'", "helper.py"),
    ("ModuleNotFoundError: No module named 'pkg'", "pkg/"),
    ("ModuleNotFoundError: No module named 'pkg.tool'", "pkg/tool.py"),
    ("ModuleNotFoundError: No module named 'pkg.sub'; 'pkg' is not a package", "pkg/sub/"),
    ("ModuleNotFoundError: No module named 'pkg.gone'", "pkg/"),
    ("ModuleNotFoundError: No module named 'names'", "names/"),
    ("ModuleNotFoundError: No module named 'flights'", "src/flights/"),
    ("ModuleNotFoundError: No module named 'flights.clean'", "src/flights/clean.py"),
    ("python3: Error while finding module specification for 'pkg.tool' (ModuleNotFoundError: No module named 'pkg')",
     "pkg/"),
    ("/usr/bin/python3: No module named helper", "helper.py"),
    ("ImportError: cannot import name 'tool' from 'pkg' (unknown location)", "pkg/tool.py"),
    # R 4.3, Julia 1.10, Node.js 20, Perl 5.36, as their manuals and issue trackers show them
    ("  cannot open file 'data/j.csv': No such file or directory", "data/j.csv"),
    ("Fatal error: cannot open file 'report.R': No such file or directory", "report.R"),
    ("Error: 'data/j.csv' does not exist in current working directory ('/x').", "data/j.csv"),
    (f'ERROR: LoadError: SystemError: opening file "{WORKSPACE}/data/j.csv": No such file or directory', "data/j.csv"),
    ("Error: ENOENT: no such file or directory, open 'data/j.csv'", "data/j.csv"),
    (f"Error: Cannot find module '{WORKSPACE}/js/util.js'", "js/util.js"),
    ("Error: Cannot find module './js/util'", "js/util.js"),
    ('Can\'t open perl script "run.sh": No such file or directory', "run.sh"),
    ("data/j.csv: No such file or directory at -e line 1.", "data/j.csv"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "path"), MESSAGES)
def test_messages(said: str, path: str) -> None:
    assert find_undeclared(said, WORKSPACE, KNOWN, lambda path: False) == (path,)


SILENT = [
    "",
    "done: j",
    "reading data/j.csv",
    "FileNotFoundError: [Errno 2] No such file or directory: 'data/gone.csv'",
    "FileNotFoundError: [Errno 2] No such file or directory: '/elsewhere/data/j.csv'",
    "FileNotFoundError: [Errno 2] No such file or directory: '../j'",
    "FileNotFoundError: [Errno 2] No such file or directory: ''",
    "ModuleNotFoundError: No module named 'numpy'",
    "ModuleNotFoundError: No module named 'deep'",
    "Error: Cannot find module 'express'",
    "sh: 1: julia: not found",
    "the data was not found in that table",
    f"cat: {WORKSPACE}: No such file or directory",
]


@pytest.mark.parametrize("said", SILENT)
def test_what_says_nothing(said: str) -> None:
    assert find_undeclared(said, WORKSPACE, KNOWN, lambda path: False) == ()


def test_what_is_declared_is_not_named() -> None:
    said = "cat: j: No such file or directory\nls: cannot access 'data': No such file or directory"
    assert find_undeclared(said, WORKSPACE, KNOWN, {"j", "data"}.__contains__) == ()


def test_each_once_in_the_order_named() -> None:
    said = "\n".join(f"cat: {name}: No such file or directory" for name in ("o", "j", "o", "run.sh"))
    assert find_undeclared(said, WORKSPACE, KNOWN, lambda path: False) == ("o", "j", "run.sh")


def test_a_script_in_a_folder_finds_its_neighbours() -> None:
    trace = f'Traceback (most recent call last):\n  File "{WORKSPACE}/steps/s.py", line 1, in <module>\n'
    said = trace + "ModuleNotFoundError: No module named 'near'"
    assert find_undeclared(said, WORKSPACE, KNOWN, lambda path: False) == ("steps/near.py",)
    said = trace + "FileNotFoundError: [Errno 2] No such file or directory: 'settings.toml'"
    assert find_undeclared(said, WORKSPACE, KNOWN, lambda path: False) == ("steps/settings.toml",)


@given(st.text(), st.sets(st.text(min_size=1)))
def test_any_text_names_only_what_is_known(said: str, known: set[str]) -> None:
    found = find_undeclared(f"cannot open {said}", WORKSPACE, known, lambda path: False)
    assert all(path in known or any(each.startswith(path) for each in known) for path in found)


@pytest.mark.parametrize("command", ["cat data/j.csv", "sort < data/j.csv", "head data/j.csv", "awk 1 data/j.csv",
                                     "ls data", "cd data", ". ./lib.sh", "./run.sh", "sh run.sh", "grep x j",
                                     "{python} helper.py", "{python} -m helper", "{python} -c 'import pkg.tool'",
                                     "{python} -c 'open(\"data/j.csv\")'"])  # fmt: skip
def test_programs_as_installed(command: str, tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-c", command.format(python=sys.executable)], cwd=tmp_path,
                          capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=False)  # fmt: skip
    assert done.returncode != 0
    assert len(find_undeclared(done.stderr, str(tmp_path), KNOWN, lambda path: False)) == 1
