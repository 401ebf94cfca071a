"""Notebooks run as a job runs them: the runtime's Python, a workspace, a real kernel."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from lockgate.project.pipeline import Scalar
from lockgate.runs import notebook as stage_notebook

pytestmark = pytest.mark.slow

RUNNER = Path(stage_notebook.__file__).with_name("notebook_runner.py")
DEADLINE_S = 60.0

Cell = dict[str, Any]


def code(source: str, *tags: str, **more: object) -> Cell:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    } | more


def text(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


class Bench:
    """A job's folder with a notebook in it."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.workspace = folder / "workspace"
        self.workspace.mkdir(parents=True)
        (folder / stage_notebook.RUNNER_FILE).parent.mkdir()
        shutil.copyfile(RUNNER, folder / stage_notebook.RUNNER_FILE)
        (folder / "tmp").mkdir()
        self.environment = {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "HOME": os.fspath(folder.parent),
            "MPLBACKEND": "Agg",
            "TMPDIR": os.fspath(folder / "tmp"),
            "LC_ALL": "C",
        }

    def write(self, cells: Sequence[Cell], name: str = "n.ipynb", **metadata: object) -> Path:
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
        path.write_text(json.dumps(content))
        path.chmod(0o444)
        return path

    def start(self, name: str = "n.ipynb", params: Mapping[str, Scalar] = {}) -> subprocess.Popen[bytes]:
        command = stage_notebook.notebook_command(name, ("out.ipynb", "page.html"), params)
        with (self.folder / "output.log").open("wb") as log:
            return subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=self.workspace,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, name: str = "n.ipynb", params: Mapping[str, Scalar] = {}) -> int:
        process = self.start(name, params)
        try:
            return process.wait(DEADLINE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "output.log").read_text("utf-8")

    @property
    def last_line(self) -> str:
        return self.log.splitlines()[-1]

    @property
    def page(self) -> str:
        return (self.workspace / "page.html").read_text("utf-8")

    def executed(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.workspace / "out.ipynb").read_text("utf-8"))
        return content

    def cells(self) -> list[Cell]:
        cells: list[Cell] = self.executed()["cells"]
        return cells

    def printed(self, index: int) -> str:
        outputs = self.cells()[index]["outputs"]
        return "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")


@pytest.fixture
def bench(tmp_path: Path, notebook_python: Path) -> Bench:
    return Bench(tmp_path / "job", notebook_python)


def until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_cells_run_and_every_kind_of_output_is_kept(bench: Bench) -> None:
    bench.write(
        [
            text("# Title"),
            code("import sys\nprint('to out')\nprint('to err', file=sys.stderr)"),
            code(""),
            code("{'a': 1}"),
            code(
                "from IPython.display import display, HTML\nh = display(HTML('<b>one</b>'), display_id=True)"
            ),
            code("h.update(HTML('<b>two</b>'))"),
            code(
                "from IPython.display import clear_output\nprint('gone')\n"
                "clear_output(wait=True)\nprint('stays')"
            ),
            code("import os\nos.system('echo from a child')"),
        ]
    )
    assert bench.run() == 0, bench.log
    cells = bench.cells()
    assert [cell.get("execution_count") for cell in cells] == [None, 1, None, 2, 3, 4, 5, 6]
    assert [output["name"] for output in cells[1]["outputs"]] == ["stdout", "stderr"]
    assert cells[3]["outputs"][0]["data"] == {"text/plain": ["{'a': 1}"]}
    assert cells[4]["outputs"][0]["data"]["text/html"] == ["<b>two</b>"]
    assert bench.printed(6) == "stays\n"
    assert bench.printed(7) == "from a child\n"
    for line in ("to out", "to err", "{'a': 1}", "stays", "from a child"):
        assert line in bench.log.splitlines()
    assert "<b>two</b>" in bench.page
    assert "Title" in bench.page


SLOW_READER = """\
import os, sys, time
read = os.read
def late(fd, size):
    data = read(fd, size)
    if fd in (sys.stdout._fid, sys.stderr._fid):
        time.sleep(0.3)
    return data
os.read = late
_ = os.system('echo first')
"""
OWN_KERNEL = {"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}


@pytest.mark.parametrize("has_own_kernel", [False, True])
def test_what_a_child_prints_is_in_its_cell_however_late_it_is_read(
    bench: Bench, has_own_kernel: bool
) -> None:
    if has_own_kernel:
        (bench.workspace / "kernels/ours").mkdir(parents=True)
        (bench.workspace / "kernels/ours/kernel.json").write_text(json.dumps(OWN_KERNEL))
    cells = [
        code(SLOW_READER),
        code("print('before')\n_ = os.system('echo a child')\nprint('after')"),
        code("_ = os.system('echo another')"),
        code("_ = os.system('for i in $(seq 1000); do echo größer$i; done')"),
        code("_ = os.system('echo the last; echo failed >&2')"),
    ]
    bench.write(cells, kernelspec={"name": "ours" if has_own_kernel else "python3", "language": "python"})
    assert bench.run() == 0, bench.log
    assert bench.printed(1) == "before\na child\nafter\n"
    assert bench.printed(2) == "another\n"
    assert bench.printed(3) == "".join(f"größer{number}\n" for number in range(1, 1001))
    assert sorted(bench.printed(4).splitlines()) == ["failed", "the last"]


def test_the_same_notebook_gives_the_same_bytes_in_any_folder(tmp_path: Path, notebook_python: Path) -> None:
    cells = [
        text("$x^2$\n\n```mermaid\ngraph TD; A-->B;\n```\n"),
        code("import warnings\nwarnings.warn('careful')\nprint('ü', {3, 1, 2})"),
        code("from helper import fail"),
        code("fail()", "raises-exception"),
        code(
            "from IPython.display import SVG, display\ndisplay(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))"
        ),
    ]
    found = []
    for name in ("a", "b/deeper"):
        bench = Bench(tmp_path / name / "job", notebook_python)
        bench.write(
            cells, "sub/n.ipynb", kernelspec={"name": "mine", "language": "python", "display_name": "M"}
        )
        (bench.workspace / "sub/helper.py").write_text("def fail():\n    raise ValueError('no')\n")
        assert bench.run("sub/n.ipynb") == 0, bench.log
        found.append(((bench.workspace / "out.ipynb").read_bytes(), bench.page))
    assert found[0] == found[1]
    executed = json.loads(found[0][0])
    assert os.fspath(tmp_path) not in json.dumps(executed)
    assert executed["metadata"]["kernelspec"]["name"] == "mine"
    assert executed["metadata"]["language_info"]["name"] == "python"
    assert len({cell["id"] for cell in executed["cells"]}) == len(cells)
    assert "sub/helper.py" in json.dumps(executed["cells"][3]["outputs"])


def test_ids_are_kept_and_what_changes_from_run_to_run_is_left_out(bench: Bench) -> None:
    bench.write(
        [
            code("1", id="mine") | {"metadata": {"execution": {"iopub.status.busy": "2024"}, "kept": 1}},
            code("2", id="mine"),
            code("3")
            | {"execution_count": 7, "outputs": [{"output_type": "stream", "name": "stdout", "text": "old"}]},
        ],
        widgets={"state": 1},
    )
    assert bench.run() == 0, bench.log
    cells = bench.cells()
    assert cells[0]["id"] == "mine"
    assert cells[1]["id"] not in ("mine", cells[2]["id"])
    assert cells[0]["metadata"] == {"kept": 1}
    assert "old" not in json.dumps(cells)
    assert "widgets" not in bench.executed()["metadata"]


def test_parameters_come_after_their_cell(bench: Bench) -> None:
    bench.write([code("depth = 1\nname = 'x'", "parameters"), code("print(depth, repr(name), rate, is_on)")])
    params: dict[str, Scalar] = {"depth": 8, "name": 'it\'s "ü"\n$HOME', "rate": 1e-300, "is_on": True}
    assert bench.run(params=params) == 0, bench.log
    cells = bench.cells()
    assert [cell["metadata"].get("tags") for cell in cells] == [["parameters"], ["injected-parameters"], None]
    assert bench.printed(2) == f"8 {params['name']!r} 1e-300 True\n"
    assert [cell["execution_count"] for cell in cells] == [1, None, 2]


def test_parameters_without_a_cell_for_them_come_first_and_replace_older_ones(bench: Bench) -> None:
    bench.write([code("depth = 1", "injected-parameters"), code("print(depth)")])
    assert bench.run(params={"depth": 2}) == 0, bench.log
    assert len(bench.cells()) == 2
    assert bench.printed(1) == "2\n"


@pytest.mark.parametrize("cells", [[], [text("only words: ü")], [code("   ")]])
def test_a_notebook_without_code_is_copied(bench: Bench, cells: list[Cell]) -> None:
    bench.write(cells)
    assert bench.run() == 0, bench.log
    assert len(bench.cells()) == len(cells)
    assert "</html>" in bench.page


def test_a_failing_cell_is_quoted_in_the_last_line(bench: Bench) -> None:
    bench.write([text("x"), code("ok = 1"), code("d = {}\nd['x']\nprint('later')"), code("print('never')")])
    assert bench.run() == 1
    assert bench.last_line == "cell 2 failed: KeyError: 'x' (line 2: d['x'])"
    cells = bench.cells()
    assert cells[2]["outputs"][0]["ename"] == "KeyError"
    assert cells[2]["metadata"]["lockgate"] == {"state": "failed"}
    assert cells[3]["outputs"] == []
    assert "KeyError" in bench.page


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = = 1", "cell 1 failed: SyntaxError: invalid syntax"),
        (
            "raise ValueError('one\\ntwo')",
            "cell 1 failed: ValueError: one (line 1: raise ValueError('one\\ntwo'))",
        ),
        ("import sys; sys.exit(0)", "cell 1 failed: SystemExit: 0"),
        ("input('name? ')", "cell 1 failed: StdinNotImplementedError: "),
    ],
)
def test_other_failures_are_told_too(bench: Bench, source: str, line: str) -> None:
    bench.write([code(source)])
    assert bench.run() == 1
    assert bench.last_line.startswith(line)


def test_tags_of_nbclient_are_honoured(bench: Bench) -> None:
    bench.write([code("1/0", "raises-exception"), code("1/0", "skip-execution"), code("print('on')")])
    assert bench.run() == 0, bench.log
    assert bench.printed(2) == "on\n"


def test_a_kernel_that_is_killed_is_told_with_its_signal(bench: Bench) -> None:
    bench.write(
        [code("x = 1"), code("import os\nprint('before', flush=True)\nos.kill(os.getpid(), 9)"), code("2")]
    )
    assert bench.run() == 137
    assert bench.last_line == "the kernel died in cell 2 (killed, signal 9)"
    assert bench.cells()[1]["metadata"]["lockgate"] == {"state": "died"}
    assert "signal 9" in bench.page


def test_a_kernel_that_ends_itself_is_told(bench: Bench) -> None:
    bench.write([code("import os; os._exit(3)")])
    assert bench.run() == 1
    assert bench.last_line == "the kernel died in cell 1 (exit code 3)"


LOOP = """\
import os, time
print('pid', os.getpid(), flush=True)
for i in range(10**6):
    print('tick', i)
    time.sleep(0.01)
"""


def kernel_pid(bench: Bench) -> int:
    return int(next(line for line in bench.log.splitlines() if line.startswith("pid")).split()[1])


STOPPED_BESIDE = """\
import atexit, threading, time
from ipykernel.iostream import OutStream
from ipykernel.kernelbase import Kernel

OutStream.flush_timeout = 3600
publisher = get_ipython().kernel.iopub_thread
is_held = threading.Event()
at_shutdown = Kernel._at_shutdown

def hold():
    is_held.set()
    while not publisher._stopped:
        time.sleep(0.01)
    time.sleep(0.2)
    publisher.io_loop.asyncio_loop.stop()

async def hold_the_publisher(self):
    await at_shutdown(self)
    publisher.schedule(hold)
    is_held.wait()

def end_when_it_is_waited_for():
    while len(publisher._events) < 2:
        time.sleep(0.01)

Kernel._at_shutdown = hold_the_publisher
atexit.register(end_when_it_is_waited_for)
print("ready")
"""


def test_a_kernel_ends_though_its_publisher_is_stopped_while_another_publishes(bench: Bench) -> None:
    runner = bench.folder / stage_notebook.RUNNER_FILE
    patient = runner.read_text("utf-8").replace("KERNEL_ENDS_WITHIN_S = 5.0", "KERNEL_ENDS_WITHIN_S = 3600.0")
    assert patient.count("3600.0") == 1
    runner.write_text(patient, "utf-8")
    bench.write([code(STOPPED_BESIDE)])
    assert bench.run() == 0, bench.log
    assert bench.cells()[0]["outputs"][0]["text"] == ["ready\n"]


@pytest.mark.parametrize("is_group", [True, False])
def test_sigterm_keeps_the_output_and_marks_the_cell(bench: Bench, is_group: bool) -> None:
    bench.write([code("print('first')"), code(LOOP), code("print('never')")])
    process = bench.start()
    until(lambda: "tick 20\n" in bench.log)
    (os.killpg if is_group else os.kill)(process.pid, signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 143
    assert bench.last_line == "stopped by SIGTERM in cell 2"
    # The signal may come in the middle of a print, whose line then goes on with the traceback
    shown = [line for line in bench.log.splitlines() if re.fullmatch(r"tick \d+", line)]
    assert shown[-1] in bench.printed(1)
    cells = bench.cells()
    assert cells[1]["metadata"]["lockgate"] == {"state": "stopped"}
    assert "KeyboardInterrupt" in [output.get("ename") for output in cells[1]["outputs"]]
    assert "tick 20" in bench.page
    assert not is_alive(kernel_pid(bench))
    assert list((bench.folder / "tmp").iterdir()) == []


def test_sigterm_ends_a_cell_that_will_not_be_interrupted(bench: Bench) -> None:
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    bench.write([code(stubborn + LOOP.replace("tick", "tock"))])
    process = bench.start()
    until(lambda: "tock 5\n" in bench.log)
    process.terminate()
    assert process.wait(DEADLINE_S) == 143
    assert "tock 5" in bench.printed(0)
    assert not is_alive(kernel_pid(bench))


def test_sigterm_before_the_first_cell(bench: Bench) -> None:
    bench.write([code("import time; time.sleep(100)")])
    process = bench.start()
    until(lambda: psutil.Process(process.pid).children())
    process.terminate()
    assert process.wait(DEADLINE_S) == 143
    assert bench.last_line.startswith("stopped by SIGTERM")


def test_sigkill_loses_nothing_that_was_shown_before_the_last_save(bench: Bench) -> None:
    bench.write([code("print('first')"), code(LOOP)])
    process = bench.start()
    until(lambda: (bench.workspace / "out.ipynb").exists() and "tick 50" in bench.printed(1))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert bench.printed(0) == "first\n"
    assert "tick 50\n" in bench.printed(1)
    assert bench.cells()[1]["metadata"]["lockgate"] == {"state": "running"}
    until(lambda: not is_alive(kernel_pid(bench)))


def test_what_a_cell_forks_can_still_be_terminated(bench: Bench) -> None:
    source = (
        "import multiprocessing, time\nfork = multiprocessing.get_context('fork')\n"
        "child = fork.Process(target=time.sleep, args=(99,))\n"
        "child.start()\nchild.terminate()\nchild.join(20)\nprint(child.exitcode)"
    )
    bench.write([code(source)])
    assert bench.run() == 0, bench.log
    assert "-15\n" in bench.printed(0)


def test_much_output_is_all_kept(bench: Bench) -> None:
    bench.write(
        [
            code("for i in range(200_000):\n    print('line', i)"),
            code("for i in range(3000):\n    display(i)"),
        ]
    )
    assert bench.run() == 0
    assert bench.printed(0) == "".join(f"line {i}\n" for i in range(200_000))
    assert len(bench.cells()[1]["outputs"]) == 3000
    assert bench.log.count("line ") == 200_000


def test_text_of_any_kind_survives(bench: Bench) -> None:
    bench.write(
        [code("print('日本語 ü \\x00 \\u2028 \\r ')"), code("größe = '\u00e9'\ngröße")],
        "bericht ü.ipynb",
    )
    assert bench.run("bericht ü.ipynb") == 0, bench.log
    assert bench.printed(0).startswith("日本語 ü \x00 \u2028 \r \n")
    assert "日本語" in bench.log
    assert "日本語" in bench.page


def test_a_notebook_of_an_old_format_is_read(bench: Bench) -> None:
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "collapsed": False,
                        "input": "print(1)",
                        "language": "python",
                        "metadata": {},
                        "outputs": [],
                    }
                ],
                "metadata": {},
            }
        ],
    }
    (bench.workspace / "n.ipynb").write_text(json.dumps(old))
    assert bench.run() == 0, bench.log
    assert bench.printed(0) == "1\n"
    assert bench.executed()["nbformat"] == 4


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"cells": 3}', '{"nbformat": 4, "metadata": {}, "cells": [7]}']
)
def test_what_is_no_notebook_is_told_in_one_line(bench: Bench, content: str) -> None:
    (bench.workspace / "n.ipynb").write_text(content)
    assert bench.run() == 1
    assert bench.log.startswith("n.ipynb is not a notebook: ")
    assert len(bench.log.splitlines()) == 1


def test_a_language_without_a_kernel_is_told(bench: Bench) -> None:
    bench.write([code("1")], kernelspec={"name": "ir-of-nobody", "language": "R", "display_name": "R"})
    assert bench.run() == 1
    assert bench.last_line == "no kernel named ir-of-nobody (r) is installed on this machine"


def test_the_projects_own_kernel_goes_first(bench: Bench) -> None:
    folder = bench.workspace / "kernels/ours"
    folder.mkdir(parents=True)
    argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(
        json.dumps({"argv": argv, "env": {"OURS": "yes"}, "language": "python"})
    )
    bench.write([code("import os; print(os.environ['OURS'])")], kernelspec={"name": "ours"})
    assert bench.run() == 0, bench.log
    assert bench.printed(0) == "yes\n"


def test_nothing_of_the_owners_home_reaches_the_kernel(bench: Bench) -> None:
    startup = Path(bench.environment["HOME"], ".ipython/profile_default/startup")
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("planted = 1\n")
    bench.write(
        [
            code("print('planted' in globals())"),
            code("import os; print('MPLBACKEND' in os.environ, os.environ.get('MPLBACKEND'))"),
        ]
    )
    assert bench.run() == 0, bench.log
    assert bench.printed(0) == "False\n"
    assert "inline" in bench.printed(1)
