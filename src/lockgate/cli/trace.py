"""`lockgate trace`: which run made this file, from any copy of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from lockgate.cli.options import hub_options, json_option
from lockgate.cli.output import bold, echo, print_json, when
from lockgate.runs.runid import short

if TYPE_CHECKING:
    from lockgate.hub.search.trace import MadeFile
    from lockgate.hub.search.trail import Traced

SHOWN_AT_MOST = 5


@click.command("trace")
@click.argument("file", default="-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--stdin", "is_stdin", is_flag=True, help="Read the file from standard input.")
@hub_options
@json_option
def command(file: str, is_stdin: bool, hub: Path | None, project: str | None, is_json: bool) -> int:
    """Tell which run made a file, from any copy of it, wherever it lies.

    By its bytes, that is certain; by the passport that a figure carries; and a picture by its looks, where
    it was saved anew, scaled, framed or a little cut off: that is said to be a likeness. The hub is asked,
    all its projects that one may read.

    \b
    Examples:
      lockgate trace figures/delays.png
      lockgate trace ~/Downloads/slide-7.jpg --json

    Exit codes: 0 found, 1 no run is known that made it, 2 refused, 3 the hub cannot be reached.
    """
    from lockgate.hub.reaching.address import RemoteHub, address  # noqa: PLC0415
    from lockgate.hub.worktree.tracing import ask_trace  # noqa: PLC0415

    is_piped = is_stdin or file == "-"
    place = address(hub, project, Path.cwd())
    stream: BinaryIO = sys.stdin.buffer if is_piped else Path(file).open("rb")  # noqa: SIM115
    try:
        if isinstance(place, RemoteHub):
            sys.stdout.flush()
            return place.call(["trace", "--stdin", *(["--json"] if is_json else [])], stream)
        found = ask_trace(place, stream, [project] if project else [])
    finally:
        stream.close()
    if is_json:
        print_json(found)
    else:
        _show("standard input" if is_piped else file, found)
    return 0 if found.is_found else 1


def _show(name: str, found: Traced) -> None:
    from lockgate.hub.search.trace import nearness  # noqa: PLC0415

    echo(bold(name))
    for made in found.exact[:SHOWN_AT_MOST]:
        echo(f"  exactly what {_words(made)} made")
    stamped = found.stamped
    if stamped is not None and not found.exact:
        for made in stamped.made[:SHOWN_AT_MOST]:
            sure = "exactly what, but for its passport," if stamped.is_proved else "its passport says that"
            echo(f"  {sure} {_words(made)} made" + ("" if stamped.is_proved else " it; its bytes are others"))
        if not stamped.made:
            said = stamped.passport
            echo(f"  its passport names run {short(said.run)} of {said.project}, which is not known here")
    if not found.exact and not (stamped is not None and stamped.is_proved):
        for each in found.alike[:SHOWN_AT_MOST]:
            echo(f"  a likeness ({nearness(each.distance)}) of what {_words(each.made)} made")
    if not found.is_found:
        echo("  no run is known that made it")


def _words(made: MadeFile) -> str:
    return f"run {short(made.run)} of {made.project}, stage {made.stage}, {made.path} ({when(made.at)}),"
