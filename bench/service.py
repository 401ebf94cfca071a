"""What a push over HTTP costs beside the same push over ssh; and whether a crowd of pushes loses one.

Run: python bench/service.py [rounds]
Starts an sshd and the hub's service on loopback (tests/services). Every push asks for a run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/services"))

from ssh_server import SSHD, Server
from web_site import Site

from measure import Row, absolute, environment, paired, sh

_TOML = """\
[stages.copy]
run = "cat in > out"
needs = ["in"]
makes = ["out"]
"""
_CROWD = 10


def service(scratch: Path, is_quick: bool, rounds: int = 15) -> list[Row]:
    """A push by each way in turns, then many at once."""
    os.environ.update(environment(scratch))
    site = Site(scratch / "site")
    site.project("one", {"lockgate.toml": _TOML, "in": "1\n"})
    token = site.member("ada", "lead", project="one")
    site.start()
    try:
        rows = [_crowd(scratch, site, token, 2 if is_quick else 10)]
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


def _pusher(tree: Path, url: str, env: dict[str, str]) -> Callable[[], object]:
    """A push of a commit made before; it goes to a branch of its own."""
    sh(f"git clone -q -o hub {url} {tree}", tree.parent, env)
    sh(f"git checkout -q -b {tree.name}", tree, env)
    sh("for n in $(seq 100); do git commit -q --allow-empty -m $n; done", tree, env)
    commits = iter(sh("git rev-list --reverse hub/main..HEAD", tree, env).split())

    def push() -> object:
        words = ["git", "push", "-q", "hub", f"{next(commits)}:refs/heads/{tree.name}"]
        return subprocess.run(words, cwd=tree, env=env, capture_output=True, check=True)

    return push


def _crowd(scratch: Path, site: Site, token: str, each: int) -> Row:
    """Several members push as fast as they can; every push that git called accepted has its run."""
    env = environment(scratch)
    url = site.git_url("one", "ada", token)
    trees = [scratch / f"member-{number}" for number in range(_CROWD)]
    pushes = [_pusher(tree, url, env) for tree in trees]
    before = len(site.runs("one"))
    reader, writer = os.pipe()
    children = []
    for push in pushes:
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            for _ in range(each):
                push()
            os._exit(0)
        children.append(child)
    began = time.monotonic()
    os.write(writer, b"g" * _CROWD)
    codes = [os.waitpid(child, 0)[1] for child in children]
    took_s = time.monotonic() - began
    count = _CROWD * each
    there = len(site.runs("one")) - before
    lost = "none lost" if there == count and not any(codes) else f"ONLY {there} RUNS OF {count} PUSHES"
    what = f"{count} pushes over HTTP by {_CROWD} members at once, each"
    return absolute(
        what, took_s * 1000 / count, 20, f"{count / took_s:.1f} a second, git's clients beside; {lost}"
    )


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
