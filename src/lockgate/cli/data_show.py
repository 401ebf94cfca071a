"""`lockgate data show`: one dataset: what is said of it, what it looks like, its versions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from lockgate.cli.data_report import inside
from lockgate.cli.options import json_option
from lockgate.cli.output import echo, print_json, table, when
from lockgate.project.quantities import counted, size_words

if TYPE_CHECKING:
    from lockgate.data.profile import Column, Profile
    from lockgate.hub.datasets.dataset_checks import Accepted
    from lockgate.project.description import Description

_WORDS = {
    "owner": "owner",
    "licence": "licence",
    "source": "source",
    "version": "version",
    "refreshed_at": "refreshed",
    "labelled_at": "labelled",
}


@click.command("show")
@click.argument("path", metavar="PATH")
@click.option("--no-columns", is_flag=True, help="Do not look at the content.")
@json_option
def command(path: str, no_columns: bool, is_json: bool) -> None:
    """Show one dataset: what is said of it, its pointer, size and files, whether its bytes are here, its
    columns, and its versions in history.

    \b
    Example:
      lockgate data show data/raw
    """
    from lockgate.data import acceptance  # noqa: PLC0415
    from lockgate.data.catalogued import find_dataset  # noqa: PLC0415
    from lockgate.data.certification import in_words  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.data.dataset import dataset  # noqa: PLC0415
    from lockgate.data.local_profile import profile_here  # noqa: PLC0415
    from lockgate.hub.datasets.catalogue import standing_now  # noqa: PLC0415
    from lockgate.hub.datasets.dataset_checks import accepted_reports  # noqa: PLC0415
    from lockgate.hub.worktree.known_entries import known_acceptances, known_certifications  # noqa: PLC0415

    clone = open_clone(os.curdir)
    named = find_dataset(clone, inside(clone, [path])[0])
    found = dataset(clone, named.output, named.description)
    said = known_certifications(Path(clone.root), found.path)
    standing = standing_now(said, found.md5 or (found.versions[0].git if found.versions else None))
    checks = accepted_reports(Path(clone.root), "HEAD", found.path) if found.versions else ()
    drifted = known_acceptances(Path(clone.root), found.path)
    profile = None if no_columns else profile_here(clone, named.output)
    if is_json:
        whole = {"standing": standing, "profile": profile, "checks": checks, "drift_accepted": drifted}
        print_json({**msgspec.structs.asdict(found), **whole})
        return
    size = "unknown" if found.size_bytes is None else size_words(found.size_bytes)
    files = "" if found.file_count is None else f", {counted(found.file_count, 'file')}"
    echo(f"{found.path}: {size}{files}")
    _print_description(found.description)
    echo(f"  pointer   {found.pointer}")
    if named.output.is_cached:
        echo(f"  md5       {found.md5 or 'none yet'}")
        lacking = f"{counted(found.missing_count, 'object')} missing"
        echo(f"  store     {lacking if found.missing_count else 'all of it'}")
    echo(f"  {in_words(standing)}")
    if checks:
        _print_checks(checks[0])
    for each in drifted:
        echo(f"  {acceptance.in_words(each)}")
    if profile is not None:
        _print_profile(profile, found.description)
    echo("versions:" if found.versions else "versions: none committed yet")
    table(
        [
            (
                f"  {version.commit[:10]}",
                when(version.committed_at),
                "removed" if version.is_removed else size_words(version.size_bytes or 0),
                version.subject,
            )
            for version in found.versions
        ]
    )


def _print_description(said: Description) -> None:
    for line in said.text.splitlines():
        echo(f"  {line}")
    for field, word in _WORDS.items():
        if getattr(said, field):
            echo(f"  {word.ljust(10)}{getattr(said, field)}")
    if said.labels:
        echo(f"  labels    {', '.join(said.labels)}")
    for doubt in said.doubts:
        echo(f"  note: {doubt}")


def _print_checks(accepted: Accepted) -> None:
    report = accepted.report
    rows = "" if report.rows is None else f" of {counted(report.rows, 'row')}"
    drift = "".join(f", drift of {column} {index:.3f}" for column, index in report.drift.items())
    words = f"{counted(report.rules, 'rule')}{rows} held{drift}"
    echo(f"  checks    {words}, at {accepted.commit[:10]} ({when(accepted.committed_at)})")


def _print_profile(profile: Profile, said: Description) -> None:
    if profile.problem:
        echo(f"columns: not known: {profile.problem}")
        return
    for ending in profile.endings:
        files = counted(ending.file_count, "file")
        echo(f"  {ending.name or 'no ending'}: {files}, {size_words(ending.size_bytes)}")
    if not profile.columns:
        return
    about = "" if profile.is_row_count_exact else "about "
    echo(f"columns: {profile.column_count}, of {about}{counted(profile.row_count or 0, 'row')}")
    for note in profile.notes:
        echo(f"  note: {note}")
    rows = [
        (f"  {column.name}", column.kind, _spread(column), said.columns.get(column.name, ""))
        for column in profile.columns
    ]
    table(rows)


def _spread(column: Column) -> str:
    """Return in a few words how a column's values are spread."""
    words = []
    if column.null_count:
        words.append(f"{column.null_count} without a value")
    if column.mean is not None:
        words.append(f"{column.least} to {column.largest}, mean {column.mean:.6g}")
    elif column.kind in ("day", "moment"):
        words.append(f"{column.least} to {column.largest}")
    else:
        about = "" if column.is_distinct_exact else "about "
        words.append(f"{about}{column.distinct_count} different")
        if column.common:
            words.append(f"most often {column.common[0][0]}")
    return ", ".join(words)
