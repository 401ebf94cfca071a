"""`lockgate data verify`: every byte read again."""

from __future__ import annotations

import os

import click

from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import counted, size_words


@click.command("verify")
@json_option
def command(is_json: bool) -> int:
    """Read every object of the store and every file of the data here again, and name what is wrong.

    Found are flipped bits, truncated, missing and unreadable objects, objects that a slip could change, and
    edited files. Nothing is changed. Exit code 1 says that something was found.

    \b
    Example:
      lockgate data verify
    """
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.verify import verify  # noqa: PLC0415

    found = verify(open_clone(os.curdir))
    if is_json:
        print_json(found)
        return 1 if found.faults else 0
    for fault in found.faults:
        echo(f"{fault.what}: {fault.path}{f' ({fault.detail})' if fault.detail else ''}")
        for user in fault.used_by[:5]:
            if user != fault.path:
                echo(f"  is {user}")
    faults = f"{counted(len(found.faults), 'fault')}" if found.faults else "no fault"
    echo(f"{counted(found.objects, 'object')} read, {size_words(found.size_bytes)}: {faults}")
    return 1 if found.faults else 0
