"""`import lockgate`: cheap, with every verb, and rooms that are verbs are both."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lockgate
import lockgate.runs.runid
from lockgate.notebook import verbs


def test_the_import_loads_nothing_but_a_few_modules_of_python() -> None:
    code = "import sys; before = set(sys.modules); import lockgate; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not {"typing", "re", "subprocess", "msgspec", "click"} & set(done.stdout.split())


def test_the_face_in_notebooks_needs_the_standard_library_alone() -> None:
    """A kernel of a project has nothing else."""
    code = (
        "import sys, lockgate; lockgate.run; import lockgate.notebook.magics;"
        " print(*sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    # What an environment's own .pth files load is not ours
    assert set(done.stdout.split()) - {"__main__", "_distutils_hack", "_virtualenv", "sitecustomize"} == {
        "lockgate"
    }


def test_every_verb_is_there() -> None:
    assert set(verbs.__all__) <= set(dir(lockgate))
    for name in verbs.__all__:
        assert callable(getattr(lockgate, name))
    assert lockgate.data_list.__name__ == "data_list"


def test_a_room_that_is_a_verb_is_both() -> None:
    assert lockgate.runs.runid.short("01ABCDEFGHJK") == "ABCDEFGHJK"[-8:]
    assert callable(lockgate.runs)
    assert callable(lockgate.verify)


def test_what_is_no_verb_is_not_there() -> None:
    for name in ("nothing", "data_", "html", "_verbs_"):
        with pytest.raises(AttributeError):
            getattr(lockgate, name)
