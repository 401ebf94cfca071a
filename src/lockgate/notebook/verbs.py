"""Every verb of the command line as a function: `lockgate.run()`, `lockgate.data_list()`.

Arguments are those of the command, options its long options with `_` for `-`, as in
`lockgate.verify("8F3KQ2ZD", fresh=True)`. What it answers has its values by name, a text and HTML. A mistake
is a `LockgateError` with what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.notebook.answer import Answer
from lockgate.notebook.program import ask
from lockgate.notebook.progress import shown
from lockgate.notebook.views import run_rows, view_of

__all__ = [
    "LockgateError",
    "OutsideError",
    "UserError",
    "call",
    "cancel",
    "compare",
    "fetch",
    "log",
    "logs",
    "merge",
    "run",
    "runs",
    "show",
    "status",
    "sync",
    "trace",
    "verify",
    "why",
]


def run(
    *stages: str,
    params: Mapping[str, Any] | None = None,
    force: Sequence[str] = (),
    on: str | None = None,
    memory: str | None = None,
    walltime: str | None = None,
    cpus: int | None = None,
    dry_run: bool = False,
    detach: bool = False,
) -> Answer:
    """Run the work tree as it is, all stages or those named and what they need, and wait with a progress bar.

    `memory` as "2 GB", `walltime` as "30 min". `dry_run` only says what would run; `detach` does not wait.
    A run that fails is an answer whose `ended.state` says so, not an exception.
    """
    words = ["run", *map(str, stages)]
    for name, value in (params or {}).items():
        words += ["--param", f"{name}={value}"]
    words += _options({"force": list(force), "on": on, "memory": memory, "walltime": walltime, "cpus": cpus})
    words += _options({"dry_run": dry_run, "detach": detach})
    if dry_run or detach:
        return _answer(words)
    with shown() as tell:
        return Answer(answer := ask([*words, "--progress-json"], None, tell), view_of(words, answer))


def runs(limit: int = 20) -> Any:
    """Return the newest runs: a pandas data frame where pandas is installed, else a table."""
    lines = ask(["runs", "-n", str(limit)])
    try:
        import pandas  # noqa: PLC0415  (only who asks for runs waits for it, and only where it is)
    except ImportError:
        return Answer(lines, view_of(["runs"], lines))
    names = ["run", "state", "seconds", "queued_at", "of", "commit", "member", "cause"]
    return pandas.DataFrame(run_rows(lines), columns=names).set_index("run")


def status(params: Mapping[str, Any] | None = None) -> Answer:
    """Return which stages a run would execute, and why."""
    words = ["status"]
    for name, value in (params or {}).items():
        words += ["--param", f"{name}={value}"]
    return _answer(words)


def show(run: str = "latest") -> Answer:
    """Return one run: stages, causes, metrics, artifacts."""
    return call("show", run)


def why(file: str) -> Answer:
    """Return what a file was made from, up to the sources."""
    return call("why", file)


def compare(left: str, right: str = "latest") -> Answer:
    """Return what differs between two runs."""
    return call("compare", left, right)


def verify(run: str = "latest", **options: Any) -> Answer:
    """Make a run again from nothing, and return what differs. Options: `fresh`, `on`, `stage`, `no_cause`."""
    return call("verify", run, **options)


def logs(run: str = "latest", stage: str | None = None) -> str:
    """Return what the jobs of a run printed."""
    words = ["logs", run, *([stage] if stage else [])]
    told = ask(words)
    pieces = [told] if isinstance(told, dict) else told or []
    return "".join(piece["text"] for piece in pieces)


def cancel(run: str = "latest") -> Answer:
    """End a run; what is done so far is kept."""
    return call("cancel", run)


def fetch(run: str | None = None, *, force: bool = False) -> Answer:
    """Put a run's artifacts into the work tree; without one, the large ones that are not here."""
    return call("fetch", *([run] if run else []), force=force)


def trace(file: str) -> Answer:
    """Return which run made a file, from any copy of it."""
    return call("trace", file)


def log(**options: Any) -> Answer:
    """Return the activity chain: who did what, when."""
    return call("log", **options)


def sync(**options: Any) -> Answer:
    """Commit, pull and push in one."""
    return call("sync", **options)


def merge(branch: str, **options: Any) -> Answer:
    """Merge a branch into the one that is checked out; with `dry_run`, only say what would come of it."""
    return call("merge", branch, **options)


def call(*words: str, **options: Any) -> Answer:
    """Return what any command answers: `call("hub", "member", "list")` is `lockgate hub member list`."""
    return _answer([*map(str, words), *_options(options)])


def __getattr__(name: str) -> Any:
    group, _, verb = name.partition("_")
    if (
        group not in ("data", "backends", "kernel", "stage", "passport", "rollback", "export")
        or name == group + "_"
    ):
        raise AttributeError(f"lockgate has no verb {name}")
    words = [group, *([verb.replace("_", "-")] if verb else [])]

    def verb_of_group(*arguments: str, **options: Any) -> Answer:
        return call(*words, *arguments, **options)

    verb_of_group.__name__ = name
    verb_of_group.__doc__ = (
        f"What `lockgate {' '.join(words)}` does; `lockgate {' '.join(words)} --help` tells."
    )
    return verb_of_group


def _answer(words: Sequence[str]) -> Answer:
    value = ask(words)
    return Answer(value, view_of(words, value))


def _options(options: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, list | tuple):
            words += [word for each in value for word in (option, str(each))]
        elif value is not None and value is not False:
            words += [option, str(value)]
    return words
