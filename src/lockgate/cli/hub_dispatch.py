"""`lockgate hub dispatch`: the dispatcher in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub, hub_option
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json


@click.command("dispatch")
@hub_option
@click.option(
    "--linger",
    "linger_s",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Wait so many seconds for more before ending; `inf` for a service.",
)
@json_option
def command(hub: Path | None, linger_s: float | None, is_json: bool) -> None:
    """Run everything queued on a hub, in this terminal. A push does this by itself, in the background.

    Where another process does it already, says so and ends.

    \b
    Examples:
      lockgate hub dispatch --hub /srv/hub --linger 0
      lockgate hub dispatch --hub /srv/hub --linger inf
    """
    import logging  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from lockgate.hub.operation.examination import dispatcher_pid  # noqa: PLC0415
    from lockgate.hub.running.dispatcher import dispatch  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    place = choose_hub(hub)
    has_dispatched = dispatch(place, linger_s)
    pid = None if has_dispatched else dispatcher_pid(place)
    if is_json:
        print_json({"has_dispatched": has_dispatched, "other_pid": pid})
    elif has_dispatched:
        echo("nothing is queued any more")
    else:
        echo(f"another process dispatches this hub already ({pid or 'it just ended'})")
