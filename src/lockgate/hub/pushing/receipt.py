"""What the hub answers to a push, in the words a member reads behind `remote:`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lockgate.hub.indexing.rows import Request
from lockgate.hub.push import describe
from lockgate.project.quantities import counted
from lockgate.runs.runid import short

if TYPE_CHECKING:
    # What planning takes to import, the hook that only hands the answer out need not wait for
    from lockgate.hub.planning.preparation import Prepared
    from lockgate.runs.forecast import RunForecast
    from lockgate.runs.plan import PlannedStage

#: So many stages are named; of the others a count is given.
NAMED_AT_MOST = 20


def planned_lines(prepared: Prepared, found: RunForecast, lack: str | None = None) -> tuple[str, ...]:
    """Return the lines of the receipt that planning decides: backend, runtime, each stage with its reason,
    and what all of it will take. `lack`: why jobs of this host are not isolated though they are to be."""
    from lockgate.runs.checked import PREFIX, report_path  # noqa: PLC0415
    from lockgate.runs.forecast import forecast_lines  # noqa: PLC0415

    plan = prepared.plan
    backends = dict.fromkeys(prepared.backend_of(stage.name) for stage in plan.stages)
    packages = counted(len(prepared.runtime.packages), "package")
    runtime = f"python {prepared.runtime.python}, {packages}"
    if not found.is_runtime_ready:
        runtime += ", to be built first"
    lines = [f"backend {', '.join(backends)} · runtime {prepared.runtime.digest[:10]} ({runtime})"]
    for name, reference in prepared.references.items():
        if reference.is_edited:
            path = report_path(name.removeprefix(PREFIX))
            lines.append(f"{path} is not what a run left: compared is with the version that passed last")
    if plan.is_nothing_to_do:
        lines.append(f"nothing to do: {counted(len(plan.stages), 'stage')}, known already")
        return tuple(lines)
    lines.extend(_stage_lines(plan.stages))
    lines.extend(forecast_lines(found))
    if lack is not None and "local" in backends:
        lines.append(f"jobs are not isolated on this host: {lack}")
    return tuple(lines)


def receipt(request: Request, lines: tuple[str, ...]) -> Iterator[str]:
    """Yield the whole answer to one ref of a push."""
    yield f"run {short(request.id)} · {request.project} · {describe(request.ref)} @ {request.commit[:10]}"
    for line in lines:
        yield f"  {line}"
    yield f"  follow: lockgate logs {short(request.id)} -f   results: {_fetch(request)}"


def _fetch(request: Request) -> str:
    if request.ref.startswith("refs/heads/"):
        return f"git pull hub {request.ref.removeprefix('refs/heads/')}"
    return f"lockgate fetch {short(request.id)}"


def _stage_lines(stages: tuple[PlannedStage, ...]) -> Iterator[str]:
    to_run = [stage for stage in stages if stage.reused is None]
    cached = [stage for stage in stages if stage.reused is not None]
    named = (to_run + cached)[:NAMED_AT_MOST]
    width = min(40, max(len(stage.name) for stage in named))
    for stage in stages:
        if stage in named:
            yield f"{stage.name:{width}}  {_words(stage)}"
    if len(stages) > len(named):
        yield f"… and {len(stages) - len(named)} more: {len(to_run)} to run, {len(cached)} cached in all"


def _words(stage: PlannedStage) -> str:
    if stage.reused is not None:
        return stage.reason
    return f"will run: {stage.reason}" if stage.fingerprint is not None else f"runs if needed {stage.reason}"
