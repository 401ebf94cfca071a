"""One run as the panel shows it: its stages as a graph, why each stands as it does, and what was made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError
from lockgate.hub.indexing.queries import RunLine, RunView
from lockgate.hub.push import VERIFICATIONS
from lockgate.hub.reaching.address import HttpHub, address
from lockgate.hub.showing.artifact_content import File
from lockgate.hub.showing.stage_layers import layers_of
from lockgate.hub.showing.stage_lines import note_of, upstream_of
from lockgate.hub.worktree.asking import ask_run
from lockgate.hub.worktree.fetching import fetch_commit
from lockgate.hub.worktree.results import LISTED_AT_MOST, Results
from lockgate.project.graph import upstream
from lockgate.project.snapshot import CommitSource
from lockgate.runs.load import load
from lockgate.runs.notebook import executed_path
from lockgate.runs.run import FINAL_RUN_STATES
from lockgate.verify.report import in_words

_METRICS_AT_MOST = 200
_PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp")


class StageShown(msgspec.Struct, frozen=True):
    """One stage. `layer`: its column in the graph; `above`: the stages it waits for."""

    name: str
    state: str
    note: str
    seconds: float | None
    layer: int
    above: tuple[str, ...]
    notebook: str | None = None
    """The notebook it executes, below the project's root."""
    executed: str | None = None
    """The executed copy, where it was made."""


class Metric(msgspec.Struct, frozen=True):
    name: str
    value: str


class RunShown(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that its page in the panel shows."""

    line: RunLine
    is_over: bool
    is_verification: bool
    params: dict[str, str]
    stages: tuple[StageShown, ...]
    """In the order of the graph: column by column."""
    metrics: tuple[Metric, ...]
    figures: tuple[File, ...]
    tables: tuple[File, ...]
    others: tuple[File, ...]
    is_cut: bool
    verdicts: tuple[str, ...]
    """What verifications found, in words, newest first."""
    page: str | None
    """Its page on the hub, where the hub has pages."""
    problem: str = ""
    """Why what was made cannot be listed."""


def show(root: Path, run: str) -> RunShown:
    """Return a run of the work tree's hub. Raises what `ask_run` raises."""
    place = address(None, None, root)
    view = ask_run(place, run)
    notebooks, above = _planned(root, view.line.commit, tuple(sorted(view.params.items())))
    files: list[File] = []
    problem = ""
    try:
        files = Results(root, place, view).files()
    except LockgateError as error:
        problem = f"{error.message}. {error.hint}"
    figures, tables, others = _by_kind(files)
    return RunShown(
        line=view.line,
        is_over=view.line.state in FINAL_RUN_STATES,
        is_verification=view.ref.startswith(VERIFICATIONS),
        params=view.params,
        stages=_stages(view, notebooks, above or upstream_of((), view.records)),
        metrics=tuple(
            Metric(name, f"{value:.6g}" if isinstance(value, float) else str(value))
            for name, value in list(view.metrics.items())[:_METRICS_AT_MOST]
        ),
        figures=figures,
        tables=tables,
        others=others,
        is_cut=len(files) >= LISTED_AT_MOST,
        verdicts=tuple(in_words(each.verdict, each.words) for each in view.verifications),
        page=f"{place.base}/p/{place.project}/runs/{view.line.id}" if isinstance(place, HttpHub) else None,
        problem=problem,
    )


@lru_cache(maxsize=64)
def _planned(
    root: Path, commit: str, params: tuple[tuple[str, str], ...]
) -> tuple[Mapping[str, tuple[str, str]], Mapping[str, tuple[str, ...]]]:
    """Return stage → its notebook and the executed copy's path, and who waits for whom, by the snapshot."""
    try:
        fetch_commit(root, commit)
        pipeline = load(CommitSource(root, commit), dict(params), "").pipeline
        above = upstream(pipeline)
    except LockgateError:
        return {}, {}
    notebooks = {
        stage.name: (stage.notebook, executed_path(stage.notebook, stage.makes))
        for stage in pipeline.stages
        if stage.notebook is not None
    }
    return notebooks, above


def _stages(
    view: RunView, notebooks: Mapping[str, tuple[str, str]], above: Mapping[str, tuple[str, ...]]
) -> tuple[StageShown, ...]:
    jobs = {job.stage: job for job in view.stages}
    shown = []
    for number, layer in enumerate(layers_of(list(jobs), above)):
        for name in layer:
            job = jobs[name]
            begun, ended = job.started_at, job.ended_at
            notebook, executed = notebooks.get(name, (None, None))
            record = view.records.get(name)
            made = {artifact.path for artifact in record.artifacts} if record is not None else set()
            shown.append(
                StageShown(
                    name,
                    job.state,
                    note_of(job),
                    max(0.0, ended - begun) if begun is not None and ended is not None else None,
                    number,
                    tuple(other for other in above.get(name, ()) if other in jobs),
                    notebook,
                    executed if executed in made else None,
                )
            )
    return tuple(shown)


def _by_kind(files: list[File]) -> tuple[tuple[File, ...], tuple[File, ...], tuple[File, ...]]:
    figures = tuple(file for file in files if file.path.lower().endswith(_PICTURES))
    tables = tuple(file for file in files if file.path.lower().endswith((".csv", ".tsv")))
    known = {file.path for file in (*figures, *tables)}
    return figures, tables, tuple(file for file in files if file.path not in known)
