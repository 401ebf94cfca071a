"""`lockgate kernel`: the kernels that a project brings along."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class KernelGroup(LazyGroup):
    """The commands of `lockgate kernel`."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "add": ("lockgate.cli.kernel_add", "Write a kernel that starts in the project's runtime."),
        "list": ("lockgate.cli.kernel_list", "List the kernels of this project."),
        "build": ("lockgate.cli.kernel_build", "Build what a kernel is started in, ahead of time."),
    }


@click.group("kernel", cls=KernelGroup)
def command() -> None:
    """Kernels that a project brings along, in kernels/NAME/kernel.json; Jupyter shows them by itself.

    \b
    Example:
      lockgate kernel add flights
      git add kernels && git commit -m "A kernel for the project"
    """
