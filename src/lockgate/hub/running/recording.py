"""Turning what a run made into one result commit and one activity. Done twice, it changes nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.activity import chain
from lockgate.activity.entry import Activity
from lockgate.activity.key import Key
from lockgate.git import refs
from lockgate.git.listing import FILE, Entry
from lockgate.git.objects import EMPTY_TREE, Repository
from lockgate.hub.failure_folder import FAILURES
from lockgate.hub.indexing.rows import Request
from lockgate.hub.instant import iso
from lockgate.hub.jobname import safe_name
from lockgate.hub.push import BASES, SNAPSHOTS, describe
from lockgate.hub.queue import QUEUE
from lockgate.project.pipeline import LOCK_FILE
from lockgate.project.quantities import duration_words
from lockgate.runs.job import ExitRecord
from lockgate.runs.lockfile import read_lock, write_lock
from lockgate.runs.observation import Observation
from lockgate.runs.record import Artifact, StageRecord
from lockgate.runs.run import Outcome, Run
from lockgate.runs.runid import short
from lockgate.verify.report import Verification, in_words

VERIFICATION = "verification"

#: So much of a log's end goes into the chain; the whole lies in the run's folder on the hub.
LOG_LIMIT_BYTES = 64_000

_IDENTITY = ("Lockgate", "hub@localhost")


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run leaves, gathered for the record."""

    request: Request
    run: Run
    outcome: Outcome
    ended_at: float
    started_at: float
    records: Mapping[str, StageRecord]
    """Stages that went well, reused ones too."""
    partial: Mapping[str, tuple[Artifact, ...]]
    """What stages that failed had made by then."""
    exits: Mapping[str, ExitRecord]
    logs: Mapping[str, Path]
    lock_file: str | None
    """Where the runtime's lock belongs that this run made; None: it was there."""
    runtime_text: str
    runtime_digest: str
    reasons: Mapping[str, str]
    seen: Mapping[str, Observation] = {}
    """What stages really used, where the project asks for that."""
    pipeline_stages: frozenset[str]
    """Every stage declared, of which the run may be a part."""


class Written(msgspec.Struct, frozen=True):
    result_commit: str
    has_moved_branch: bool


def announce(repository: Repository, key: Key, request: Request, at: float) -> None:
    """Append `run.queued`, before anything is done with the request."""
    activity = Activity(
        kind="run.queued",
        at=iso(at),
        by=request.member,
        title=f"Run {short(request.id)} of {describe(request.ref)} at {request.commit[:10]} was queued",
        ref=request.ref,
        commit=request.commit,
        run=request.id,
    )
    chain.append(
        repository,
        activity,
        key,
        keep=[request.commit],
        at_epoch_s=max(0, int(at)),
        author_email=email_of(request.member),
    )


def write_results(repository: Repository, key: Key, outcomes: Outcomes) -> Written:
    """Write the result commit and move the branch to it if it stands where it was pushed.

    A run that changed nothing has its snapshot as result. One that failed never moves a branch.
    """
    request = outcomes.request
    base = repository.tree_of(request.commit)
    lock_id = _lock_id(repository, base)
    put = _artifact_entries(outcomes)
    put[LOCK_FILE] = Entry(FILE, repository.write_blob(_lock(repository, lock_id, outcomes)))
    if not outcomes.records and lock_id is None:
        del put[LOCK_FILE]
    if outcomes.lock_file is not None and outcomes.runtime_text:
        text = outcomes.runtime_text.encode()
        put[outcomes.lock_file] = Entry(FILE, repository.write_blob(text))
    if outcomes.outcome != "succeeded":
        put.update(_failure_entries(repository, outcomes))
    tree = repository.edit_tree(base, put, _left_git(outcomes))
    if tree == base:
        return Written(request.commit, False)
    author = (*_IDENTITY, max(0, int(outcomes.ended_at)))
    commit = repository.commit(tree, [request.commit], _message(outcomes), author=author, signature=key.sign)
    is_branch = request.ref.startswith("refs/heads/")
    moved = False
    if outcomes.outcome == "succeeded" and is_branch:
        moved = refs.compare_and_swap(repository, request.ref, request.commit, commit)
        moved = moved or refs.read(repository, request.ref) == commit
    return Written(commit, moved)


def append_activity(repository: Repository, key: Key, outcomes: Outcomes, written: Written) -> str:
    """Append `run.finished` with the evidence."""
    request = outcomes.request
    activity = Activity(
        kind="run.finished",
        at=iso(outcomes.ended_at),
        by=request.member,
        title=_title(outcomes),
        ref=request.ref,
        commit=written.result_commit,
        run=request.id,
        evidence=_evidence(outcomes, written),
    )
    files: dict[str, bytes | str] = {}
    for number, (stage, log) in enumerate(outcomes.logs.items()):
        tail = log_tail(log)
        if tail:
            files[f"logs/{safe_name(number, stage)}.txt"] = tail
    if outcomes.runtime_text:
        files["runtime.txt"] = outcomes.runtime_text.encode()
    return chain.append(
        repository,
        activity,
        key,
        files,
        keep=[written.result_commit],
        at_epoch_s=max(0, int(outcomes.ended_at)),
        author_email=email_of(request.member),
    )


def let_go(repository: Repository, request: Request) -> None:
    """Delete the refs that kept a run's request and snapshot: from now on the chain keeps them."""
    queue = QUEUE + request.id
    target = refs.read(repository, queue)
    if target is not None:
        refs.delete(repository, queue, target)
    if request.ref.startswith(SNAPSHOTS):
        _keep_as_base(repository, request)
        refs.delete(repository, request.ref, request.commit)


def _keep_as_base(repository: Repository, request: Request) -> None:
    """Have the next snapshot of the member bring only what is new: git sends what no ref here holds. Of two
    that end at one moment either will do."""
    base = BASES + request.ref.removeprefix(SNAPSHOTS).partition("/")[0]
    refs.compare_and_swap(repository, base, refs.read(repository, base), request.commit)


def append_verification(
    repository: Repository, key: Key, found: Verification, member: str, ended_at: float
) -> str:
    """Append `verification`, which keeps both results."""
    verdict = in_words(found.verdict, found.words)
    activity = Activity(
        kind=VERIFICATION,
        at=iso(ended_at),
        by=member,
        title=f"Run {short(found.run)} was verified: {' '.join(verdict.split())[:200]}",
        commit=found.result_again,
        run=found.by_run,
        evidence=msgspec.to_builtins(found),
    )
    return chain.append(
        repository,
        activity,
        key,
        keep=[found.result_again, *([found.result_recorded] if found.result_recorded else [])],
        at_epoch_s=max(0, int(ended_at)),
        author_email=email_of(member),
    )


def is_recorded(repository: Path, run: str, kind: str = "run.finished", limit: int = 1000) -> bool:
    """Return whether the chain's newest entries already tell how this run ended, or what it verified."""
    return any(activity.run == run and activity.kind == kind for _, activity in chain.read(repository, limit))


def email_of(member: str) -> str:
    """Return a member's name as the address git wants beside it, where it is one."""
    return member if "@" in member else ""


def log_tail(path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> bytes:
    """Return a log's end, cut at a line, with a note of what was left out."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= limit_bytes:
                return file.read()
            file.seek(size - limit_bytes)
            tail = file.read()
    except OSError:
        return b""
    return (
        b"[%d earlier bytes are in the run's folder on the hub]\n" % (size - len(tail))
        + tail.partition(b"\n")[2]
    )


def _lock_id(repository: Repository, tree: str) -> str | None:
    entry = repository.entry_of(tree, LOCK_FILE)
    return entry.id if entry else None


def _lock(repository: Repository, lock_id: str | None, outcomes: Outcomes) -> bytes:
    """The lock of the snapshot with this run's stages put in, and without stages the pipeline lost."""
    earlier = read_lock(repository.read_blob(lock_id)) if lock_id else {}
    kept = {name: record for name, record in earlier.items() if name in outcomes.pipeline_stages}
    return write_lock([*(kept | dict(outcomes.records)).values()])


def _artifact_entries(outcomes: Outcomes) -> dict[str, Entry]:
    entries = {}
    partial = [artifact for artifacts in outcomes.partial.values() for artifact in artifacts]
    made = [artifact for record in outcomes.records.values() for artifact in record.artifacts]
    for artifact in (*partial, *made):
        if artifact.git is not None and artifact.git != EMPTY_TREE:
            entries[artifact.path] = Entry(artifact.mode, artifact.git)
    return entries


def _left_git(outcomes: Outcomes) -> list[str]:
    """Artifacts too large for git now: an older, smaller one of that name must not stand for them."""
    return [
        artifact.path
        for record in outcomes.records.values()
        for artifact in record.artifacts
        if artifact.git is None
    ]


def _failure_entries(repository: Repository, outcomes: Outcomes) -> dict[str, Entry]:
    cause = f"run {outcomes.request.id} {outcomes.outcome}\n{outcomes.run.cause or ''}\n"
    entries = {f"{FAILURES}/cause.txt": Entry(FILE, repository.write_blob(cause.encode()))}
    for number, (stage, log) in enumerate(outcomes.logs.items()):
        name = f"{FAILURES}/{safe_name(number, stage)}.txt"
        entries[name] = Entry(FILE, repository.write_blob(log_tail(log)))
    return entries


def _counts(outcomes: Outcomes) -> str:
    states = [job.state for job in outcomes.run.jobs.values()]
    words = [
        (states.count("succeeded"), "ran"),
        (states.count("cached"), "cached"),
        (states.count("failed"), "failed"),
        (states.count("cancelled"), "cancelled"),
        (states.count("blocked"), "not run"),
    ]
    return ", ".join(f"{count} {word}" for count, word in words if count) or "nothing ran"


def _title(outcomes: Outcomes) -> str:
    seconds = max(0.0, outcomes.ended_at - outcomes.started_at)
    return (
        f"Run {short(outcomes.request.id)} of {describe(outcomes.request.ref)} {outcomes.outcome}"
        f" in {duration_words(seconds)}: {_counts(outcomes)}"
    )


def _message(outcomes: Outcomes) -> str:
    request = outcomes.request
    lines = []
    for stage, job in list(outcomes.run.jobs.items())[:50]:
        about = f"from run {short(job.reused_from)}" if job.reused_from else outcomes.reasons.get(stage, "")
        lines.append(f"{stage}: {job.state}{f' ({about})' if about else ''}")
    if len(outcomes.run.jobs) > len(lines):
        lines.append(f"… and {len(outcomes.run.jobs) - len(lines)} more stages")
    cause = f"\n{outcomes.run.cause}\n" if outcomes.run.cause else ""
    return (
        f"Results of run {short(request.id)} ({request.project}): {_counts(outcomes)}\n{cause}\n"
        + "\n".join(lines)
        + f"\n\nLockgate-Run: {request.id}\nLockgate-Status: {outcomes.outcome}\n"
    )


def _evidence(outcomes: Outcomes, written: Written) -> dict[str, object]:
    run, request = outcomes.run, outcomes.request
    stages: Sequence[dict[str, object]] = [
        {
            "stage": stage,
            "state": job.state,
            "reason": outcomes.reasons.get(stage, ""),
            **({"cause": job.cause} if job.cause else {}),
            **({"reused_from": job.reused_from} if job.reused_from else {}),
            **({"fingerprint": job.fingerprint} if job.fingerprint else {}),
            **({"exit": outcomes.exits[stage]} if stage in outcomes.exits else {}),
            **({"observed": outcomes.seen[stage]} if stage in outcomes.seen else {}),
        }
        for stage, job in run.jobs.items()
    ]
    # What a verification makes is no result of the project
    own = outcomes.records.values() if request.proof is None else ()
    records = [record for record in own if record.run == request.id]
    evidence: dict[str, object] = {
        "request": request,
        "outcome": outcomes.outcome,
        "started_at": iso(outcomes.started_at),
        "result": written.result_commit,
        "has_moved_branch": written.has_moved_branch,
        "runtime": outcomes.runtime_digest,
        "stages": stages,
        "records": records,
    }
    if run.cause:
        evidence["cause"] = run.cause
    return msgspec.to_builtins(evidence)  # type: ignore[no-any-return]
