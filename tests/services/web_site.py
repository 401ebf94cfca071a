"""A hub that is served over HTTP, for the tests that talk to it: a real service in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from lockgate.hub.directory import create_hub, open_hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.members.authenticate import hash_password
from lockgate.hub.members.book import open_book
from lockgate.hub.members.tokens import issue
from lockgate.hub.members.values import Member, Role, Scope
from lockgate.hub.worktree.admission import admit

DEADLINE_S = 60.0
PASSWORD = "seven barges below the weir"

PROJECT = {
    "lockgate.toml": """\
[project]
name = "flights"

[stages.count]
run = "python3 count.py"
needs = ["count.py", "flights.csv"]
makes = ["counts.csv"]
metrics = ["metrics.json"]

[stages.draw]
run = "python3 draw.py"
needs = ["draw.py", "counts.csv"]
figures = ["counts.svg"]
""",
    "flights.csv": "carrier,delay\nAA,3\nAA,8\nUA,1\nDL,12\n",
    "count.py": """\
import csv, json
from collections import Counter

rows = list(csv.DictReader(open("flights.csv")))
counts = Counter(row["carrier"] for row in rows)
with open("counts.csv", "w") as file:
    csv.writer(file).writerows([("carrier", "flights"), *sorted(counts.items())])
mean = sum(int(row["delay"]) for row in rows) / len(rows)
json.dump({"rows": len(rows), "mean": mean}, open("metrics.json", "w"))
print("counted", len(rows), "flights")
""",
    "draw.py": """\
import csv

rows = list(csv.DictReader(open("counts.csv")))
bars = "".join(
    f'<rect x="{n * 30}" y="0" width="20" height="{int(row["flights"]) * 20}"/>' for n, row in enumerate(rows)
)
open("counts.svg", "w").write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 60">{bars}</svg>')
print("drew", len(rows), "bars")
""",
}


class Site:
    """A hub in a folder of its own, with the service on a loopback port once `start` was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "hub"
        self.env = dict(os.environ) | {"LOCKGATE_HUB": str(self.folder), "LOCKGATE_LINGER_S": "3"}
        create_hub(self.folder)
        self.hub = open_hub(self.folder)
        self.port = _free_port()
        self.log = root / "service.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start the service and wait until it answers."""
        self._process = self._worker(self.port, *options)

    @contextlib.contextmanager
    def second(self, *options: str) -> Iterator[str]:
        """Another worker on the same hub, at the address yielded."""
        port = _free_port()
        worker = self._worker(port, *options)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            worker.kill()
            worker.wait()

    def _worker(self, port: int, *options: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-I", "-m", "lockgate.web.worker", "--hub", str(self.folder)]
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [*words, "--port", str(port), *options], env=self.env, stdout=log, stderr=log
            )
        end = time.monotonic() + DEADLINE_S
        while True:
            assert worker.poll() is None, self.log.read_text()
            assert time.monotonic() < end, f"the service does not answer: {self.log.read_text()}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return worker
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        """End the service and what runs on the hub, and see that it told of no fault of its own."""
        self.stop()
        index = Index(self.hub.index)
        for row in index.unfinished():
            index.request_cancel(row.request.id, "the end of the test")
        index.close()

    def git(self, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run git as a member's machine does; return all it said."""
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=self.env | dict(env or {}),
            capture_output=True,
            timeout=110,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, said
        return said

    def project(
        self, name: str = "flights", files: Mapping[str, str] = PROJECT, *, has_run: bool = True
    ) -> Path:
        """Add a project, push these files by path, and wait for the run; return the work tree."""
        admit(self.hub, name)
        tree = self.root / name
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for path, content in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(content)
        self.git(tree, "init", "--quiet", "--initial-branch=main")
        self.git(tree, "add", ".")
        self.git(tree, "commit", "--quiet", "-m", "Count the flights")
        self.git(tree, "remote", "add", "hub", str(self.hub.repository(name)))
        self.git(tree, "push", "-o", "wait" if has_run else "skip", "hub", "main")
        return tree

    def member(
        self,
        name: str,
        role: Role | None = "member",
        *,
        project: str = "flights",
        scope: Scope = "admin",
        is_operator: bool = False,
    ) -> str:
        """Invite somebody with the password `PASSWORD`; return a token of theirs."""
        book = open_book(self.hub)
        digest = hash_password(PASSWORD)
        roles = {project: role} if role is not None else {}
        book.add(Member(name=name, roles=roles, password=digest, is_operator=is_operator))
        return issue(book, name, "test", scope)[1]

    def git_url(self, project: str = "flights", name: str = "", secret: str = "") -> str:
        """Return the address that git clones, with who asks in it."""
        who = f"{name}:{quote(secret, safe='')}@" if name else ""
        return f"http://{who}127.0.0.1:{self.port}/git/{project}.git"

    def runs(self, project: str = "flights") -> list[RunRow]:
        """Return the project's runs, newest first."""
        index = Index(self.hub.index, is_read_only=True)
        try:
            return index.runs(project, 1000)
        finally:
            index.close()

    def client(self, **options: Any) -> httpx.Client:
        """Return a client of the service; redirects are not followed."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def get(self, path: str, **options: Any) -> Any:
        """Return the JSON that a path of the API answers with."""
        with self.client() as client:
            answer = client.get("/api/v1" + path, **options)
            assert answer.status_code == 200, answer.text
            return json.loads(answer.text)


@contextlib.contextmanager
def served(root: Path) -> Iterator[Site]:
    """A site that is ended whatever happens."""
    site = Site(root)
    try:
        yield site
    finally:
        site.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
