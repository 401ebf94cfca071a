"""The dispatcher: one process a hub, woken by hooks, that runs what is queued and ends when idle."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import queue
import select
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from lockgate.backends.contract import Backend, Ended, Started
from lockgate.errors import LockgateError, OutsideError
from lockgate.git.program import attempt
from lockgate.hub.directory import Hub, make_wake
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.proving.proving import Proving, fresh_runtimes, prove_apart
from lockgate.hub.queue import RECEIVED_LIMIT_S, enqueue
from lockgate.hub.running.execution import Execution
from lockgate.hub.running.packing import Packing
from lockgate.hub.running.starts import MOMENT_S
from lockgate.hub.supplying.data_supply import supply
from lockgate.hub.wake import open_wake, wake_up
from lockgate.hub.wiring import Wiring
from lockgate.runs.job import Job
from lockgate.runs.workspace import clean

log = logging.getLogger("lockgate.dispatcher")

#: How long it stays for the next push once idle; a push that finds it awake is answered sooner.
LINGER_S = 20.0
#: A push takes this long at most from its judging hook to its queueing one before it is looked after.
RECEIVED_GRACE_S = 3.0
#: A push of what another pushed so shortly before or after is one of two that raced.
RACE_S = 600.0
#: The queue is looked at this often even if nobody says there is news.
LOOK_S = 1.0
#: While jobs end faster than this, their workspaces wait to be removed, so many at most.
QUIET_S = 0.05
BACKLOG_AT_MOST = 5_000
#: Workspaces of runs that did not succeed are kept this long to be looked at; then so many runs' at once go.
KEPT_S = 7 * 86_400.0
SWEPT_AT_ONCE = 1_000
#: After a failure from outside (a full disk, a system down) an effect is tried again this often.
RETRY_S = 5.0
#: A hub that cannot be used (its disk is full, say) is tried again so often before the dispatcher gives up.
FAILURES_AT_MOST = 120


def linger_s() -> float:
    """Return `$LOCKGATE_LINGER_S`, else the default."""
    try:
        return float(os.environ.get("LOCKGATE_LINGER_S", LINGER_S))
    except ValueError:
        return LINGER_S


class DispatcherLock:
    """Held by the one process that may dispatch a hub; given back by the kernel however that ends."""

    def __init__(self, hub: Hub) -> None:
        self._path = hub.lock
        self._file: int | None = None

    def acquire(self) -> bool:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._file = handle
        return True

    def __enter__(self) -> DispatcherLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def dispatch(
    hub: Hub, linger: float | None = None, *, on_listening: Callable[[], object] | None = None
) -> bool:
    """Run everything queued on the hub, then wait `linger` seconds for more; return False at once where
    another process dispatches already.

    `on_listening` is called once pushes can wake it. Raises `OutsideError` when the hub itself cannot be
    used; running jobs go on, nothing is lost.
    """
    wait = linger_s() if linger is None else linger
    failures = 0
    while True:
        with DispatcherLock(hub) as lock:
            if not lock.acquire():
                return False
            try:
                make_wake(hub)
                wiring = Wiring(hub)
                with open_wake(hub) as wake:
                    if on_listening is not None:
                        on_listening()
                        on_listening = None
                    Dispatcher(wiring, wake).loop(wait)
            except OutsideError as error:
                failures += 1
                if not error.is_transient or failures > FAILURES_AT_MOST or not hub.is_there:
                    raise
                log.warning("%s; trying again", error.message, extra={"action": "retry"})
                time.sleep(RETRY_S)
                continue
        # A hook may have queued between the last look and the closing of the pipe
        if not hub.is_there or not wiring.index.unfinished():
            return True


class Dispatcher:
    """The loop over everything that can happen: pushes, jobs' ends, runtimes built, cancellations."""

    def __init__(self, wiring: Wiring, wake: int) -> None:
        self._wiring = wiring
        self._wake = wake
        self._active: dict[str, Execution] = {}
        self._looked_at = 0.0
        self._complained_at = 0.0
        self._is_quiet = False
        """Nothing happened for a while though jobs run: time to tidy up."""
        self._finished: list[Execution] = []
        """Runs that are over but for the removal of their workspaces."""
        self._built: queue.SimpleQueue[tuple[str, LockgateError | None]] = queue.SimpleQueue()
        self._compared: queue.SimpleQueue[tuple[str, Proving]] = queue.SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._packing = Packing(wiring.hub)

    def loop(self, linger: float) -> None:
        """Work until nothing is left and nothing came for `linger` seconds."""
        self._take_up()
        self._sweep()
        idle_since = time.monotonic()
        while True:
            is_busy = self._turn()
            backlog = self._backlog()
            if backlog and (not is_busy or self._is_quiet or backlog[0].leftover_count > BACKLOG_AT_MOST):
                self._clean(backlog[0])
                timeout = 0.0
            elif backlog:
                timeout = QUIET_S
            elif is_busy:
                timeout = LOOK_S
            else:
                timeout = idle_since + linger - time.monotonic()
                if timeout <= 0:
                    break
            if is_busy or backlog:
                idle_since = time.monotonic()
            if self._is_quiet and not backlog:
                self._packing.go_on()
            if self._wait(timeout):
                if not self._wiring.hub.is_there:
                    log.error("the hub was removed", extra={"action": "stop"})
                    break
                self._take_up()
                self._say_why_jobs_wait()
        for backend in self._wiring.backends.values():
            backend.close()

    def _turn(self) -> bool:
        """Do all that can be done now; return whether anything is under way."""
        while True:
            moved = self._finish_preparations()
            moved = self._compare() or moved
            moved = self._poll() or moved
            self._tell_starts()
            moved = self._fill() or moved
            self._retry()
            for run in [run for run, execution in self._active.items() if execution.is_over]:
                self._finished.append(self._active.pop(run))
                moved = True
            if not moved:
                return bool(self._active) or bool(self._wiring.index.unfinished())

    def _say_why_jobs_wait(self) -> None:
        """Keep, for those who ask, what each job not running yet waits for."""
        for run, execution in self._active.items():
            with self._guarded(run):
                execution.say_why_jobs_wait()

    def _backlog(self) -> list[Execution]:
        """Return the runs with workspaces still to be removed."""
        self._finished = [execution for execution in self._finished if execution.leftover_count]
        return [*self._finished, *(e for e in self._active.values() if e.leftover_count)]

    def _clean(self, execution: Execution) -> None:
        with self._guarded(execution.request.id):
            execution.clean_one()

    def _sweep(self) -> None:
        """Remove what runs of long ago left to look at, and what a killed dispatcher did not come to."""
        for project, run in self._wiring.index.take_unswept(time.time() - KEPT_S, SWEPT_AT_ONCE):
            for folder in (self._wiring.hub.run_folder(project, run) / "jobs").glob("*"):
                with self._guarded(run):
                    clean(folder)

    def _take_up(self) -> None:
        """Look at the queue: new runs, cancellations, pushes whose hook died."""
        self._looked_at = time.monotonic()
        for row in self._wiring.index.unfinished():
            run = row.request.id
            if row.state == "received":
                self._look_after(row)
                continue
            if run not in self._active:
                self._adopt(row)
            if row.cancelled_by is not None and run in self._active:
                with self._guarded(run):
                    self._active[run].cancel(row.cancelled_by)

    def _adopt(self, row: RunRow) -> None:
        execution = Execution(self._wiring, row)
        self._active[row.request.id] = execution
        with self._guarded(row.request.id):
            by_backend: dict[str, list[Job]] = {}
            for job in execution.restore():
                by_backend.setdefault(execution.prepared.backend_of(job.stage), []).append(job)
            for name, jobs in by_backend.items():
                execution.backend(name).attach(jobs)
            execution.begin()
            self._start_preparation(execution)

    def _look_after(self, row: RunRow) -> None:
        """A run received whose push never came to its end: queue it if its ref moved, else drop it."""
        age = time.time() - row.created_at
        if 0 <= age < RECEIVED_GRACE_S:
            return
        repository = self._wiring.hub.repository(row.request.project)
        ref, commit = row.request.ref, row.request.commit
        if self._wiring.index.has_sibling(row, RACE_S):
            self._wiring.index.drop_received(row.request.id)
            return
        moved = attempt(repository, "merge-base", "--is-ancestor", commit, ref)[0] == 0
        if moved:
            enqueue(self._wiring.hub, self._wiring.index, row.request)
            self._adopt(self._wiring.index.run(row.request.id) or row)
        elif age < 0 or age > RECEIVED_LIMIT_S:
            self._wiring.index.drop_received(row.request.id)

    def _start_preparation(self, execution: Execution) -> None:
        """Build the run's runtime and fetch its data beside the loop, which goes on with other runs."""
        if not execution.needs_preparation:
            return
        execution.needs_preparation = False
        run, needed, runtimes = execution.request.id, execution.prepared.runtimes, execution.runtimes
        hub, project, lacking = self._wiring.hub, execution.request.project, execution.prepared.lacking

        def build() -> None:
            failure: LockgateError | None = None
            try:
                if lacking:
                    supply(hub, project, lacking)
                for each in needed:
                    runtimes.build(each.digest, each.text, each.kind, Path(each.interpreter))
            except LockgateError as error:
                failure = error
            except Exception as error:
                log.exception("preparing a run failed", extra={"action": "build", "run": run})
                failure = OutsideError(f"the run could not be prepared: {error}", "See dispatcher.log.",
                                       code="runtime-build")  # fmt: skip
            self._built.put((run, failure))
            wake_up(self._wiring.hub)

        thread = threading.Thread(target=build, name=f"runtime-{run}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _finish_preparations(self) -> bool:
        moved = False
        while True:
            try:
                run, failure = self._built.get_nowait()
            except queue.Empty:
                break
            moved = True
            if run in self._active:
                with self._guarded(run):
                    self._active[run].finish_preparation(failure)
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        return moved

    def _compare(self) -> bool:
        """Compare what verifications made again beside the loop, and take what was found."""
        for execution in self._active.values():
            if execution.needs_comparison:
                execution.needs_comparison = False
                self._start_comparison(execution)
        moved = False
        while True:
            try:
                run, found = self._compared.get_nowait()
            except queue.Empty:
                return moved
            moved = True
            if run in self._active:
                with self._guarded(run):
                    self._active[run].finish_comparison(found)

    def _start_comparison(self, execution: Execution) -> None:
        hub, request = self._wiring.hub, execution.request

        def compare() -> None:
            found = prove_apart(hub, request)
            if not found.trials:
                shutil.rmtree(fresh_runtimes(hub, request), ignore_errors=True)
            self._compared.put((request.id, found))
            wake_up(hub)

        thread = threading.Thread(target=compare, name=f"comparison-{request.id}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _poll(self) -> bool:
        moved = False
        for name, backend in list(self._wiring.backends.items()):
            try:
                news = backend.poll()
            except OutsideError as error:
                # What it could not say now, it says at a later call; its jobs go on
                if time.monotonic() - self._complained_at >= RETRY_S:
                    log.warning("%s: %s", name, error.message, extra={"action": "poll"})
                    self._complained_at = time.monotonic()
                continue
            if news:
                moved = True
                self._pass_on(news)
        return moved

    def _tell_starts(self) -> None:
        for run, execution in list(self._active.items()):
            if execution.keeps_starts:
                with self._guarded(run):
                    execution.tell_starts()

    def _pass_on(self, news: Sequence[Started | Ended]) -> None:
        """Give each run its own news, all at once: one step, made durable once."""
        for run, execution in list(self._active.items()):
            own = [one for one in news if execution.has_job_at(one.folder)]
            if own:
                with self._guarded(run):
                    execution.hear(own)

    def _fill(self) -> bool:
        """Hand ready jobs to their backends as those have room, oldest run first."""
        moved = False
        for run, execution in list(self._active.items()):
            for name, stages in list(execution.ready.items()):
                if stages:
                    with self._guarded(run):
                        moved = self._fill_from(execution, execution.backend(name), stages) or moved
        return moved

    def _fill_from(self, execution: Execution, backend: Backend, stages: deque[str]) -> bool:
        """Lay out as many jobs as the backend has room for, and hand them over together: what it can make
        one array of is one."""
        room = backend.room()
        count = len(stages) if room is None else min(room, len(stages))
        jobs = []
        try:
            for _ in range(count):
                job = execution.lay_out(stages.popleft())
                if job is not None:
                    jobs.append(job)
        finally:
            if jobs:
                backend.submit(jobs)
        return count > 0

    def _retry(self) -> None:
        now = time.monotonic()
        for run, execution in list(self._active.items()):
            if execution.retry_at is not None and execution.retry_at <= now:
                execution.retry_at = None
                with self._guarded(run):
                    execution.begin()
                    self._start_preparation(execution)

    @contextlib.contextmanager
    def _guarded(self, run: str) -> Iterator[None]:
        """One run's trouble is not another's: outside failures are tried again, faults of ours logged."""
        try:
            yield
        except OutsideError as error:
            if error.code.startswith("index-"):
                raise
            log.warning("%s: %s; trying again", run, error.message, extra={"action": "retry", "run": run})
            if run in self._active:
                self._active[run].retry_at = time.monotonic() + RETRY_S
        except LockgateError as error:
            log.error("%s: %s", run, error.message, extra={"action": "refused", "run": run})
            self._fail(run, error.as_cause)
        except Exception as error:
            log.exception("%s: a fault in Lockgate", run, extra={"action": "fault", "run": run})
            self._fail(run, f"a fault in Lockgate: {error!r} (the hub's dispatcher.log has the details)")

    def _fail(self, run: str, cause: str) -> None:
        execution = self._active.get(run)
        if execution is None or not execution.fail(cause):
            self._active.pop(run, None)

    def _wait(self, timeout: float) -> bool:
        """Sleep until something may have happened; return whether the queue is to be looked at."""
        fds = [self._wake]
        timeouts = [timeout, LOOK_S]
        if any(execution.keeps_starts for execution in self._active.values()):
            timeouts.append(MOMENT_S)
        for backend in self._wiring.backends.values():
            fds.extend(backend.wake_fds())
            interval = backend.poll_interval_s()
            if interval is not None:
                timeouts.append(interval)
        readable, _, _ = select.select(fds, [], [], min(timeouts))
        self._is_quiet = not readable
        if self._wake in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 65536)
            return True
        return time.monotonic() - self._looked_at >= LOOK_S
