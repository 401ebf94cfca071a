"""Printing what a run would do and take."""

from __future__ import annotations

from lockgate.cli.output import bold, echo, state_words, table
from lockgate.project.quantities import counted, duration_words, size_words
from lockgate.runs.forecast import RunForecast, StageForecast, whole

_NAMED_AT_MOST = 40


def print_forecast(found: RunForecast) -> None:
    """Print the whole in a line, then the stages that would run, then what is likely to go wrong."""
    at_work = [stage for stage in found.stages if stage.action != "cached"]
    total = len(found.stages)
    if not at_work:
        echo(f"nothing to do: {counted(total, 'stage')}, known already")
        return
    known = f", {total - len(at_work)} known already" if len(at_work) < total else ""
    echo(f"{len(at_work)} of {counted(total, 'stage')} would run{known}")
    echo(f"{bold('forecast:')} {whole(found)}")
    if not found.is_runtime_ready:
        echo("the runtime is built first, which takes its own time")
    echo()
    rows = [_row(stage) for stage in at_work[:_NAMED_AT_MOST]]
    table(rows, ("STAGE", "WHAT", "BACKEND", "TIME", "MEMORY", "FROM", "WHY"))
    if len(at_work) > _NAMED_AT_MOST:
        echo(f"… and {len(at_work) - _NAMED_AT_MOST} more")
    for stage in at_work:
        for words in stage.warnings:
            echo(f"careful: {stage.stage} {words}")


def _row(stage: StageForecast) -> tuple[str, ...]:
    expected, asked = stage.expected, stage.resources.memory_bytes
    time = memory = ""
    source = "no earlier run"
    if expected is not None and expected.job_count:
        source = counted(expected.job_count, "job") + (" of others" if expected.is_of_others else "")
        time = _range(expected.seconds, expected.seconds_most)
        if expected.memory_most_bytes is not None:
            memory = size_words(expected.memory_most_bytes)
    if asked is not None:
        memory = f"{memory or '?'} of {size_words(asked)}"
    return stage.stage, state_words(stage.action), stage.backend, time, memory, source, stage.reason


def _range(typical: float | None, most: float | None) -> str:
    if typical is None or most is None:
        return ""
    first, last = duration_words(typical), duration_words(most)
    return first if first == last else f"{first}, at most {last}"
