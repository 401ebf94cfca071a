"""Is a hub well? Each thing that can be wrong with one is looked at, and told with what mends it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from lockgate.errors import LockgateError, OutsideError
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub, configure, is_configured, make_wake, write_wrapper
from lockgate.hub.indexing.index import Index
from lockgate.hub.queue import RECEIVED_LIMIT_S, ensure_dispatcher
from lockgate.hub.supplying.remote_grants import read_grants, way_to
from lockgate.project.quantities import size_words
from lockgate.runs.runid import short

#: `read-tree` and ssh signatures as used here behave so since this version.
GIT_AT_LEAST = (2, 34)
#: Below this, jobs of any size will soon fail.
ROOM_AT_LEAST_BYTES = 1_000_000_000
#: A run that takes longer is worth a look.
LONG_S = 7 * 86_400.0

State = Literal["ok", "note", "problem"]


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. `mend` is the command, or what to do, where something is wrong."""

    what: str
    state: State
    detail: str
    mend: str = ""


def examine(hub: Hub, *, is_deep: bool = False, now: float | None = None) -> Iterator[Finding]:
    """Yield what is found, one by one: programs, key, hooks, pipe, disk, isolation, index, dispatcher,
    repositories.

    `is_deep` has git check every object's connections, which takes minutes on a large hub.
    """
    at = time.time() if now is None else now
    fix = f"lockgate hub doctor --fix --hub {shlex.quote(str(hub.root))}"
    yield _git()
    yield _uv()
    yield _key(hub)
    yield _wrapper(hub, fix)
    yield _pipe(hub, fix)
    yield _disk(hub)
    yield _isolation(hub)
    yield from _credentials(hub)
    for project in hub.projects():
        yield _project(hub, project, fix)
        if is_deep:
            yield _objects(hub, project)
    yield from _index(hub, at, fix)


def mend(hub: Hub) -> None:
    """Write anew what can be written anew: wrapper, pipe, hooks and settings; wake the dispatcher."""
    write_wrapper(hub)
    make_wake(hub)
    for project in hub.projects():
        if not is_configured(hub, project):
            configure(hub, project)
    try:
        index = Index(hub.index, is_read_only=True)
        has_work = bool(index.unfinished())
        index.close()
    except OutsideError:
        return
    if has_work and dispatcher_pid(hub) is None:
        ensure_dispatcher(hub)


def dispatcher_pid(hub: Hub) -> str | None:
    """Return the process id of the dispatcher at work (`?` if it has not said), or None where none is.

    Asked of the pipe, which only a dispatcher reads: trying the lock could keep one from starting.
    """
    try:
        os.close(os.open(hub.wake, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return None
    try:
        return hub.lock.read_text("ascii", "replace").strip() or "?"
    except OSError:
        return "?"


def _git() -> Finding:
    try:
        _, output, _ = attempt(Path("/"), "--version")
    except LockgateError as error:
        return Finding("git", "problem", error.message, error.hint)
    text = output.decode("utf-8", "replace").strip().removeprefix("git version ")
    found = re.match(r"(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) >= GIT_AT_LEAST:
        return Finding("git", "ok", text)
    wanted = ".".join(str(part) for part in GIT_AT_LEAST)
    return Finding("git", "problem", f"version {text}", f"Install git {wanted} or newer.")


def _uv() -> Finding:
    from lockgate.hub.software import uv  # noqa: PLC0415  (only here)

    try:
        path = uv.program()
    except LockgateError as error:
        return Finding("uv", "problem", error.message, error.hint)
    return Finding("uv", "ok", path)


def _key(hub: Hub) -> Finding:
    from lockgate.activity.key import load_key  # noqa: PLC0415  (cryptography)

    try:
        load_key(hub.key)
    except LockgateError as error:
        return Finding("key", "problem", error.message, error.hint)
    if not hub.key.with_name("key.pub").exists():
        return Finding("key", "problem", "key.pub is missing", f"ssh-keygen -y -f {hub.key} > {hub.key}.pub")
    return Finding("key", "ok", "present, readable by its owner alone")


def _wrapper(hub: Hub, fix: str) -> Finding:
    place = hub.root / "bin" / "lockgate"
    try:
        text = place.read_text("utf-8", "replace")
    except OSError as error:
        return Finding("bin/lockgate", "problem", error.strerror or str(error), fix)
    if shlex.quote(sys.executable) not in text or not os.access(place, os.X_OK):
        return Finding("bin/lockgate", "problem", f"does not start this Python, {sys.executable}", fix)
    return Finding("bin/lockgate", "ok", f"starts {sys.executable}")


def _pipe(hub: Hub, fix: str) -> Finding:
    try:
        is_pipe = stat.S_ISFIFO(hub.wake.stat().st_mode)
    except OSError:
        is_pipe = False
    if is_pipe:
        return Finding("wake", "ok", "the pipe that wakes the dispatcher is there")
    return Finding("wake", "problem", "the pipe that wakes the dispatcher is missing", fix)


def _disk(hub: Hub) -> Finding:
    free = shutil.disk_usage(hub.root).free
    words = f"{size_words(free)} free"
    if free >= ROOM_AT_LEAST_BYTES:
        return Finding("disk", "ok", words)
    return Finding("disk", "problem", words, f"Make room: du -sh {hub.root}/*")


def _isolation(hub: Hub) -> Finding:
    from lockgate.hub.isolation import isolation_fault, isolation_wanted, read_job_settings  # noqa: PLC0415

    what = "isolation"
    try:
        wanted, is_said = isolation_wanted(hub), read_job_settings(hub).isolation is not None
    except LockgateError as error:
        return Finding(what, "problem", error.message, error.hint)
    if wanted == "off":
        if is_said:
            return Finding(what, "note", "off: jobs see the hub's key, its members' book, other projects")
        return Finding(what, "ok", "off: the hub has no members, whoever reaches it is its owner")
    fault = isolation_fault()
    if fault is not None:
        return Finding(
            what, "problem", f"jobs see the hub's key and its members' book: {fault}",
            'Install bubblewrap, and let it make user namespaces; or in hub.toml: [jobs] isolation = "off"',
        )  # fmt: skip
    if os.geteuid() == 0:
        return Finding(
            what, "note", "on, but root's jobs can read the disk itself",
            "Give the hub to an account of its own.",
        )  # fmt: skip
    return Finding(what, "ok", "on: jobs do not see the hub's key, its members' book, other projects")


def _credentials(hub: Hub) -> Iterator[Finding]:
    """Whether each remote that is granted could be asked as `hub.toml` says; the remotes are not asked."""
    try:
        grants = read_grants(hub)
    except LockgateError as error:
        yield Finding("credentials", "problem", error.message, error.hint)
        return
    for name, grant in grants.items():
        unknown = [project for project in grant.projects if not hub.repository(project).is_dir()]
        try:
            for project in grant.projects:
                way_to(hub, project, grant.url)
        except LockgateError as error:
            yield Finding(f"credentials {name}", "problem", error.message, error.hint)
            continue
        if unknown:
            yield Finding(
                f"credentials {name}", "note", f"granted to no project of this hub: {', '.join(unknown)}",
                f"Correct for in [credentials.{name}] of hub.toml.",
            )  # fmt: skip
        else:
            yield Finding(f"credentials {name}", "ok", f"{grant.url} for {', '.join(grant.projects)}")


def _project(hub: Hub, project: str, fix: str) -> Finding:
    what = f"project {project}"
    repository = hub.repository(project)
    code, _, error = attempt(repository, "rev-parse", "--git-dir")
    if code != 0:
        words = error.decode("utf-8", "replace").strip()
        return Finding(what, "problem", words, f"Bring {repository} back from a backup.")
    if not is_configured(hub, project):
        return Finding(what, "problem", "hooks or settings are not this Lockgate's", fix)
    return Finding(what, "ok", "hooks and settings are current")


def _objects(hub: Hub, project: str) -> Finding:
    what = f"objects of {project}"
    repository = hub.repository(project)
    code, output, error = attempt(repository, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")
    if code == 0:
        return Finding(what, "ok", "all connected")
    lines = (error + output).decode("utf-8", "replace").strip().splitlines()
    return Finding(
        what, "problem", lines[0] if lines else "git fsck failed", f"git -C {repository} fsck --full"
    )


def _index(hub: Hub, at: float, fix: str) -> Iterator[Finding]:
    pid = dispatcher_pid(hub)
    again = f"lockgate hub reindex --hub {shlex.quote(str(hub.root))}"
    alive = Finding("dispatcher", "ok", f"at work, process {pid}" if pid else "idle; a push starts it")
    if not hub.index.exists():
        yield alive
        if any(_has_runs(hub, project) for project in hub.projects()):
            yield Finding("index", "problem", "it is missing, and projects have a history", again)
        else:
            yield Finding("index", "ok", "none yet: nothing was pushed")
        return
    try:
        index = Index(hub.index, is_read_only=True)
        fault = index.check()
        rows = index.unfinished()
        index.close()
    except OutsideError as error:
        yield alive
        yield Finding("index", "problem", error.message, again)
        return
    yield Finding("index", "problem", fault, again) if fault else Finding("index", "ok", "sound")
    waiting = [row for row in rows if row.state != "received"]
    if waiting and pid is None:
        yield Finding("dispatcher", "problem", f"{_runs(len(waiting))} wait and none is at work", fix)
    else:
        yield alive
    for row in waiting:
        if at - row.created_at > LONG_S:
            run = short(row.request.id)
            days = int((at - row.created_at) / 86_400)
            yield Finding(
                f"run {run}", "note", f"{row.state} for {days} days",
                f"lockgate show {run}; to end it: lockgate cancel {run}",
            )  # fmt: skip
    left = [row for row in rows if row.state == "received" and at - row.created_at > RECEIVED_LIMIT_S]
    if left:
        yield Finding("pushes", "problem", f"{_runs(len(left))} of pushes that never came to an end", fix)


def _has_runs(hub: Hub, project: str) -> bool:
    code, output, _ = attempt(
        hub.repository(project), "log", "-1", "--first-parent", "--format=%H", "--fixed-strings",
        "--grep=Lockgate-Activity: run.", "refs/lockgate/activity", "--",
    )  # fmt: skip
    return code == 0 and bool(output.strip())


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
