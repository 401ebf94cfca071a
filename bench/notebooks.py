"""What it costs a notebook to be a stage, kept cell by cell and with its page: beside `jupyter execute`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lockgate.hub.directory import create_hub
from lockgate.hub.software.runtimes import Runtimes
from lockgate.runs import notebook_runner
from lockgate.runs.notebook import notebook_command
from measure import LOCKGATE, Row, environment, paired, program, sh

#: How much longer than `jupyter execute` a notebook stage may take.
BAR = 1.15

_ROUNDS_QUICK, _ROUNDS = 1, 5
_CELLS = 20
#: A notebook that is worth a stage works for some seconds.
_SECONDS_A_CELL = 0.25


def notebooks(scratch: Path, quick: bool) -> list[Row]:
    """Return a row for the runner in a job's folder, and one for a whole `lockgate run` of that stage."""
    env = environment(scratch)
    hub, _ = create_hub(Path(env["LOCKGATE_HUB"]))
    runtimes = Runtimes(hub.runtimes)
    found = runtimes.locked({}, None, lambda path: None, has_notebooks=True)
    python = runtimes.build(found.digest, found.text, found.kind, Path(found.interpreter))
    inside = env | {"PATH": f"{python.parent}:{env['PATH']}"}
    job = scratch / "job"
    (job / "workspace").mkdir(parents=True)
    _write(job / "workspace" / "n.ipynb")
    runner = notebook_command("n.ipynb", (), {})
    place = job / "workspace" / runner.split()[1]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(Path(notebook_runner.__file__).read_bytes())
    execute = [str(python.parent / "jupyter-execute"), "--output", str(scratch / "floor"), "n.ipynb"]
    floor = program(execute, job / "workspace", inside)
    rounds = _ROUNDS_QUICK if quick else _ROUNDS
    what = f"a notebook of {_CELLS} cells and {_CELLS * _SECONDS_A_CELL:.0f} s"
    ours = program(["sh", "-c", runner], job / "workspace", inside)
    return [
        paired(f"{what}, as a job runs it", "`jupyter execute`", floor, ours, BAR, rounds),
        paired(f"{what}, `lockgate run`", "`jupyter execute`", floor, _run(scratch, env), BAR, rounds),
    ]


def _run(scratch: Path, env: dict[str, str]) -> Callable[[], object]:
    tree = scratch / "tree"
    tree.mkdir()
    sh("git init -q .", tree, env)
    _write(tree / "n.ipynb")
    (tree / "lockgate.toml").write_text('[stages.n]\nnotebook = "n.ipynb"\nneeds = []\n')
    sh(f"{LOCKGATE} init && git add -A && git commit -qm first && {LOCKGATE} run", tree, env)
    return program([str(LOCKGATE), "run", "--force", "n"], tree, env)


def _write(path: Path) -> None:
    source = f"import time\ntime.sleep({_SECONDS_A_CELL})\nprint('x' * 1000)"
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for n in range(_CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
