"""`lockgate verify`: a run made again from nothing, and compared with what it had left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import bold, echo, print_json, table
from lockgate.runs.runid import short

if TYPE_CHECKING:
    from lockgate.verify.report import Verification

SHOWN_AT_MOST = 40


@click.command("verify")
@click.argument("run", default="latest")
@click.option("--on", "backend", metavar="BACKEND", help="Run it on this backend, wherever it ran.")
@click.option("--fresh", is_flag=True, help="Build the runtime anew, with empty caches.")
@click.option("--stage", "stages", multiple=True, metavar="STAGE", help="Verify this stage alone.")
@click.option("--no-cause", is_flag=True, help="Do not search for the cause of a difference.")
@click.option("--by", metavar="MEMBER", help="In whose name; left out: git's user.email.")
@hub_options
@json_option
def command(
    run: str,
    backend: str | None,
    fresh: bool,
    stages: tuple[str, ...],
    no_cause: bool,
    by: str | None,
    hub: Path | None,
    project: str | None,
    is_json: bool,
) -> int:
    """Make a run again from nothing and compare what it makes with what was recorded.

    The run's own snapshot is executed in its locked runtime, in new workspaces; no result that is known is
    taken. What comes out replaces nothing: no branch moves, no later run uses it. The verdict becomes a
    signed entry of the activity chain.

    Where something differs, its stage is run again with one thing changed at a time, to find the likely
    cause; --no-cause leaves that out. --stage verifies one stage alone, on what the run's own stages above
    it made; it may be given several times.

    \b
    Examples:
      lockgate verify
      lockgate verify 8F3KQ2ZD --fresh
      lockgate verify 8F3KQ2ZD --on slurm --stage train

    Exit codes: 0 identical or equal within tolerance, 1 it differs or could not be run, 2 refused, 3 the hub
    cannot be reached.
    """
    from lockgate.cli.progress import watch  # noqa: PLC0415
    from lockgate.git.worktree import member_here  # noqa: PLC0415
    from lockgate.hub.proving.verification import Asked  # noqa: PLC0415
    from lockgate.hub.worktree.asking import ask_verification  # noqa: PLC0415

    member = by or member_here()
    asked = Asked(backend=backend, is_fresh=fresh, stages=stages, seeks_cause=not no_cause)
    words = ["verify", run, *(["--on", backend] if backend else []), *(["--fresh"] if fresh else [])]
    words += [word for stage in stages for word in ("--stage", stage)]
    words += [*(["--no-cause"] if no_cause else []), *(["--by", member] if member else [])]
    place = ask_hub(hub, project, [*words, *(["--json"] if is_json else [])])
    with watch(is_quiet=is_json) as show:
        found = ask_verification(place, run, asked, member, show)
    if is_json:
        print_json(found)
    else:
        print_verification(found)
    return 0 if found.is_proved else 1


def print_verification(found: Verification) -> None:
    """Print the verdict, what differs, and why."""
    from lockgate.verify.report import in_words  # noqa: PLC0415

    echo(f"{bold('run ' + short(found.run))}  {in_words(found.verdict, found.words)}")
    for note in found.notes:
        echo(f"  {note}")
    told = [each for each in found.artifacts if each.verdict != "identical"]
    rows = [(each.path, in_words(each.verdict, each.words)) for each in told[:SHOWN_AT_MOST]]
    if rows:
        echo()
        table(rows, ("ARTIFACT", "VERDICT"))
    if len(told) > SHOWN_AT_MOST:
        echo(f"… and {len(told) - SHOWN_AT_MOST} more: --json shows all")
    same = len(found.artifacts) - len(told)
    if same:
        echo(f"{same} artifact{'s are' if same > 1 else ' is'} identical")
    for cause in found.causes:
        echo(f"{cause.stage}: likely cause: {cause.words}")
