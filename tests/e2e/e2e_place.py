"""A place to play a story in: a hub, members' work trees beside it, and the programs they type."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.errors import LockgateError
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import JobRow, RunRow
from lockgate.hub.notebooks.clone import ATTRIBUTES
from lockgate.hub.worktree.setup import set_up

#: Longer than anything here takes, on a busy machine too.
DEADLINE_S = 60.0
#: So long a condition is looked at closely; whoever waits longer leaves the processors to what is waited for.
CLOSELY_S = 2.0
#: A dispatcher waits this long for the story's next push: starting one takes most of a second's work.
LINGER_S = 3.0

ONE_STAGE = """\
[stages.copy]
run = "cat i > o"
needs = ["i"]
makes = ["o"]
"""

TWO_STAGES = (
    ONE_STAGE
    + """
[stages.shout]
run = "tr a-z A-Z < o > shouted"
needs = ["o"]
makes = ["shouted"]
"""
)


class Done(NamedTuple):
    """A program that ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition, closely at first; fail the test where it does not come."""
    began = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - began
        assert waited_s < deadline_s, f"waited {deadline_s:.0f} s in vain: {what}"
        time.sleep(0.005 if waited_s < CLOSELY_S else 0.03)


def run_program(
    words: list[str | Path], folder: Path, env: Mapping[str, str], code: int | None = 0, stdin: str = ""
) -> Done:
    ended = subprocess.run(
        words, cwd=folder, env=dict(env), input=stdin.encode(), capture_output=True, timeout=110, check=False
    )
    done = Done(
        ended.returncode, ended.stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace")
    )
    assert "Traceback" not in done.said, done.said
    if code is not None:
        assert done.code == code, f"{words} ended with {done.code}, not {code}:\n{done.said}"
    return done


class WorkTree:
    """One member's clone."""

    def __init__(self, place: Place, path: Path) -> None:
        self.place = place
        self.path = path

    def git(self, *words: str, code: int | None = 0, env: Mapping[str, str] | None = None) -> Done:
        return run_program(["git", *words], self.path, self.place.env | dict(env or {}), code)

    def lockgate(self, *words: str, code: int | None = 0, env: Mapping[str, str] | None = None) -> Done:
        return run_program(["lockgate", *words], self.path, self.place.env | dict(env or {}), code)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def has(self, path: str) -> bool:
        return (self.path / path).exists()

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "a change") -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").out.strip()

    def push(self, *words: str, code: int | None = 0, env: Mapping[str, str] | None = None) -> Done:
        """Push `main`, or what the words say, and wait for the runs it starts."""
        return self.git("push", "-o", "wait", "hub", *(words or ("main",)), code=code, env=env)

    def pull(self, branch: str = "main") -> None:
        self.git("pull", "--quiet", "--ff-only", "hub", branch)

    def show(self, run: str = "latest") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.lockgate("show", run, "--json").out)
        return found


class Place:
    """A hub in a folder of its own. `env` is what every program in the story is given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub = root / "hub"
        self.env = dict(os.environ) | {"LOCKGATE_HUB": str(self.hub)}
        #: Stages may leave traces here, outside of every workspace.
        self.outside = root / "outside"
        self.outside.mkdir()

    def project(
        self, files: Mapping[str, str | bytes], name: str = "p", member: str = "member@example.org"
    ) -> WorkTree:
        """Make a repository with these files committed and the remote `hub`."""
        tree = WorkTree(self, self.root / name)
        tree.path.mkdir()
        tree.git("init", "--quiet")
        tree.git("config", "user.email", member)
        tree.write({".gitattributes": f"lockgate.lock merge=union\n{ATTRIBUTES}\n"})  # as `init` would
        tree.commit(files, "first")
        # What `lockgate init` calls, without the start of a program: nearly every story begins so
        with patch.dict(os.environ, self.env, clear=True):
            set_up(tree.path)
        return tree

    def clone(self, name: str, member: str, project: str = "p", url: str | None = None) -> WorkTree:
        source = url or str(self.repository(project))
        run_program(["git", "clone", "--quiet", "--origin", "hub", source, name], self.root, self.env)
        tree = WorkTree(self, self.root / name)
        tree.git("config", "user.email", member)
        return tree

    def repository(self, project: str = "p") -> Path:
        return self.hub / "repositories" / f"{project}.git"

    def on_hub(self, *words: str, project: str = "p", code: int | None = 0) -> str:
        """Ask git in a project's repository on the hub."""
        return run_program(["git", *words], self.repository(project), self.env, code).out.strip()

    def refs(self, pattern: str = "refs", project: str = "p") -> dict[str, str]:
        listed = self.on_hub("for-each-ref", "--format=%(refname) %(objectname)", pattern, project=project)
        return dict(line.split(" ") for line in listed.splitlines())

    @contextlib.contextmanager
    def index(self) -> Iterator[Index]:
        index = Index(self.hub / "index.sqlite", is_read_only=True)
        try:
            yield index
        finally:
            index.close()

    def runs(self, project: str = "p") -> list[RunRow]:
        """Return the project's runs, oldest first."""
        if not (self.hub / "index.sqlite").exists():
            return []
        with self.index() as index:
            return index.runs(project, 10_000)[::-1]

    def jobs(self, run: str) -> dict[str, JobRow]:
        with self.index() as index:
            return {job.stage: job for job in index.jobs(run)}

    def states(self, run: str) -> dict[str, str]:
        """Return the state of each stage of a run."""
        return {stage: job.state for stage, job in self.jobs(run).items()}

    def activities(self, project: str = "p") -> list[Activity]:
        """Return the chain, oldest first."""
        return [activity for _, activity in chain.read(self.repository(project), 10_000)][::-1]

    def finished(self, project: str = "p") -> list[str]:
        """Return the runs that the chain says have ended, oldest first."""
        return [a.run or "" for a in self.activities(project) if a.kind == "run.finished"]

    def is_idle(self, project: str = "p") -> bool:
        return all(row.ended_at is not None for row in self.runs(project))

    def settle(self, project: str = "p", deadline_s: float = DEADLINE_S) -> None:
        """Wait until every run has ended."""
        until(lambda: self.is_idle(project), "every run has ended", deadline_s)

    def is_dispatched(self) -> bool:
        """Return whether some process holds the dispatcher's lock."""
        try:
            handle = os.open(self.hub / "dispatcher.lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def dispatcher(self) -> int | None:
        """Return the pid of the process that dispatches the hub."""
        if not self.is_dispatched():
            return None
        text = (self.hub / "dispatcher.lock").read_text().strip()
        return int(text) if text else None

    def kill_dispatcher(self) -> bool:
        """Kill the dispatcher, and one about to follow it, as a crash would; return whether there was one."""
        pid = self.dispatcher()
        words = f"lockgate.hub.running.dispatch {self.hub}"
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Not from a list made before: a job just forked off bears the dispatcher's words until it is a shell
        for found, command in commands():
            if words in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(found, signal.SIGKILL)
        until(lambda: not self.is_dispatched(), "the killed dispatcher is gone")
        return pid is not None

    def start_dispatcher(self) -> None:
        """Do what the next push or any follower does: see that somebody dispatches."""
        from lockgate.hub.directory import open_hub
        from lockgate.hub.queue import ensure_dispatcher

        ensure_dispatcher(open_hub(self.hub))

    def close(self) -> None:
        """End what the story left running: its runs, then its dispatcher."""
        if not self.is_dispatched():
            return
        with contextlib.suppress(AssertionError, LockgateError, OSError):
            self._cancel_all()
            until(lambda: not self._is_working(), "every run has ended", 15.0)
        self.kill_dispatcher()

    def _cancel_all(self) -> None:
        if self._is_working():
            index = Index(self.hub / "index.sqlite")
            for row in index.unfinished():
                index.request_cancel(row.request.id, "the end of the test")
            index.close()
            self.start_dispatcher()

    def _is_working(self) -> bool:
        with self.index() as index:
            return any(row.state != "received" for row in index.unfinished())


def commands() -> Iterator[tuple[int, str]]:
    """Yield the pid and the command line of every process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
                yield int(entry.name), text.replace("\0", " ").rstrip()


def receipts(done: Done) -> list[str]:
    """Return the run ids (their ends) of the receipts in a push's `remote:` lines."""
    found = []
    for line in done.err.splitlines():
        words = line.removeprefix("remote:").split()
        if len(words) > 4 and words[0] == "run" and words[2] == "·":
            found.append(words[1])
    return found
