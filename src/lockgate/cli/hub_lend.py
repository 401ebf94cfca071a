"""`lockgate hub lend`: what datasets of other projects are, and that a project may have them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.cli.stream_options import place_options, told_value


@click.command("lend")
@place_options
@json_option
def command(hub: Path, project: str, is_json: bool) -> None:
    """Say what datasets of other projects are, and lend them to a project of the hub. Standard input: a JSON
    table of `datasets` (`project`, `path`, `version`) and `is_taken`. Lockgate calls it over ssh.
    """
    from lockgate.hub.datasets.lending import LoanRequest, acting, answer  # noqa: PLC0415
    from lockgate.hub.directory import open_hub  # noqa: PLC0415

    place = open_hub(hub)
    request = told_value(sys.stdin.buffer.read(), LoanRequest)
    found = answer(place, project, request, acting(place, os.environ))
    if is_json:
        print_json(found)
        return
    for name, loan in zip(request.datasets, found.loans, strict=True):
        echo(f"{name.words} {loan.dataset.md5 if loan.dataset else loan.fault and loan.fault.message}")
