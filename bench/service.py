"""What a push over HTTP costs beside the same push over ssh, whether a crowd of pushes loses one, and whether
gigabytes are held in memory.

Run: python bench/service.py [rounds]
Starts an sshd and the hub's service on loopback (tests/services). Every push asks for a run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/services"))

from ssh_server import SSHD, Server
from web_site import Site

from bare_http import bare_http
from measure import Row, environment, paired, sh
from processes import cpu_s, peak, peaks

_TOML = """\
[stages.copy]
run = "cat in > out"
needs = ["in"]
makes = ["out"]
"""
#: Members who push as fast as they can, and pushes that come at one moment.
_CROWD, _BURST = 10, 50
_FILE_BYTES = 80_000_000
#: What the service may take more while gigabytes pass through it.
_GROWTH_MB = 40


def service(scratch: Path, is_quick: bool, rounds: int = 15) -> list[Row]:
    """A push by each way in turns, then many at once."""
    os.environ.update(environment(scratch))
    site = Site(scratch / "site")
    site.project("one", {"lockgate.toml": _TOML, "in": "1\n"})
    token = site.member("ada", "lead", project="one")
    site.start()
    try:
        each = 2 if is_quick else 10
        rows = [
            _crowd(scratch, site, token, _BURST, 1),
            _crowd(scratch, site, token, _CROWD, each),
            *_large(scratch, site, token, 3 if is_quick else 25),
        ]
        if SSHD is None:
            print("NOT MEASURED: a push over ssh: sshd is not installed", file=sys.stderr)
            return rows
        keys = scratch / "keys"
        keys.mkdir()
        server = Server(keys, "SetEnv LOCKGATE_MEMBER=ada")
        try:
            return [_push(scratch, site, token, server, 2 if is_quick else rounds), *rows]
        finally:
            server.stop()
    finally:
        site.close()


def _push(scratch: Path, site: Site, token: str, server: Server, rounds: int) -> Row:
    env = environment(scratch) | {"GIT_SSH_COMMAND": server.ssh}
    ways = {
        "http": site.git_url("one", "ada", token),
        "ssh": server.url(site.hub.repository("one")),
    }
    pushes = {name: _pusher(scratch / name, url, env) for name, url in ways.items()}
    return paired(
        "a push over HTTP",
        "the same over ssh",
        pushes["ssh"],
        pushes["http"],
        1.3,
        rounds,
        note="to its receipt",
    )


def _pusher(tree: Path, url: str, env: dict[str, str], count: int = 100) -> Callable[[], object]:
    """A push of the next of so many commits made before; they go to a branch of their own."""
    sh(f"git clone -q -o hub {url} {tree}", tree.parent, env)
    sh(f"git checkout -q -b {tree.name}", tree, env)
    sh(f"for n in $(seq {count}); do git commit -q --allow-empty -m $n; done", tree, env)
    commits = iter(sh("git rev-list --reverse hub/main..HEAD", tree, env).split())

    def push() -> object:
        words = ["git", "push", "-q", "hub", f"{next(commits)}:refs/heads/{tree.name}"]
        done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{tree.name} could not push: {done.stderr}")
        return done

    return push


def _crowd(scratch: Path, site: Site, token: str, members: int, each: int) -> Row:
    """Members push all at once; every push that git called accepted has its run. Beside it the same pushes by
    git alone, into a bare folder of the same disk and to the least that serves it over HTTP: no members, no
    checks, no run."""
    env = environment(scratch)
    bare = scratch / f"bare-{members}.git"
    sh(f"git clone -q --bare {site.hub.repository('one')} {bare}", scratch, env)
    sh(f"cp -r {bare} {scratch}/served-{members}.git", scratch, env)
    with bare_http(scratch) as (address, pid):
        ways = {
            "alone": str(bare),
            "served": f"{address}/served-{members}.git",
            "member": site.git_url("one", "ada", token),
        }
        alone, served, ours = (
            [_pusher(scratch / f"{name}-{n}-of-{members}", url, env, each) for n in range(members)]
            for name, url in ways.items()
        )
        floor_s = _at_once(alone, each)
        least_s = cpu_s(pid)
        served_s = _at_once(served, each)
        least_ms = (cpu_s(pid) - least_s) * 1000 / (members * each)
    before = len(site.runs("one"))
    server_s, clients_s = cpu_s(site.pid), _clients_s()
    took_s = _at_once(ours, each)
    count = members * each
    server_ms, clients_ms = (
        (now - then) * 1000 / count for now, then in ((cpu_s(site.pid), server_s), (_clients_s(), clients_s))
    )
    there = len(site.runs("one")) - before
    lost = "none lost" if there == count else f"ONLY {there} RUNS OF {count} PUSHES"
    note = (
        f"{lost}; {count / took_s:.1f} a second, git alone {count / floor_s:.1f},"
        f" git http-backend {count / served_s:.1f} with {least_ms:.0f} ms of each; processor time of each:"
        f" {server_ms:.0f} ms here, {clients_ms:.0f} ms its client"
    )
    floor = "git alone into a folder"
    if each == 1:
        what = f"{count} pushes over HTTP at one moment, until all are queued"
        ratio = took_s / floor_s
        return Row(what, floor, floor_s * 1000, took_s * 1000, ratio, "none lost", there == count, note)
    what = f"{count} pushes over HTTP by {members} members at once, each"
    floor_ms, ours_ms = floor_s * 1000 / count, took_s * 1000 / count
    return Row(what, floor, floor_ms, ours_ms, ours_ms / floor_ms, "≤ 20 ms", ours_ms <= 20, note)


def _at_once(pushes: list[Callable[[], object]], each: int) -> float:
    """Return how many seconds so many clients took that began to push at one moment."""
    reader, writer = os.pipe()
    children = []
    for push in pushes:
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            try:
                for _ in range(each):
                    push()
            except SystemExit as failure:
                print(failure, file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    began = time.monotonic()
    os.write(writer, b"g" * len(pushes))
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        raise SystemExit(f"{sum(map(bool, codes))} of {len(pushes)} clients could not push")
    return time.monotonic() - began


def _clients_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _large(scratch: Path, site: Site, token: str, files: int) -> list[Row]:
    """One push of so many files that do not compress, and a clone of them."""
    env = environment(scratch)
    url, tree = site.git_url("one", "ada", token), scratch / "large"
    sh(f"git clone -q -o hub {url} {tree}", scratch, env)
    sh(
        "git config core.compression 0; git config core.bigFileThreshold 1m; git checkout -q -b large",
        tree,
        env,
    )
    for number in range(files):
        with (tree / f"{number}.bin").open("wb") as file:
            for _ in range(_FILE_BYTES // 1_000_000):
                file.write(os.urandom(1_000_000))
    sh("git add .; git commit -q -m large", tree, env)
    size = f"{files * _FILE_BYTES / 1e9:.1f} GB"
    rows = []
    for what, words, folder in (
        (f"a push of {size} over HTTP", ["git", "push", "-q", "hub", "large"], tree),
        (f"a clone of {size}", ["git", "clone", "-q", "--bare", "-b", "large", url, "copy.git"], scratch),
    ):
        before, began = peak(site.pid), time.monotonic()
        with peaks(site.pid) as found:
            subprocess.run(words, cwd=folder, env=env, capture_output=True, check=True)
        took_ms, growth_mb = (time.monotonic() - began) * 1000, peak(site.pid) - before
        found.pop("lockgate.web.worker", None)
        others = ", ".join(f"{name} {mb:.0f} MB" for name, mb in sorted(found.items()) if mb >= 1)
        note = f"the service grew by {growth_mb:.0f} MB to {peak(site.pid):.0f} MB; at most: {others}"
        is_met = growth_mb <= _GROWTH_MB
        rows.append(Row(what, "—", None, took_ms, None, f"≤ {_GROWTH_MB} MB more", is_met, note))
    for folder in (tree, scratch / "copy.git"):
        shutil.rmtree(folder)
    return rows


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        for row in service(Path(scratch), False, rounds):
            floor = f", floor {row.floor_ms:.0f} ms, {row.ratio:.2f} ×" if row.floor_ms and row.ratio else ""
            print(f"{row.what}: {row.ours_ms:.1f} ms{floor} (bar {row.bar}); {row.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
