"""Comparing what a verification made again with what the verified run had left, in a process of its own.

`python -m lockgate.hub.proving.proving HUB PROJECT RUN` prints the `Proving` as JSON. Pictures and tables are
foreign bytes: what they do to a process that reads them is not to reach the dispatcher.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError
from lockgate.hub.directory import Hub, open_hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import JobRow, Request, RunRow
from lockgate.hub.isolation import build_isolation
from lockgate.hub.planning.replay import Replayed, allowances_in, replayed
from lockgate.hub.proving.suspects import Reads, altered_packages, explain
from lockgate.hub.showing.artifact_bytes import bytes_of
from lockgate.hub.software.runtimes import Runtimes
from lockgate.hub.wiring import Wiring
from lockgate.project.snapshot import CommitSource
from lockgate.runs.checked import runtime_of
from lockgate.runs.plan import TRIAL
from lockgate.runs.record import StageRecord
from lockgate.verify.artifacts import compare_artifacts
from lockgate.verify.prediction import judge_models
from lockgate.verify.predictors import is_predictor
from lockgate.verify.report import ArtifactProof, Verification, whole
from lockgate.verify.seeking import Seeker, Trial

#: A comparison that takes longer is given up.
LONGEST_S = 4 * 3_600
_ENDED_BADLY = ("failed", "cancelled", "blocked")


class Proving(msgspec.Struct, frozen=True):
    """What is found so far; with `trials`, those are to be run before more can be said."""

    verification: Verification
    trials: tuple[Trial, ...] = ()


def scope_of(request: Request) -> str:
    """Return under which name a run's results are kept: what a verification makes is no result of its
    project."""
    return request.project if request.proof is None else f"{request.project}/{request.id}"


def runtimes_of(wiring: Wiring, request: Request) -> Runtimes:
    """Return where a run's runtime is built and found: the hub's, or one for a fresh verification alone."""
    if request.proof is None or not request.proof.is_fresh:
        return wiring.runtimes
    folder = fresh_runtimes(wiring.hub, request)
    return Runtimes(folder, is_fresh=True, isolation=partial(build_isolation, wiring.hub))


def fresh_runtimes(hub: Hub, request: Request) -> Path:
    """Return where a fresh verification has its runtime until it ends."""
    return hub.run_folder(request.project, request.id) / "runtimes"


def prove_apart(hub: Hub, request: Request) -> Proving:
    """Compare in another process. A comparison that breaks is a verdict too: it could not be made."""
    words = [
        sys.executable,
        "-I",
        "-m",
        "lockgate.hub.proving.proving",
        str(hub.root),
        request.project,
        request.id,
    ]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=False
        )
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=Proving)
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        cause = said[-1] if said else f"the comparison ended with {done.returncode}"
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        cause = str(error)
    assert request.proof is not None
    verdict, words_ = whole((), f"what it made could not be compared: {cause}")
    return Proving(
        Verification(
            run=request.proof.run,
            by_run=request.id,
            verdict=verdict,
            words=words_,
            commit=request.commit,
            is_fresh=request.proof.is_fresh,
        )
    )


def prove(hub: Hub, project: str, run: str) -> Proving:
    """Compare everything the verified run recorded with what the verification `run` made.

    Raises `UserError`: `run-unknown`, `verify-nothing`; `OutsideError`: `store-missing`, `git-failed`.
    """
    index = Index(hub.index, is_read_only=True)
    row = index.run(run)
    assert row is not None and row.request.proof is not None
    earlier = replayed(hub, index, project, row.request.proof.run)
    jobs = {job.stage: job for job in index.jobs(run)}
    again = {record.stage: record for record in index.results(scope_of(row.request))}
    allowed = allowances_in(CommitSource(hub.repository(project), row.request.commit))
    stages = [stage for stage in earlier.records if stage in again]
    artifacts = tuple(
        proof
        for stage in stages
        for proof in compare_artifacts(
            earlier.records[stage], again[stage], lambda artifact: bytes_of(hub, project, artifact), allowed
        )
    )
    failures = {name: f"{job.cause or job.state}" for name, job in jobs.items() if job.state in _ENDED_BADLY}
    artifacts, due = judge_models(
        artifacts,
        earlier.records,
        again,
        failures,
        lambda artifact: bytes_of(hub, project, artifact),
        allowed,
    )
    found = _verification(row, earlier, jobs, again, artifacts)
    if due:
        return Proving(found, due)
    if found.verdict != "differs" or not row.request.proof.seeks_cause:
        return Proving(found)
    tried = {
        job
        for job in jobs
        if TRIAL in job and job.rpartition(TRIAL)[0] in earlier.records and not is_predictor(job)
    }
    seeker = Seeker(earlier.records, again, tried, lambda artifact: bytes_of(hub, project, artifact), allowed)
    trials, causes = seeker.seek(artifacts)
    notes = tuple(f"{words}" for words in altered_packages(Runtimes(hub.runtimes), earlier, again))
    reads = Reads(hub.repository(project), row.request.commit)
    if not trials:
        causes = tuple(
            explain(cause, notes, reads, earlier.records[cause.stage], again[cause.stage]) for cause in causes
        )
    return Proving(msgspec.structs.replace(found, causes=causes, notes=notes), trials)


def _verification(
    row: RunRow,
    earlier: Replayed,
    jobs: Mapping[str, JobRow],
    again: Mapping[str, StageRecord],
    artifacts: tuple[ArtifactProof, ...],
) -> Verification:
    proof = row.request.proof
    assert proof is not None
    verdict, words = whole(artifacts, _failure(row, jobs))
    return Verification(
        run=proof.run,
        by_run=row.request.id,
        verdict=verdict,
        words=words,
        artifacts=artifacts,
        is_fresh=proof.is_fresh,
        is_whole=not proof.stages,
        runtime_recorded=runtime_of(earlier.records.values()) or "",
        runtime_again=runtime_of(again.values()) or "",
        commit=row.request.commit,
        result_recorded=earlier.result,
    )


def _failure(row: RunRow, jobs: Mapping[str, JobRow]) -> str:
    """Return why not everything was made again; empty: it was."""
    if row.cancelled_by is not None:
        return f"cancelled by {row.cancelled_by}"
    for job in jobs.values():
        if job.state == "failed" and TRIAL not in job.stage:
            return f"{job.stage}: {job.cause or job.state}"
    return row.cause or ""


def main(arguments: list[str]) -> int:
    """Compare for the dispatcher; return the exit code."""
    root, project, run = arguments
    try:
        found = prove(open_hub(Path(root)), project, run)
    except LockgateError as error:
        sys.stderr.write(f"{error.message} ({error.hint})\n")
        return error.exit_code
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
