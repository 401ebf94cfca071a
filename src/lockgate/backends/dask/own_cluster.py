"""A Dask cluster of Lockgate's own on the hub's machine: it outlives the dispatcher, and ends by itself when
nothing has run for a while."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from lockgate.backends.dask.options import Options
from lockgate.errors import OutsideError

_IDLE = "10 minutes"
_START_S = 30.0
_FILE = "scheduler.json"


class _Processes(msgspec.Struct, frozen=True):
    """Who was started: process ids with the ticks since boot at which each began."""

    started: dict[int, str]


def folder() -> Path:
    """Return where the cluster keeps its files."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "lockgate", "dask")


def scheduler_file() -> str:
    """Return the file by which programs find the scheduler."""
    return str(folder() / _FILE)


def start(options: Options) -> None:
    """Start the cluster unless it runs; whoever comes first starts it for all.

    Raises `OutsideError` (`backend-unreachable`, transient) when it does not come up.
    """
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _runs(place):
            return
        stop()
        (place / _FILE).unlink(missing_ok=True)
        (place / "log").unlink(missing_ok=True)
        scheduler = _spawn(["scheduler", *_scheduler_options(place)], place)
        _note(place, [scheduler])
        _wait(place, scheduler)
        _note(place, [scheduler, _spawn(["worker", *_worker_options(options, place)], place)])


def stop() -> None:
    """End the cluster's processes, and with its workers the jobs there."""
    place = folder()
    for pid, began in _read(place).started.items():
        if _began(pid) == began:
            os.kill(pid, 15)
    (place / "processes.json").unlink(missing_ok=True)


def _scheduler_options(place: Path) -> list[str]:
    return [
        *("--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
        *("--scheduler-file", str(place / _FILE), "--idle-timeout", _IDLE),
    ]


def _worker_options(options: Options, place: Path) -> list[str]:
    threads = options.threads or max(1, (os.cpu_count() or 1) // (options.workers or 1))
    resources = f"CPU={threads}"
    if options.memory_bytes:
        resources += f" MEMORY={options.memory_bytes}"
    return [
        *("--scheduler-file", str(place / _FILE), "--host", "127.0.0.1"),
        *("--nworkers", str(options.workers or 1), "--nthreads", str(threads)),
        *("--memory-limit", "0", "--resources", resources),
        *("--local-directory", str(place / "work"), "--no-dashboard", "--death-timeout", "60"),
    ]


def _spawn(arguments: list[str], place: Path) -> int:
    """Start a program that is no child of ours: it outlives us, and its end is nobody's to wait for."""
    done = subprocess.run(
        [
            *("/bin/sh", "-c", 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!', "sh"),
            *(str(place / "log"), sys.executable, "-m", "dask", *arguments),
        ],
        cwd=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    return int(done.stdout)


def _wait(place: Path, pid: int) -> None:
    ends_at = time.monotonic() + _START_S
    while not (place / _FILE).exists():
        if _began(pid) is None or time.monotonic() > ends_at:
            raise OutsideError(
                f"Lockgate's own Dask scheduler did not come up; {place}/log says why",
                "Install Dask beside the hub's Lockgate: uv pip install 'dask[distributed]'",
                code="backend-unreachable",
                is_transient=True,
            )
        time.sleep(0.05)


def _runs(place: Path) -> bool:
    started = _read(place).started
    return len(started) == 2 and all(_began(pid) == began for pid, began in started.items())


def _note(place: Path, pids: list[int]) -> None:
    processes = _Processes({pid: _began(pid) or "" for pid in pids})
    (place / "processes.json").write_bytes(msgspec.json.encode(processes))


def _read(place: Path) -> _Processes:
    try:
        return msgspec.json.decode((place / "processes.json").read_bytes(), type=_Processes)
    except (OSError, msgspec.DecodeError):
        return _Processes({})


def _began(pid: int) -> str | None:
    """Return when a process began, so that another one with its number is not taken for it; None: none."""
    done = subprocess.run(
        ["ps", "-o", "lstart=,stat=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
    )
    *words, state = done.stdout.split() or ["Z"]
    return None if state.startswith("Z") else " ".join(words)
