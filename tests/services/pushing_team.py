"""Members that push to a hub again and again, and whether each push they were told went through is there."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.members.book import open_book
from lockgate.hub.members.tokens import issue
from lockgate.hub.members.values import Member
from lockgate.hub.worktree.admission import admit

MANIFEST = '[stages.copy]\nrun = "cat i > o"\nneeds = ["i"]\nmakes = ["o"]\n'
DEADLINE_S = 120.0


class Push(NamedTuple):
    """One push that came through: the commit, the end of its run's id, when it was answered."""

    member: str
    commit: str
    run: str
    at: float


def add_members(hub: Hub, names: tuple[str, ...]) -> dict[str, str]:
    """Make these people leads of all projects; return the secret of a token of each."""
    book = open_book(hub)
    for name in names:
        book.add(Member(name=name, email=f"{name}@example.org", roles={"*": "lead"}))
    return {name: issue(book, name, "push", "admin")[1] for name in names}


class Pusher(threading.Thread):
    """Changes the input, commits, pushes a branch of its own, until it is stopped."""

    def __init__(self, folder: Path, url: str, member: str) -> None:
        super().__init__(name=member)
        self.folder, self.url, self.member = folder / member, url, member
        self.pushed: list[Push] = []
        self.faults: list[str] = []
        self._is_over = threading.Event()
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", f"of-{member}")
        self.git("config", "user.email", f"{member}@example.org")
        (self.folder / "lockgate.toml").write_text(MANIFEST)

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, text=True, timeout=110, check=False
        )

    def stop(self) -> None:
        self._is_over.set()
        self.join(DEADLINE_S)
        if self.is_alive():
            self.faults.append(f"the push under way did not end within {DEADLINE_S:.0f} s")

    def run(self) -> None:
        number = 0
        while not self._is_over.is_set():
            number += 1
            (self.folder / "i").write_text(f"{self.member} {number}\n")
            self.git("add", "--all")
            self.git("commit", "--quiet", "-m", f"change {number}")
            commit = self.git("rev-parse", "HEAD").stdout.strip()
            done = self.git("push", self.url, f"HEAD:refs/heads/{self.member}-{number}")
            receipts = [
                line.split()[2]
                for line in done.stderr.splitlines()
                if line.startswith(("remote: run ", "remote:   run "))
            ]
            if done.returncode or len(receipts) != 1:
                self.faults.append(done.stderr)
            else:
                self.pushed.append(Push(self.member, commit, receipts[0], time.time()))


def make_project(hub: Hub, name: str = "p") -> None:
    admit(hub, name)


def missing(hub: Hub, pushes: list[Push], project: str = "p") -> list[Push]:
    """Wait for all runs to end; return the pushes whose commit is not there or whose run did not succeed."""
    end = time.monotonic() + DEADLINE_S + len(pushes)
    while True:
        index = Index(hub.index, is_read_only=True)
        rows = index.runs(project, 100_000)
        is_idle = not index.unfinished()
        index.close()
        if is_idle or time.monotonic() > end:
            break
        time.sleep(0.1)
    succeeded = {(row.request.commit, row.request.id[-8:]) for row in rows if row.state == "succeeded"}
    return [push for push in pushes if (push.commit, push.run[-8:]) not in succeeded]


def seconds(default: float) -> float:
    """Return how long members push in a test; `PUSHING_S=600` for the ten minutes of a release."""
    return float(os.environ.get("PUSHING_S", default))
