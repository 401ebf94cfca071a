"""What is said of the jobs that have not ended: why they wait, how far they have come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lockgate.backends.contract import Backend
from lockgate.runs.run import AT_BACKEND, Run


def remarks(
    run: Run,
    ready: Mapping[str, Sequence[str]],
    stages_by_folder: Mapping[str, str],
    backend_of: Callable[[str], str],
    backend: Callable[[str], Backend],
) -> dict[str, str]:
    """Return by stage what there is to say: why a job is not running yet, or how far a running one has come.

    Parameters
    ----------
    ready
        By backend, the stages it had no room for yet.
    """
    said = {stage: f"waits for room at {name}" for name, stages in ready.items() for stage in stages}
    submitted: dict[str, dict[str, str]] = {}
    running: dict[str, dict[str, str]] = {}
    for folder, stage in stages_by_folder.items():
        state = run.jobs[stage].state
        if state in AT_BACKEND:
            kind = submitted if state == "submitted" else running
            kind.setdefault(backend_of(stage), {})[folder] = stage
    for name, stages in submitted.items():
        why = backend(name).why_pending(list(stages))
        said.update({stages[folder]: words for folder, words in why.items()})
    for name, stages in running.items():
        done = backend(name).progress(list(stages))
        said.update({stages[folder]: words for folder, words in done.items()})
    return said
