"""The tree of commands. Each lies in a file of its own and is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar

import click

from lockgate import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports only the one asked for."""

    #: Command → (module, one line for the list). In the order of a first day with Lockgate.
    table: ClassVar[dict[str, tuple[str, str]]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        command = getattr(import_module(self.table[cmd_name][0]), "command")  # noqa: B009
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415  (only for a mistyped command)

            close = get_close_matches(args[0], self.table, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in self.table.items()])


class RootGroup(LazyGroup):
    """The commands of `lockgate` itself."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "init": (
            "lockgate.cli.init",
            "Set up this folder: a lockgate.toml, a private hub, the remote `hub`.",
        ),
        "run": ("lockgate.cli.run", "Run the work tree as it is; the results appear in it."),
        "status": ("lockgate.cli.status", "Say what would run, and why."),
        "runs": ("lockgate.cli.runs", "List the runs of this project."),
        "show": ("lockgate.cli.show", "Show one run: stages, causes, metrics, artifacts."),
        "logs": ("lockgate.cli.logs", "Print what the jobs of a run printed; -f follows."),
        "cancel": ("lockgate.cli.cancel", "End a run and all its processes."),
        "compare": ("lockgate.cli.compare", "Compare two runs: parameters, metrics, artifacts, runtime."),
        "fetch": ("lockgate.cli.fetch", "Put a run's artifacts into the work tree."),
        "open": ("lockgate.cli.open_", "Lay out a stage with exactly the inputs its job saw."),
        "activity": ("lockgate.cli.activity", "List what was done: cells executed, runs, decisions."),
        "log": ("lockgate.cli.log", "Read the activity chain: who did what, when."),
        "why": ("lockgate.cli.why", "Tell what a file was made from, up to the sources."),
        "trace": ("lockgate.cli.trace", "Tell which run made a file, from any copy of it."),
        "passport": ("lockgate.cli.passport", "Copy a figure with the run that made it in its metadata."),
        "verify": ("lockgate.cli.verify", "Make a run again from nothing, and compare."),
        "export": ("lockgate.cli.export", "Write a run or the project into one file to give away."),
        "import": ("lockgate.cli.import_", "Make a project of a file that was given away."),
        "sync": ("lockgate.cli.sync", "Commit, pull and push in one; --undo takes it back."),
        "merge": ("lockgate.cli.merge", "Merge a branch into this one; --undo takes it back."),
        "rollback": ("lockgate.cli.rollback", "Go back to the state of a run, as a new commit."),
        "data": ("lockgate.cli.data", "Keep large data beside git, as DVC does."),
        "batch": ("lockgate.cli.batch", "Run one script as a batch job, no stage declared."),
        "stage": ("lockgate.cli.stage", "Write a stage from a script, as notebooks do."),
        "kernel": ("lockgate.cli.kernel", "Bring Jupyter kernels along in the project."),
        "notebook": ("lockgate.cli.notebook", "Set how git treats notebooks in this clone."),
        "r-script": ("lockgate.cli.r_script", "Print the path of the file that gives R these commands."),
        "backends": ("lockgate.cli.backends", "List the batch systems a run may go to, or check one."),
        "login": ("lockgate.cli.login", "Log in to a hub's service, for lockgate and git."),
        "clone": ("lockgate.cli.clone", "Clone a project of a hub's service, or bring it up to date."),
        "logout": ("lockgate.cli.logout", "Leave a hub's service."),
        "git-credential": ("lockgate.cli.git_credential", "Answer git when a hub wants to know who pushes."),
        "hook": ("lockgate.cli.hook", "Do what a hook of this clone is for; git calls it."),
        "hub": ("lockgate.cli.hub", "Make and look after hubs."),
        "completion": ("lockgate.cli.completion", "Print the completion script of a shell."),
    }


@click.group(cls=RootGroup, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="lockgate", message="%(prog)s %(version)s")
def cli() -> None:
    """git push your data science; get results you can prove.

    \b
    First steps, in any folder:
      lockgate init
      lockgate run

    Exit codes: 0 done, 1 the run failed (or a check found something), 2 the request or the project is
    wrong, 3 something outside failed, 130 interrupted.
    """
