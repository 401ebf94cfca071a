"""What it costs a stage to be observed: its command with and without the observer, in turns."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from lockgate.runs import notebook_runner
from measure import Row, environment, paired_times, program

#: How much longer a stage may take for being observed by default to be right.
BAR = 1.05

_ROUNDS_QUICK, _ROUNDS = 2, 7

_COMMANDS = {
    "counts for a second": "sum(i * i for i in range(15_000_000))",
    "imports pandas and ends": "import pandas",
    "opens 2,000 files, twice": (
        "import os\nfor n in range(2000):\n    with open(f'f{n}', 'w') as f: f.write('x')\n"
        "for n in range(2000):\n    with open(f'f{n}') as f: f.read()"
    ),
}


def observing(scratch: Path, quick: bool) -> list[Row]:
    """Return a row for each sort of command, in processor time: the observer works while the stage waits."""
    job = scratch / "job"
    for name in ("workspace", "observed", "python"):
        (job / name).mkdir(parents=True)
    programs = Path(notebook_runner.__file__).parent
    (job / "observer.py").write_bytes((programs / "observer.py").read_bytes())
    (job / "python" / "sitecustomize.py").write_bytes((programs / "variable_reader.py").read_bytes())
    env = environment(scratch)
    rounds = _ROUNDS_QUICK if quick else _ROUNDS
    rows = []
    for what, text in _COMMANDS.items():
        plain = [sys.executable, "-c", text]
        floor = program(plain, job / "workspace", env)
        ours = program(["python3", "-IS", "../observer.py", "../observed", *plain], job / "workspace", env)
        floor(), ours()
        pairs = [(_processor_ms(floor), _processor_ms(ours)) for _ in range(rounds)]
        row = paired_times(
            f"a stage that {what}, observed (processor time)", "unobserved", pairs, BAR,
            "off by default, as not every stage stays below the bar",
        )  # fmt: skip
        rows.append(row)
    return rows


def _processor_ms(call: Callable[[], object]) -> float:
    before = getrusage(RUSAGE_CHILDREN)
    call()
    after = getrusage(RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
