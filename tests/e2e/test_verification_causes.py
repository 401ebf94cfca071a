"""Planted non-determinism: `lockgate verify` finds each, and says which it is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, WorkTree

STAGE = """\
[stages.make]
run = "{command}"
needs = ["make.py"]
makes = ["out.txt"]
"""

SEED = """\
import random
open("out.txt", "w").write(f"{random.random()}\\n")
"""
TIME = """\
import datetime, time
open("out.txt", "w").write(f"{datetime.datetime.now().isoformat()} {time.time_ns()}\\n")
"""
HASH = """\
open("out.txt", "w").write(" ".join({f"word{n}" for n in range(40)}) + "\\n")
"""
THREADS = """\
import threading
total, values = [0.0], [1e16, 1.0, -1e16, 0.1]
def add(number):
    for n in range(200_000):
        total[0] += values[(n + number) % 4] / (number + 3)
threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
open("out.txt", "w").write(f"{total[0]!r}\\n")
"""
LOCALE = """\
import locale
locale.setlocale(locale.LC_ALL, "")
open("out.txt", "w").write(locale.str(1.5) + "\\n")
"""
VARIABLE = """\
import os
open("out.txt", "w").write(os.environ.get("THRESHOLD", "none") + "\\n")
"""


def project(place: Place, program: str, command: str = "python make.py") -> WorkTree:
    tree = place.project({"lockgate.toml": STAGE.format(command=command), "make.py": program})
    tree.push()
    return tree


def cause(tree: WorkTree, *words: str) -> dict[str, Any]:
    found = json.loads(tree.lockgate("verify", "latest", *words, "--json", code=1).out)
    assert found["verdict"] == "differs", found
    assert len(found["causes"]) == 1, found
    first: dict[str, Any] = found["causes"][0]
    return first


@pytest.mark.parametrize(
    ("factor", "program", "command"),
    [
        ("seed", SEED, "python make.py"),
        ("time", TIME, "python make.py"),
        ("hash", HASH, "PYTHONHASHSEED=random python make.py"),
        ("threads", THREADS, "python make.py"),
    ],
)
def test_what_changes_from_run_to_run_is_found_and_named(
    place: Place, factor: str, program: str, command: str
) -> None:
    found = cause(project(place, program, command))
    assert found["factor"] == factor, found
    assert "three runs with" in found["words"]


def test_a_locale_that_was_another_is_found(place: Place) -> None:
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("NOT TESTED: the locale de_DE cannot be made here")
    made = place.outside / "de_DE.UTF-8"
    subprocess.run(
        ["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", str(made)], check=False, capture_output=True
    )
    which = place.outside / "which"
    which.write_text("de_DE.UTF-8")
    tree = project(place, LOCALE, f"LOCPATH={place.outside} LC_ALL=$(cat {which}) python make.py")
    which.write_text("C.UTF-8")
    found = cause(tree)
    assert found["factor"] == "locale", found
    assert found["is_certain"]


def test_an_undeclared_variable_is_found_and_named(place: Place) -> None:
    profile = place.outside / "profile"
    profile.write_text("export THRESHOLD=0.5\n")
    tree = project(place, VARIABLE, f". {profile}; python make.py")
    profile.write_text("")
    found = cause(tree)
    assert found["factor"] == "variables", found
    assert found["words"] == "an undeclared environment variable (it reads THRESHOLD)"


@pytest.mark.skipif(
    sys.platform != "linux", reason="NOT TESTED: causes that were observed: stages are observed on Linux only"
)
def test_of_an_observed_stage_the_file_that_it_does_not_declare_is_named(place: Place) -> None:
    lookup = place.outside / "lookup.csv"
    lookup.write_text("1\n")
    text = f"[project]\nobserve = true\n{STAGE.format(command=f'cat {lookup} >out.txt')}"
    tree = place.project({"lockgate.toml": text, "make.py": ""})
    tree.push()
    lookup.write_text("2\n")
    found = cause(tree)
    assert found["factor"] == "files", found
    assert found["words"] == f"something not declared (it read {lookup})"


def test_a_library_that_was_exchanged_is_found(place: Place) -> None:
    tree = place.project(
        {
            "lockgate.toml": STAGE.format(command="python make.py"),
            "make.py": "import six\nopen('out.txt', 'w').write(six.__version__)\n",
            "requirements.txt": "six==1.16.0\n",
        }
    )
    tree.push()
    (site,) = place.hub.glob("runtimes/*/venv/lib/python*/site-packages")
    text = (site / "six.py").read_text()
    (site / "six.py").unlink()
    (site / "six.py").write_text(text.replace("1.16.0", "1.17.0"))
    (site / "six-1.16.0.dist-info").rename(site / "six-1.17.0.dist-info")
    for compiled in (site / "__pycache__").glob("six.*"):
        compiled.unlink()
    found = cause(tree)
    assert found["factor"] == "runtime", found
    assert "six 1.17.0 where 1.16.0 is locked" in found["words"]
    fresh = json.loads(tree.lockgate("verify", "latest", "--fresh", "--json").out)
    assert fresh["verdict"] == "identical"
    assert not list((place.hub / "runs").glob("*/*/runtimes"))
