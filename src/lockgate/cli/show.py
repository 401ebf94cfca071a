"""`lockgate show`: one run with its stages, causes, metrics and artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import bold, echo, print_json, state_words, table, when
from lockgate.project.quantities import duration_words, size_words
from lockgate.runs.reason import reason_beside_state
from lockgate.runs.runid import short

_USES_AT_MOST = 20

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockgate.hub.datasets.dataset_uses import Read
    from lockgate.hub.indexing.queries import RunView
    from lockgate.hub.indexing.rows import JobRow
    from lockgate.runs.observation import Observation
    from lockgate.verify.report import Verification


@click.command("show")
@click.argument("run", default="latest")
@hub_options
@json_option
def command(run: str, hub: Path | None, project: str | None, is_json: bool) -> None:
    """Show one run: the end of its id is enough; without one, the newest.

    \b
    Examples:
      lockgate show
      lockgate show 8F3KQ2ZD --json
    """
    from lockgate.hub.worktree.asking import ask_data, ask_run  # noqa: PLC0415

    place = ask_hub(hub, project, ["show", run, *(["--json"] if is_json else [])])
    view = ask_run(place, run)
    if is_json:
        print_json(view)
    else:
        _print(view)
        _print_data(ask_data(place, view))


def _print(view: RunView) -> None:
    line = view.line
    taken = f" in {duration_words(line.seconds)}" if line.seconds is not None else ""
    echo(f"{bold('run ' + short(line.id))}  {state_words(line.state)}{taken}")
    rows = [("id", line.id), ("queued", when(line.created_at)), ("member", line.member)]
    rows.append(("of", f"{line.where} @ {line.commit[:10]}"))
    if view.params:
        rows.append(("parameters", ", ".join(f"{name}={value}" for name, value in view.params.items())))
    if view.result_commit and view.result_commit != line.commit:
        moved = ", on the branch" if view.has_moved_branch else ""
        rows.append(("result", view.result_commit[:10] + moved))
    elif view.result_commit:
        rows.append(("result", "nothing changed"))
    if line.cause:
        rows.append(("cause", line.cause))
    for found in view.verifications[:3]:
        other = found.run if found.by_run == line.id else found.by_run
        rows.append(
            ("verifies" if other == found.run else "verified", f"{short(other)}: {_verdict_words(found)}")
        )
    table(rows)
    if view.stages:
        echo()
        table([_stage(job) for job in view.stages], ("STAGE", "STATE", "TIME", "MEMORY", "WHY"))
    if view.observations:
        echo()
        for stage, seen in view.observations.items():
            _print_observation(stage, seen)
    if view.metrics:
        echo()
        table(
            [
                (key, f"{value:.6g}" if isinstance(value, float) else str(value))
                for key, value in view.metrics.items()
            ],
            ("METRIC", "VALUE"),
        )
    if view.artifacts:
        echo()
        rows_ = [(a.path, a.kind, size_words(a.size_bytes), a.md5[:10]) for a in view.artifacts]
        table(rows_, ("ARTIFACT", "KIND", "SIZE", "MD5"))


def _print_data(read: Sequence[Read]) -> None:
    from lockgate.data.certification import in_words  # noqa: PLC0415

    if read:
        echo()
        rows = [
            (
                each.entry.path,
                (each.entry.content or "")[:10],
                in_words(each.standing),
                each.entry.description.source,
            )
            for each in read
        ]
        table(rows, ("DATA", "VERSION", "STANDING", "SOURCE"))


def _print_observation(stage: str, seen: Observation) -> None:
    from lockgate.runs.observation import in_words  # noqa: PLC0415

    if seen.fault:
        echo(f"{stage} was not observed: {seen.fault}")
        return
    for use in seen.undeclared[:_USES_AT_MOST]:
        echo(f"{stage} {in_words(use)}: not declared")
    if len(seen.undeclared) > _USES_AT_MOST:
        echo(f"… and {len(seen.undeclared) - _USES_AT_MOST} more that {stage} does not declare")
    if seen.unread:
        echo(f"{stage} opened nothing of {', '.join(seen.unread[:_USES_AT_MOST])}, which it needs")
    about = [f"{len(seen.read)} of its inputs read", f"{seen.software_count} files of software"]
    if seen.allowed:
        about.append(f"{len(seen.allowed)} uses allowed undeclared")
    if seen.unseen_count:
        about.append(f"{seen.unseen_count} calls not seen")
    if seen.is_cut_short:
        about.append("ended before all was noted")
    echo(f"{stage} was observed: {', '.join(about)}")


def _number(value: float | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _verdict_words(found: Verification) -> str:
    from lockgate.verify.report import in_words  # noqa: PLC0415

    causes = "".join(f"; {cause.stage}: likely cause: {cause.words}" for cause in found.causes)
    return in_words(found.verdict, found.words) + causes


def _stage(job: JobRow) -> tuple[str, str, str, str, str]:
    taken = ""
    if job.started_at is not None and job.ended_at is not None:
        taken = duration_words(max(0.0, job.ended_at - job.started_at))
    memory = size_words(job.peak_memory_bytes) if job.peak_memory_bytes else ""
    return (
        job.stage,
        state_words(job.state),
        taken,
        memory,
        job.cause or job.waits_for or job.progress or reason_beside_state(job.reason),
    )
