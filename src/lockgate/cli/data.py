"""`lockgate data`: large files and folders, which git names and a store keeps."""

from __future__ import annotations

from typing import ClassVar

import click

from lockgate.cli.group import LazyGroup


class DataGroup(LazyGroup):
    """The commands of `lockgate data`."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "add": ("lockgate.cli.data_add", "Put files or folders into the store; a pointer stays in git."),
        "import": ("lockgate.cli.data_import", "Take data of another project of the hub, pinned."),
        "get": ("lockgate.cli.data_get", "Bring the data that the pointers stand for."),
        "put": ("lockgate.cli.data_put", "Send the data to the project's remote."),
        "status": ("lockgate.cli.data_status", "Say how the data here differs from its pointers."),
        "list": ("lockgate.cli.data_list", "List the data of this project."),
        "show": ("lockgate.cli.data_show", "Show one dataset, and its versions."),
        "describe": ("lockgate.cli.data_describe", "Say what data is: owner, licence, source, columns."),
        "export": ("lockgate.cli.data_export", "Print datasets for catalogues elsewhere: Croissant, DCAT."),
        "certify": ("lockgate.cli.data_certify", "Certify one version of a dataset, or take that back."),
        "check": ("lockgate.cli.data_check", "Check tables by their rules, or suggest some."),
        "diff": ("lockgate.cli.data_diff", "Say which files differ between two versions."),
        "verify": ("lockgate.cli.data_verify", "Read every byte again, and name what is damaged."),
        "gc": ("lockgate.cli.data_gc", "Remove what nothing needs any more."),
        "repair": ("lockgate.cli.data_repair", "Make data of files too large for git in commits not pushed."),
    }


@click.group("data", cls=DataGroup)
def command() -> None:
    """Large data beside git, in DVC's formats: the bytes lie in a store, a small pointer in git.

    \b
    Example:
      lockgate data add data/raw
      git add data/raw.dvc data/.gitignore && git commit -m "Raw data"
      git checkout v1 && lockgate data get
    """
