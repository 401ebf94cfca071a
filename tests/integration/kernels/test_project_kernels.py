"""Kernels of a project without a server: started in its locked runtime, with our magics in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from e2e_place import Place, WorkTree
from lab_notebook import notebook
from locked_environment import locked_environment

pytestmark = [
    pytest.mark.slow,
    # ipykernel tells on start that its sockets are not encrypted; nbclient's loop is its own
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

R_PRESENT = (
    shutil.which("Rscript") is not None
    and subprocess.run(
        ["Rscript", "-e", "library(IRkernel); library(jsonlite)"], capture_output=True, check=False
    ).returncode
    == 0
)
needs_r = pytest.mark.skipif(not R_PRESENT, reason="NOT TESTED: R: R with IRkernel and jsonlite is not here")


def html_of(outputs: list[Any]) -> str:
    return str(next(output for output in outputs if output.output_type == "execute_result").data["text/html"])


def test_a_kernel_runs_in_the_locked_runtime_without_lockgate_installed_there(
    cells: Any, place: Place
) -> None:
    version, prefix, absent = cells.printed(
        "import tabulate; print(tabulate.__version__)",
        "import sys; print(sys.prefix)",
        "import importlib.util; print(importlib.util.find_spec('msgspec'))",
    )
    assert version == "0.9.0"
    assert Path(prefix).is_relative_to(place.hub / "runtimes")
    assert absent == "None"


def test_functions_in_such_a_kernel_ask_the_lockgate_around_it(cells: Any, tree: WorkTree) -> None:
    status, run, error = cells.run(
        "import lockgate\nlockgate.status()",
        "ended = lockgate.run(force=['copy'])\nended",
        "lockgate.show('ZZZZZZZZ')",
        allow_errors=True,
    )
    assert "copy" in html_of(status)
    assert "succeeded" in html_of(run)
    bar = next(output for output in run if output.output_type == "display_data")
    assert "<progress" in bar.data["text/html"]
    assert tree.read("o") == "1\n"
    (told,) = error
    assert "[run-unknown]" in "".join(told.traceback)
    assert "program.py" not in "".join(told.traceback)


def test_a_cell_becomes_a_stage_and_comes_back(cells: Any, tree: WorkTree) -> None:
    source = 'open("two.txt", "w").write(open("i").read() * 2)'
    before = tree.read("lockgate.toml")
    written, ran, back, completed = cells.run(
        f"%%stage two --needs i --makes two.txt\n{source}",
        "%lockgate run two",
        "from unittest import mock\n"
        "with mock.patch.object(get_ipython(), 'set_next_input') as put:\n"
        "    get_ipython().run_line_magic('stage_back', 'two')\n"
        "print(put.call_args.args[0])",
        "print(get_ipython().Completer.complete(line_buffer='%lockgate run tw', cursor_pos=16)[1])",
    )
    assert "stages/two.py" in html_of(written)
    assert "succeeded" in html_of(ran)
    assert tree.read("two.txt") == "1\n1\n"
    assert tree.read("lockgate.toml").startswith(before)
    assert back[0].text.strip() == f"%%stage two --needs i --makes two.txt\n{source}"
    assert completed[0].text.strip() == "['two']"


def test_a_script_is_a_batch_job_and_the_manifest_stays(cells: Any, tree: WorkTree) -> None:
    tree.write({"think.py": "import sys, tabulate\nopen('answer', 'w').write(' '.join(sys.argv[1:]))\n"})
    before = tree.read("lockgate.toml")
    (ran,) = cells.run("%run_batch --cpus 2 --needs think.py --makes answer think.py --depth '8 m'")
    assert "succeeded" in html_of(ran)
    assert tree.read("answer") == "--depth 8 m"
    assert tree.read("lockgate.toml") == before
    tree.lockgate("batch", "--needs", "think.py", "--makes", "answer", "think.py", "--depth", "{depth}")
    assert tree.read("answer") == "--depth {depth}"


def test_a_runtime_that_cannot_be_built_is_told_with_the_cause(
    place: Place, monkeypatch: pytest.MonkeyPatch, cells: Any
) -> None:
    broken = place.project({"lockgate.toml": "", "requirements.txt": "tabulate==99.99\n"}, name="broken")
    broken.lockgate("kernel", "add", "broken-py")
    monkeypatch.setenv("JUPYTER_PATH", str(broken.path))
    with pytest.raises(RuntimeError, match=r"requirements.txt line 1: .*tabulate==99.99"):
        cells.run("1", kernel="broken-py")


def test_a_notebook_stage_runs_in_the_kernel_it_names_and_again_when_that_changes(tree: WorkTree) -> None:
    source = "import os\nopen('seen', 'w').write(os.environ.get('OF_KERNEL', ''))"
    document = notebook(source, kernel="p-py", display_name="P")
    stage = '[stages.look]\nnotebook = "look.ipynb"\nneeds = ["i"]\nmakes = ["seen"]\n'
    specification = json.loads(tree.read("kernels/p-py/kernel.json"))
    for value in ("one", "two"):
        changed = json.dumps(specification | {"env": {"OF_KERNEL": value}})
        tree.write({"look.ipynb": document, "kernels/p-py/kernel.json": changed})
        tree.write({"lockgate.toml": stage})
        tree.lockgate("run")
        assert tree.read("seen") == value
    assert "cached" in tree.lockgate("run").out
    tree.git("checkout", "--quiet", "kernels", "lockgate.toml")


#: What `jupyter execute` is.
_EXECUTE = "from nbclient.cli import NbClientApp; NbClientApp.launch_instance()"


@pytest.mark.parametrize("program", ["papermill", "jupyter execute"])
def test_programs_that_know_nothing_of_lockgate_execute_with_such_a_kernel(
    tree: WorkTree, program: str, tmp_path: Path
) -> None:
    library = next((locked_environment("lab").parent / "lib").glob("python*/site-packages"))
    form: Any = nbformat.v4
    document = form.new_notebook(
        cells=[
            form.new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
            form.new_code_cell("import tabulate; print(tabulate.__version__, n)"),
        ],
        metadata={"kernelspec": {"name": "p-py", "display_name": "P", "language": "python"}},
    )
    written, read = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(document, written)  # type: ignore[no-untyped-call]
    words = {
        "papermill": ["-m", "papermill", str(written), str(read), "-p", "n", "2", "--no-progress-bar"],
        "jupyter execute": ["-c", _EXECUTE, "--inplace", str(written)],
    }[program]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree.path,
        env=os.environ | {"PYTHONPATH": str(library), "JUPYTER_PATH": str(tree.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads((read if program == "papermill" else written).read_text())["cells"]
    seen = "".join(cells[-1]["outputs"][0]["text"]).strip()
    assert seen == {"papermill": "0.9.0 2", "jupyter execute": "0.9.0 1"}[program]


@needs_r
def test_a_kernel_in_r_is_started_the_same_way(cells: Any, tree: WorkTree) -> None:
    tree.lockgate("kernel", "add", "p-r", "--language", "R")
    assert cells.printed("cat(R.version$major, Sys.which('python'))", kernel="p-r")[0].startswith("4 ")


@needs_r
def test_a_notebook_stage_runs_in_a_kernel_in_r(tree: WorkTree) -> None:
    tree.lockgate("kernel", "add", "stage-r", "--language", "R")
    source = "writeLines(as.character(sum(as.integer(readLines('i')))), 'sum'); print('made by R')"
    document = notebook(source, kernel="stage-r", display_name="R", language="R")
    stage = '[stages.sum]\nnotebook = "sum.ipynb"\nneeds = ["i"]\nmakes = ["sum"]\n'
    tree.write({"i": "40\n2\n", "sum.ipynb": document, "lockgate.toml": stage})
    tree.lockgate("run")
    assert tree.read("sum") == "42\n"
    (cell,) = json.loads(tree.read("sum.executed.ipynb"))["cells"]
    assert "made by R" in "".join(cell["outputs"][0]["text"])
    tree.git("checkout", "--quiet", "lockgate.toml")


@needs_r
def test_r_has_the_commands_as_functions(tree: WorkTree) -> None:
    tree.write({"i": "7\n"})
    script = """
        source(system2("lockgate", "r-script", stdout = TRUE))
        stopifnot(lockgate$status()$would_run[lockgate$status()$stage == "copy"])
        stopifnot(lockgate$run()$ended$state == "succeeded")
        stopifnot(!any(lockgate$status()$would_run))
        runs <- lockgate$runs(2)
        stopifnot(is.data.frame(runs), runs$state[1] == "succeeded", inherits(runs$queued_at, "POSIXct"))
        stopifnot(lockgate$why("o")$origin$record$stage == "copy")
        stopifnot(lockgate$compare(runs$run[2], runs$run[1])$left_state == "succeeded")
        caught <- tryCatch(lockgate$show("ZZZZZZZZ"), lockgate_error = function(e) e)
        stopifnot(caught$code == "run-unknown", nzchar(caught$hint))
        cat("all is well")
    """
    done = subprocess.run(
        ["Rscript", "-e", script],
        cwd=tree.path,
        env=tree.place.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("all is well"), done.stderr
