"""`lockgate why`: what a file was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import bold, echo, print_json, table
from lockgate.runs.observation import in_words
from lockgate.runs.runid import short

if TYPE_CHECKING:
    from lockgate.runs.provenance import Origin, SourceOrigin
    from lockgate.runs.trace import Step

LINES_AT_MOST = 200


@click.command("why")
@click.argument("file")
@json_option
def command(file: str, is_json: bool) -> None:
    """Tell what a file was made from: stage, run, code, data, parameters, up to the sources.

    Reads lockgate.lock and git's history; the hub is not asked. Of a source file it tells which commit
    changed it last and which stages need it.

    \b
    Example:
      lockgate why figures/delays.png
    """
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.runs.provenance import Origin, explain, path_in  # noqa: PLC0415

    root = find_root(Path.cwd())
    found = explain(root, path_in(root, file))
    if is_json:
        print_json({"kind": "artifact" if isinstance(found, Origin) else "source", "origin": found})
    elif isinstance(found, Origin):
        _show_made(found)
    else:
        _show_source(found)


def _show_made(found: Origin) -> None:
    record, artifact = found.record, found.artifact
    inside = f", in {artifact.path}" if artifact.path != found.path else ""
    echo(f"{bold(found.path)}{inside}: made by stage {record.stage} in run {short(record.run)}")
    if not found.is_here:
        echo(f"It is not in the work tree: lockgate fetch {short(record.run)}")
    elif not found.is_recorded:
        echo(
            "What is in the work tree is NOT what this run made: it was changed since, and no version of"
            " lockgate.lock knows it."
        )
    elif found.lock_commit is not None:
        echo(
            f"The present lockgate.lock has another version; this one is of commit {found.lock_commit[:10]}."
        )
    params = ", ".join(f"{name}={value}" for name, value in record.params.items())
    rows = [
        ("  when", record.ended_at.replace("T", " ")),
        ("  member", record.member),
        ("  command", record.command),
        ("  parameters", params),
        ("  runtime", record.runtime[:10]),
        ("  snapshot", record.commit[:10]),
        ("  md5", artifact.md5),
    ]
    table([row for row in rows if row[1]])
    if record.undeclared:
        echo()
        echo(bold("used besides, and not declared"))
        for use in record.undeclared[:LINES_AT_MOST]:
            echo(f"  {record.stage} {in_words(use)}")
    echo()
    echo(bold("made from"))
    for line in _tree(found.steps[:LINES_AT_MOST]):
        echo(line)
    if len(found.steps) > LINES_AT_MOST:
        echo(f"  … and {len(found.steps) - LINES_AT_MOST} more: --json shows all")


def _tree(steps: tuple[Step, ...]) -> Iterator[str]:
    if not steps:
        yield "  nothing: the stage has no needs"
    for step in steps:
        name = "the whole project" if step.path == "." else step.path
        line = "  " * (step.depth + 1) + name
        if step.stage is None:
            yield f"{line}  {step.identity.removeprefix('md5:')[:10]}"
            continue
        line += f"  ← {step.stage}, run {short(step.run or '')}"
        if step.is_older:
            line += " (an earlier version of what it made)"
        yield line + (" (see above)" if step.is_repeated else "")


def _show_source(found: SourceOrigin) -> None:
    echo(f"{bold(found.path)}: a source, no stage makes it")
    last = found.last_change
    if last is None:
        echo("  not committed yet")
    else:
        at = last.at[:19].replace("T", " ")
        echo(f"  last changed by {last.author}, {at}: {last.subject} ({last.id[:10]})")
        if found.is_changed:
            echo("  changed since, and not committed")
    if found.needed_by:
        echo(f"  needed by {', '.join(found.needed_by)}")
    elif found.problem is None:
        echo("  no stage needs it")
    if found.problem is not None:
        echo(f"  not all stages could be looked at: {found.problem}")
