"""The runs and verifications that a chain tells of, for who gives a result away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lockgate.activity.entry import Activity
from lockgate.errors import UserError
from lockgate.hub.worktree.history import SHORTEST, Entry
from lockgate.runs.crate.contents import RunTold, Verdict
from lockgate.runs.record import StageRecord

VERIFICATION = "verification"


class _Asked(msgspec.Struct, frozen=True):
    commit: str
    params: dict[str, str] = {}


class _Ended(msgspec.Struct, frozen=True):
    request: _Asked
    outcome: str
    started_at: str
    result: str
    runtime: str = ""
    cause: str | None = None
    records: tuple[StageRecord, ...] = ()


class _Verified(msgspec.Struct, frozen=True):
    run: str
    by_run: str
    verdict: str
    words: str = ""


def run_of(activity: Activity) -> RunTold | None:
    """Return the run an activity tells the end of; None where it tells of something else."""
    if activity.kind != "run.finished" or activity.run is None:
        return None
    try:
        ended = msgspec.convert(activity.evidence, _Ended)
    except msgspec.ValidationError:
        return None
    return RunTold(
        id=activity.run,
        member=activity.by,
        ref=activity.ref or "",
        outcome=ended.outcome,
        cause=ended.cause,
        started_at=ended.started_at,
        ended_at=activity.at,
        snapshot=ended.request.commit,
        result=ended.result,
        runtime=ended.runtime,
        params=ended.request.params,
        records=ended.records,
    )


def verdict_of(activity: Activity) -> Verdict | None:
    """Return what a verification found; None where an activity tells of something else."""
    if activity.kind != VERIFICATION:
        return None
    try:
        found = msgspec.convert(activity.evidence, _Verified)
    except msgspec.ValidationError:
        return None
    return Verdict(
        run=found.run,
        by_run=found.by_run,
        verdict=found.verdict,
        words=found.words,
        by=activity.by,
        at=activity.at,
    )


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What of a chain is given away."""

    tip: str
    """Its newest entry that goes along."""
    main: RunTold
    main_entry: str
    runs: tuple[RunTold, ...]
    """Oldest first; `main` is one of them."""
    verdicts: tuple[Verdict, ...]


def told_of(entries: Iterable[Entry], text: str | None) -> Told:
    """Return a run with what is told of it, the chain cut behind that; without a text, everything.

    `entries` are all of the chain, newest first; `latest` is the newest run. Raises `UserError`
    (`run-unknown`, `run-ambiguous`).
    """
    found = list(entries)
    runs: dict[str, tuple[RunTold, str]] = {}
    verdicts: list[Verdict] = []
    for entry in reversed(found):
        if (run := run_of(entry.activity)) is not None:
            runs[run.id] = (run, entry.id)
        if (verdict := verdict_of(entry.activity)) is not None:
            verdicts.append(verdict)
    again = {verdict.by_run for verdict in verdicts}
    own = {name: each for name, each in runs.items() if name not in again}
    main, at = _chosen(own, text)
    if text is None:
        return Told(
            tip=found[0].id,
            main=main,
            main_entry=at,
            runs=tuple(run for run, _ in own.values()),
            verdicts=tuple(verdicts),
        )
    kept = tuple(verdict for verdict in verdicts if verdict.run == main.id)
    tip = next(entry.id for entry in found if _speaks_of(entry.activity, main.id))
    return Told(tip=tip, main=main, main_entry=at, runs=(main,), verdicts=kept)


def _speaks_of(activity: Activity, run: str) -> bool:
    verdict = verdict_of(activity)
    return activity.run == run if verdict is None else verdict.run == run


def _chosen(runs: Mapping[str, tuple[RunTold, str]], text: str | None) -> tuple[RunTold, str]:
    if text is None or text == "latest":
        good = [each for each in runs.values() if text == "latest" or each[0].outcome == "succeeded"]
        if good:
            return good[-1]
    else:
        ending = text.strip().upper()
        ends = [name for name in runs if len(ending) >= SHORTEST and name.endswith(ending)]
        if len(ends) == 1:
            return runs[ends[0]]
        if ends:
            raise UserError(
                f"{text} is the end of several runs' ids", f"Give more of it: {', '.join(ends[:5])}",
                code="run-ambiguous",
            )  # fmt: skip
    what = "no run that succeeded" if text is None else f"no run {text} that has ended"
    raise UserError(
        f"the activity chain knows {what}",
        "The runs there are: lockgate runs; give at least 4 characters of the id, or the project's name.",
        code="run-unknown",
    )
