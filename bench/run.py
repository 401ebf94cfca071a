"""`make bench`: Lockgate beside its floors, and beside the peers that are installed, in one table.

Run: python bench/run.py [--quick] [NAME …]; the table goes to the terminal and to bench/results/.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cases
from measure import Row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(cases.CASES)}; none: all")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, smaller graphs: does it run at all?"
    )
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, every start would compile again
    rows: list[Row] = []
    for name in options.names or cases.CASES:
        print(f"… {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
            rows += cases.CASES[name](Path(scratch), options.quick)
    table = render(rows)
    print(table)
    if not options.quick and not options.names:
        results = Path(__file__).parent / "results"
        results.mkdir(exist_ok=True)
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        (results / f"{day}.md").write_text(table + "\n", "utf-8")
    return 0


def render(rows: list[Row]) -> str:
    lines = [
        f"# Measured {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        "",
        machine(),
        "",
        "| what | floor | floor ms | Lockgate ms | ratio | bar | met | note |",
        "| --- | --- | ---: | ---: | ---: | --- | --- | --- |",
    ]
    for row in rows:
        floor_ms = f"{row.floor_ms:.1f}" if row.floor_ms is not None else ""
        ratio = f"{row.ratio:.2f} ×" if row.ratio is not None else ""
        met = "" if row.is_met is None else "yes" if row.is_met else "**no**"
        cells = [row.what, row.floor, floor_ms, f"{row.ours_ms:.1f}", ratio, row.bar, met, row.note]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def machine() -> str:
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    peers = [name for name in ("dvc", "snakemake") if shutil.which(name)]
    beside = f"; peers here: {', '.join(peers)}" if peers else "; no peers installed"
    load = os.getloadavg()[0]
    kind = ["stat", "-f", "-c", "%T", tempfile.gettempdir()]
    scratch = subprocess.run(kind, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return (
        f"{platform.system()} {platform.release()}, {cores} cores, Python {platform.python_version()}, {git}"
        f", scratch on {scratch}, load {load:.1f} at the end{beside}."
        " Medians of whole processes, in turns with the floor."
    )


if __name__ == "__main__":
    sys.exit(main())
