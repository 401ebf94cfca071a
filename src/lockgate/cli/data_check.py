"""`lockgate data check`: tables by their rules, here and now; or a first set of rules for them."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lockgate.cli.data_report import inside
from lockgate.cli.options import ask_hub, hub_options, json_option
from lockgate.cli.output import echo, print_json
from lockgate.project.quantities import counted


@click.command("check")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--suggest", "is_suggest", is_flag=True, help="Print rules that the tables named fit.")
@click.option("--write", "is_write", is_flag=True, help="With --suggest: put them into lockgate.toml.")
@click.option(
    "--accept", metavar="PATH", help="This table drifted, and is right: compare with it from now on."
)
@click.option("-m", "--message", metavar="TEXT", default="", help="With --accept: why.")
@click.option("--as", "name", metavar="NAME", default="", help="With --accept: what the version is called.")
@click.option("--run", metavar="RUN", help="With --accept: whose check found it; else the newest.")
@click.option("--by", metavar="MEMBER", help="With --accept: in whose name; left out: git's user.email.")
@hub_options
@json_option
def command(
    paths: tuple[str, ...],
    is_suggest: bool,
    is_write: bool,
    accept: str | None,
    message: str,
    name: str,
    run: str | None,
    by: str | None,
    hub: Path | None,
    project: str | None,
    is_json: bool,
) -> int:
    """Check tables by the rules of `[checks]` in lockgate.toml, as a run does before its stages need them.
    Nothing is pushed or recorded. Exit code 1 says that a rule does not hold.

    With --accept, the hub signs that what a run's check found to have drifted is right: later versions are
    compared with that one. A lead may, and the owner that the catalogue names.

    \b
    Examples:
      lockgate data check --suggest data/flights.csv
      lockgate data check --accept data/flights.csv -m "a new airport" --as "with Oslo"
    """
    if accept is not None:
        if paths or is_suggest or is_write:
            raise click.UsageError("--accept takes one table, and nothing beside it")
        _accept(accept, message, name, run, by, hub, project, is_json)
        return 0
    if message or name or run or by or hub or project:
        raise click.UsageError("--message, --as, --run, --by, --hub and --project go with --accept")
    from lockgate.data.clone import open_clone  # noqa: PLC0415

    clone = open_clone(os.curdir)
    named = inside(clone, paths) if paths else []
    root = Path(clone.root)
    if is_suggest or is_write:
        return _suggest(root, named, is_write, is_json)
    return _check(root, named, is_json)


def _accept(
    path: str,
    words: str,
    name: str,
    run: str | None,
    by: str | None,
    hub: Path | None,
    project: str | None,
    is_json: bool,
) -> None:
    from lockgate.data.acceptance import in_words  # noqa: PLC0415
    from lockgate.data.clone import open_clone  # noqa: PLC0415
    from lockgate.git.worktree import member_here  # noqa: PLC0415
    from lockgate.hub.datasets.accepting import Asked  # noqa: PLC0415
    from lockgate.hub.worktree.asking import ask_acceptance  # noqa: PLC0415

    if hub is None:
        path = inside(open_clone(os.curdir), [path])[0]
    member = by or member_here()
    valued = {"--accept": path, "--message": words, "--as": name, "--run": run, "--by": member}
    given = [word for option, value in valued.items() if value for word in (option, value)]
    try:
        place = ask_hub(hub, project, ["data", "check", *given, *(["--json"] if is_json else [])])
        made = ask_acceptance(place, Asked(path=path, words=words, name=name, run=run), member)
    except click.exceptions.Exit as answered:
        # One behind ssh has printed its own answer
        if answered.exit_code == 0:
            _refresh_copy(hub)
        raise
    _refresh_copy(hub)
    if is_json:
        print_json(made)
    else:
        echo(f"{made.path}: {in_words(made)}")
        echo("lockgate run: the check, and the stages that waited for it")


def _refresh_copy(hub: Path | None) -> None:
    """Bring the chain's copy up to date, by which `data show` and `data check` know what was accepted."""
    from lockgate.git.worktree import find_root  # noqa: PLC0415
    from lockgate.hub.worktree.history import refresh  # noqa: PLC0415

    if hub is None:
        refresh(find_root(Path.cwd()))


def _check(root: Path, named: list[str], is_json: bool) -> int:
    from lockgate.hub.worktree.table_check import check_here, tables  # noqa: PLC0415

    found = tables(root, named)
    has_failed = False
    reports = []
    for each in check_here(root, found.here):
        has_failed = has_failed or not each.has_passed
        reports.append(each.report)
        if not is_json:
            for line in each.lines[:-1] if not each.has_passed else each.lines[-1:]:
                echo(line)
    if is_json:
        print_json({"tables": reports, "lacking": found.lacking})
    else:
        for path in found.lacking:
            echo(f"{path}: not here, so not checked")
        if not found.here and not found.lacking:
            echo("no checks are declared; lockgate data check --suggest PATH begins with some")
    return 1 if has_failed else 0


def _suggest(root: Path, named: list[str], is_write: bool, is_json: bool) -> int:
    from lockgate.hub.worktree.table_check import suggest_here, write_check  # noqa: PLC0415
    from lockgate.project.check_text import check_text  # noqa: PLC0415
    from lockgate.project.pipeline import MANIFEST_FILE  # noqa: PLC0415

    if not named:
        raise click.UsageError("name the tables to suggest rules for")
    for path in named:
        rules = suggest_here(root, path)
        if is_json:
            print_json({"path": path, **rules})
        elif not is_write:
            echo(check_text(path, rules).rstrip())
        if is_write:
            write_check(root, path, rules)
            if not is_json:
                echo(f"{MANIFEST_FILE}: rules for {counted(len(rules['columns']), 'column')} of {path}")
    return 0
