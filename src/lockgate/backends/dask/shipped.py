"""What runs inside Dask's own processes: sent there as code, so that they need no Lockgate.

Only the standard library and `distributed` are used, and every name a function uses is imported inside it.
"""

from __future__ import annotations

from typing import Any


def run_job(native_id: str, folder: str, wrapper: str) -> None:
    """Run one job in a worker's thread, in processes of its own; return when it has ended by its own record.

    Raises `RuntimeError` with what is told of a job that left none.

    The shell between the worker and the wrapper reads from a pipe: a line in it is a cancel, and its end is
    that of the worker. Then the job must go too, at once and without a record: its scheduler has forgotten
    it, and it will be given to another worker.
    """
    import os  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    from distributed import get_worker  # noqa: PLC0415

    guard = """
        exec 3<&0
        /bin/sh "$1" "$2" </dev/null 3<&- &
        job=$!
        {
            if ! read -r _ <&3; then
                { read -r shell <"$2/pid" && kill -s KILL "$shell"; } 2>/dev/null
            fi
            kill -s TERM "$job"
        } &
        guard=$!
        exec 3<&-
        trap 'kill -s TERM "$job"' TERM
        while :; do
            wait "$job"
            code=$?
            kill -0 "$job" 2>/dev/null || break
        done
        kill "$guard" 2>/dev/null
        exit "$code"
    """
    worker: Any = get_worker()
    jobs = worker.__dict__.setdefault("_lockgate_jobs", {})
    cancelled = worker.__dict__.setdefault("_lockgate_cancelled", set())
    where = f"worker {worker.name} on {os.uname().nodename}"
    if native_id in cancelled:
        cancelled.discard(native_id)
        raise RuntimeError("cancelled before it started")
    if not os.path.isfile(f"{folder}/job.sh"):  # noqa: PTH113
        raise RuntimeError(f"there is no {folder}/job.sh on {where}: workers must share the hub's files")
    if os.path.exists(f"{folder}/pid"):  # noqa: PTH110
        raise RuntimeError(f"the worker it ran on is gone; {where} was given it and left it alone")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DASK_", "MALLOC_", "LOCKGATE_"))
    }
    process = subprocess.Popen(
        ["/bin/sh", "-c", guard, "sh", wrapper, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    jobs[native_id] = process
    try:
        if native_id in cancelled and process.stdin is not None:
            process.stdin.write(b"cancel\n")
            process.stdin.flush()
        code = process.wait()
    finally:
        del jobs[native_id]
        cancelled.discard(native_id)
        if process.stdin is not None:
            process.stdin.close()
    if not os.path.exists(f"{folder}/exit"):  # noqa: PTH110
        raise RuntimeError(f"it ended on {where} with exit code {code} and left no record")


def end_jobs(native_ids: list[str], dask_worker: Any = None) -> list[str]:
    """End those of these jobs that run on this worker, and keep the others from starting here; return which
    run."""
    import contextlib  # noqa: PLC0415

    jobs = dask_worker.__dict__.setdefault("_lockgate_jobs", {})
    cancelled = dask_worker.__dict__.setdefault("_lockgate_cancelled", set())
    cancelled.update(native_ids)
    running = [native_id for native_id in native_ids if native_id in jobs]
    for native_id in running:
        with contextlib.suppress(OSError, ValueError, KeyError):
            jobs[native_id].stdin.write(b"cancel\n")
            jobs[native_id].stdin.flush()
    return running


def tell(native_ids: list[str], dask_scheduler: Any = None) -> dict[str, Any]:
    """Return the state of these tasks as the scheduler has it, and of its workers.

    States, `processing_on` and `executing` are those of distributed's manual, Scheduling State.
    """
    tasks: dict[str, Any] = {}
    for native_id in native_ids:
        task = dask_scheduler.tasks.get(native_id)
        if task is None:
            continue
        worker = task.processing_on
        tasks[native_id] = {
            "state": task.state,
            "worker": "" if worker is None else str(worker.name),
            "address": "" if worker is None else worker.address,
            "deaths": task.suspicious,
            "is_executing": worker is not None
            and (task in worker.executing or task in getattr(worker, "long_running", ())),
            "error": str(getattr(task, "exception_text", None) or ""),
            "resources": dict(task.resource_restrictions or {}),
        }
    workers = dask_scheduler.workers.values()
    return {
        "tasks": tasks,
        "worker_count": len(workers),
        "thread_count": sum(worker.nthreads for worker in workers),
        "declared": sorted({name for worker in workers for name in worker.resources}),
    }
