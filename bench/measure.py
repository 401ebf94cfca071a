"""Timing in pairs: ours and the floor in turns, in the same run, so that a ratio outlives a noisy machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent
LOCKGATE = str(BIN / "lockgate")


class Row(NamedTuple):
    """One line of the table. Times in milliseconds, medians."""

    what: str
    floor: str
    floor_ms: float | None
    ours_ms: float
    ratio: float | None
    bar: str
    is_met: bool | None
    note: str = ""


def environment(home: Path) -> dict[str, str]:
    """The environment of every measured program: bytecode on, nobody's configuration."""
    keep = {
        name: os.environ[name] for name in ("LANG", "UV_CACHE_DIR", "SSL_CERT_FILE") if name in os.environ
    }
    cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    return keep | {
        "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LOCKGATE_HUB": str(home / "hub"),
        "UV_CACHE_DIR": cache,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "bench",
        "GIT_AUTHOR_EMAIL": "bench@example.org",
        "GIT_COMMITTER_NAME": "bench",
        "GIT_COMMITTER_EMAIL": "bench@example.org",
    }


def sh(script: str, folder: Path, env: dict[str, str]) -> str:
    """Run a shell script that must succeed; return what it printed."""
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"bench: {script[:200]!r} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of wall time of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def program(words: list[str], folder: Path, env: dict[str, str]) -> Callable[[], object]:
    """A whole process, its output thrown away; it must succeed."""

    def call() -> object:
        return subprocess.run(
            words, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
        )

    return call


def paired(
    what: str,
    floor: str,
    floor_call: Callable[[], object],
    our_call: Callable[[], object],
    bar: float,
    rounds: int,
    *,
    before: Callable[[], object] = lambda: None,
    note: str = "",
) -> Row:
    """Time both in turns after one warm-up each; the ratio is the median of the pairs' ratios."""
    floors, ours = [], []
    for number in range(rounds + 1):
        before()
        a = timed(floor_call)
        before()
        b = timed(our_call)
        if number:
            floors.append(a)
            ours.append(b)
    return paired_times(what, floor, list(zip(floors, ours, strict=True)), bar, note)


def paired_times(
    what: str, floor: str, pairs: Sequence[tuple[float, float]], bar: float, note: str = ""
) -> Row:
    """The row of pairs of the floor's milliseconds and ours; the ratio is the median of the pairs' ratios."""
    ratio = statistics.median(ours / floor_ms for floor_ms, ours in pairs)
    return Row(
        what,
        floor,
        statistics.median(floor_ms for floor_ms, _ in pairs),
        statistics.median(ours for _, ours in pairs),
        ratio,
        f"≤ {bar} ×",
        ratio <= bar,
        note,
    )


def absolute(what: str, ours_ms: float, bar_ms: float, note: str = "") -> Row:
    return Row(what, "—", None, ours_ms, None, f"≤ {bar_ms:g} ms", ours_ms <= bar_ms, note)
