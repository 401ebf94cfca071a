"""What the Sync button waits for: a sync with nothing to do, and one of 100 changed notebooks.

Run: python bench/jupyter_sync.py
Prints rows of JSON, medians in milliseconds: at most 300 with nothing to do, at most 3,000 with notebooks.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lockgate.hub.sync.sync import sync
from lockgate.hub.worktree.setup import set_up

NOTEBOOKS, CELLS, SAMPLES = 100, 20, 5
#: Needs no notebook: what is pushed runs nothing, which would be measured too.
STAGE = '[stages.s]\nrun = "echo 1 > d"\nneeds = []\nmakes = ["d"]\n'


def write(root: Path, version: int) -> None:
    for number in range(NOTEBOOKS):
        cells: list[dict[str, object]] = [
            {"cell_type": "code", "id": f"c{cell}", "execution_count": None, "metadata": {}, "outputs": [],
             "source": f"x = {cell} + {version}"}
            for cell in range(CELLS)
        ]  # fmt: skip
        content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (root / f"n{number}.ipynb").write_text(json.dumps(content, indent=1))


def median_ms(root: Path, is_changed: bool) -> float:
    times = []
    for sample in range(SAMPLES):
        if is_changed:
            write(root, sample + 1)
        begun = time.perf_counter()
        done = sync(root)
        times.append((time.perf_counter() - begun) * 1000)
        if done.trouble is not None or is_changed != (done.sent == 1):
            raise SystemExit(f"a sync did not do what is measured: {done}")
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root = Path(name, "p")
        root.mkdir()
        os.environ |= {"LOCKGATE_HUB": str(Path(name, "hub")), "LOCKGATE_LINGER_S": "0.3"}
        (root / "lockgate.toml").write_text(STAGE)
        write(root, 0)
        set_up(root)
        subprocess.run(["git", "config", "user.email", "member@example.org"], cwd=root, check=True)
        sync(root)
        end = time.monotonic() + 60
        while not (root / "d").exists() and time.monotonic() < end:
            time.sleep(0.2)
            sync(root)
        for what, bar_ms, is_changed in (
            ("sync: nothing to do", 300, False),
            (f"sync: {NOTEBOOKS} changed notebooks", 3000, True),
        ):
            ours_ms = median_ms(root, is_changed)
            row = [what, "—", None, ours_ms, None, f"≤ {bar_ms} ms", ours_ms <= bar_ms]
            sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
