"""What is measured, each against the floor it is held to."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from data import data
from jupyter import jupyter
from measure import LOCKGATE, Row, absolute, environment, paired, program, sh, timed
from notebooks import notebooks
from observing import observing
from pages import first_page
from pipelines import fan
from remotes import remotes
from search import search_index
from service import service
from slurm import slurm

#: The 20-line hook that does just this: check out, run, commit, on push.
_HOOK = """\
#!/bin/bash
read old new ref
[ "$ref" = refs/heads/main ] || exit 0
unset GIT_QUARANTINE_PATH
export GIT_DIR={repository}
work={work}/$new; mkdir -p $work
GIT_INDEX_FILE=$work.idx git --work-tree=$work checkout -q -f $new -- .
(cd $work && python s.py > log.txt 2>&1); code=$?
export GIT_INDEX_FILE=$work.idx2 GIT_WORK_TREE=$work
git read-tree $new
(cd $work && git add -A .)
tree=$(git write-tree)
commit=$(echo "result of $new: $code" | git commit-tree $tree -p $new)
git update-ref refs/heads/main $commit
rm -rf $work $work.idx $work.idx2
"""

_ONE_STAGE = """\
[project]
name = "one"

[stages.copy]
run = "python s.py"
needs = ["s.py", "in.csv"]
makes = ["out.csv"]
"""

#: The script of both: it sums a column.
_SCRIPT = """\
import csv
rows = list(csv.DictReader(open("in.csv")))
open("out.csv", "w").write("sum\\n%s\\n" % sum(float(row["x"]) for row in rows))
"""


def startup(scratch: Path, quick: bool) -> list[Row]:
    env = environment(scratch)
    rounds = 5 if quick else 25
    floor = program([sys.executable, "-c", "pass"], scratch, env)
    ours = program([LOCKGATE, "--version"], scratch, env)
    return [paired("`lockgate --version`", "`python -c pass`", floor, ours, 6, rounds)] + [
        paired(f"peer: `{peer} --version`", "`python -c pass`", floor,
               program([peer, "--version"], scratch, env | {"PATH": os.environ["PATH"]}), 6, 5)
        for peer in ("dvc", "snakemake") if shutil.which(peer)
    ]  # fmt: skip


def status(scratch: Path, quick: bool) -> list[Row]:
    count, rounds = (100, 3) if quick else (1000, 15)
    env, folder = environment(scratch), scratch / "fan"
    fan(folder, count, env)
    sh(f"{LOCKGATE} init && {LOCKGATE} run && git add -A && git commit -qm results && make -s", folder, env)
    ours = program([LOCKGATE, "status"], folder, env)
    rows = [
        paired(
            f"`lockgate status`, {count:,} stages, nothing to do",
            "`make`",
            program(["make", "-s"], folder, env),
            ours,
            1.5,
            rounds,
        )
    ]
    (folder / "in" / "7.txt").write_text("changed\n")
    said = sh(f"{LOCKGATE} status", folder, env)
    if "s7" not in said or "in/7.txt" not in said:
        raise SystemExit(f"bench: status does not name the change: {said}")
    changed = "one changed: `lockgate status` names it"
    rows.append(paired(changed, "`make -n`", program(["make", "-n"], folder, env), ours, 1.5, rounds))
    return rows


def push(scratch: Path, quick: bool) -> list[Row]:
    rounds = 3 if quick else 12
    env = environment(scratch) | {"LOCKGATE_LINGER_S": "300"}
    floor = _floor_push(scratch, env)
    ours = _our_push(scratch, env, scratch / "hub")
    rows = [paired("push → result fetched, dispatcher awake", "bash hook", floor, ours, 3, rounds)]
    _end_dispatcher(scratch / "hub")
    env["LOCKGATE_LINGER_S"] = "0"
    rows.append(
        paired(
            "push → result fetched, dispatcher asleep",
            "bash hook",
            floor,
            _our_push(scratch, env, scratch / "hub"),
            6,
            rounds,
            before=lambda: _wait_asleep(scratch / "hub"),
        )
    )
    return rows


def _floor_push(scratch: Path, env: dict[str, str]) -> Callable[[], object]:
    server, clone, work = scratch / "floor.git", scratch / "floor", scratch / "work"
    work.mkdir()
    sh(f"git init -q --bare -b main {server} && git clone -q {server} {clone}", scratch, env)
    hook = server / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_HOOK.format(repository=server, work=work))
    hook.chmod(0o755)
    (clone / "s.py").write_text(_SCRIPT)
    (clone / "in.csv").write_text("x\n0\n")
    sh("git checkout -q -b main; git add -A && git commit -qm first", clone, env)
    return _pusher(clone, "origin", [], env)


def _our_push(scratch: Path, env: dict[str, str], hub: Path) -> Callable[[], object]:
    clone = scratch / "ours"
    if not clone.exists():
        clone.mkdir()
        (clone / "s.py").write_text(_SCRIPT)
        (clone / "in.csv").write_text("x\n0\n")
        (clone / "lockgate.toml").write_text(_ONE_STAGE)
        sh("git init -q -b main && git add -A && git commit -qm first", clone, env)
        sh(f"{LOCKGATE} init && git add -A && git commit -qm set-up", clone, env)
    return _pusher(clone, "hub", ["-o", "wait"], env)


_numbers = itertools.count(1)


def _pusher(clone: Path, remote: str, options: list[str], env: dict[str, str]) -> Callable[[], object]:
    """Change, commit (both not measured elsewhere: milliseconds for both alike), push, fetch the result."""

    def call() -> object:
        number = next(_numbers)
        (clone / "in.csv").write_text(f"x\n{number}\n")
        words = " ".join(options)
        return sh(
            f"git commit -qam {number} && git push -q {words} {remote} main 2>/dev/null"
            f" && git pull -q --ff-only {remote} main && grep -qx {number}.0 out.csv",
            clone,
            env,
        )

    return call


def _dispatcher(hub: Path) -> int | None:
    try:
        pid = int((hub / "dispatcher.lock").read_text() or 0)
        os.kill(pid, 0)
        return pid
    except (OSError, ValueError):
        return None


def _end_dispatcher(hub: Path) -> None:
    pid = _dispatcher(hub)
    if pid:
        os.kill(pid, 15)
        _wait_asleep(hub)


def _wait_asleep(hub: Path) -> None:
    give_up_at = time.monotonic() + 30
    while _dispatcher(hub) is not None and time.monotonic() < give_up_at:
        time.sleep(0.01)


def many(scratch: Path, quick: bool) -> list[Row]:
    count, rounds = (100, 1) if quick else (1000, 3)
    env = environment(scratch) | {"LOCKGATE_LINGER_S": "0"}
    floors, ours = [], []
    for number in range(rounds):
        folder, hub = scratch / f"fan{number}", scratch / f"hub{number}"
        fan(folder, count, env)
        env["LOCKGATE_HUB"] = str(hub)
        sh(f"{LOCKGATE} init", folder, env)
        (folder / "out").mkdir()
        xargs = f"seq 0 {count - 1} | xargs -P2 -I{{}} sh -c 'cat in/{{}}.txt > out/{{}}.txt'"
        # What laying out wrote, and what the last round tidies up, is no part of either
        os.sync()
        floors.append(timed(lambda f=folder, script=xargs: sh(script, f, env)))
        shutil.rmtree(folder / "out")
        os.sync()
        ours.append(timed(program([LOCKGATE, "run"], folder, env)))
        if len(list((folder / "out").iterdir())) != count:
            raise SystemExit("bench: results are missing")
        _wait_asleep(hub)
    ratio = statistics.median(b / a for a, b in zip(floors, ours, strict=True))
    return [
        Row(
            f"{count:,} independent trivial stages, 2 at a time: `lockgate run`, records and results",
            "`xargs -P2`",
            statistics.median(floors),
            statistics.median(ours),
            ratio,
            "≤ 3 ×",
            ratio <= 3,
        )
    ]


def runtime(scratch: Path, quick: bool) -> list[Row]:
    from lockgate.hub.software.runtimes import Runtimes

    env = environment(scratch)
    os.environ["UV_CACHE_DIR"] = env["UV_CACHE_DIR"]
    packages = b"numpy\n" if quick else b"numpy\npandas\nscikit-learn\n"
    runtimes = Runtimes(scratch / "runtimes")
    text = runtimes.locks.lock({"requirements.txt": packages}, "requirements.txt", None)
    interpreter, _ = runtimes.pythons.find(None)
    lock = scratch / "lock.txt"
    lock.write_text(text)
    uv = shutil.which("uv", path=env["PATH"]) or "uv"
    floors, ours, again = [], [], []
    for number in range(2 if quick else 4):
        venv, digest = scratch / f"venv{number}", f"{number:064x}"
        script = (
            f"{uv} venv -q --python {interpreter} {venv} && {uv} pip sync -q --require-hashes"
            f" --compile-bytecode --python {venv}/bin/python {lock}"
        )
        floor = timed(lambda s=script: sh(s, scratch, env))
        ours_ms = timed(lambda d=digest: runtimes.build(d, text, "requirements", interpreter))
        again_ms = timed(lambda d=digest: Runtimes(runtimes.folder).ready(d))
        if number:
            floors.append(floor)
            ours.append(ours_ms)
            again.append(again_ms)
    more = statistics.median(b - a for a, b in zip(floors, ours, strict=True))
    return [
        absolute("runtime already built: found again by lock digest", statistics.median(again), 20),
        Row(
            "runtime built anew (bytecode compiled in both)",
            "`uv venv` + `uv pip sync`",
            statistics.median(floors),
            statistics.median(ours),
            None,
            "≤ floor + 100 ms",
            more <= 100,
            f"{more:+.0f} ms",
        ),
    ]


def planning(scratch: Path, quick: bool) -> list[Row]:
    return _script("planning.py", ["1000" if quick else "10000"])


def activity(scratch: Path, quick: bool) -> list[Row]:
    return _script("activity.py", ["1000" if quick else "100000"])


def jupyter_sync(scratch: Path, quick: bool) -> list[Row]:
    return _script("jupyter_sync.py", [])


def jupyter_page(scratch: Path, quick: bool) -> list[Row]:
    return _script("jupyter_page.py", [])


def _script(name: str, arguments: list[str]) -> list[Row]:
    """A measurement with a program of its own; it prints one row of JSON a line."""
    import json

    words = [sys.executable, str(Path(__file__).parent / name), "--json", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {name} failed:\n{done.stderr[-2000:]}")
    return [Row(*json.loads(line)) for line in done.stdout.splitlines() if line.startswith("[")]


CASES: dict[str, Callable[[Path, bool], list[Row]]] = {
    "startup": startup,
    "status": status,
    "push": push,
    "many": many,
    "runtime": runtime,
    "planning": planning,
    "activity": activity,
    "jupyter_sync": jupyter_sync,
    "jupyter_page": jupyter_page,
    "slurm": slurm,
    "service": service,
    "jupyter": jupyter,
    "pages": first_page,
    "search": search_index,
    "remotes": remotes,
    "observing": observing,
    "notebooks": notebooks,
    "data": data,
}
