"""Progress at a terminal: one bar for the run, a spinner for each stage that runs."""

from __future__ import annotations

import os
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.running.follow import Progress as News
from lockgate.hub.running.follow import ending
from lockgate.hub.worktree.sending import Receipt
from lockgate.runs.runid import short

_MARKS = {"done": "[green]✓[/]", "cached": "[cyan]=[/]", "failed": "[red]✗[/]"}
_NAMED_AT_MOST = 60


class LiveBars:
    """Settled stages scroll by above; what runs now stays at the bottom."""

    def __init__(self) -> None:
        self._console = Console(no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._run: TaskID | None = None
        self._stages: dict[str, TaskID] = {}

    def __enter__(self) -> LiveBars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, news: Receipt | News | Carried) -> None:
        if isinstance(news, Carried):
            self._console.print(news.words)
        elif isinstance(news, Receipt):
            self._console.print(f"[bold]run {short(news.run)}[/] · {escape(news.project)}")
            for line in news.lines:
                self._console.print(f"  {escape(line)}")
            self._run = self._progress.add_task("queued", total=None)
        else:
            self._take(news)

    def _take(self, news: News) -> None:
        if self._run is None:
            self._run = self._progress.add_task("queued", total=None)
        if news.kind == "preparing":
            self._progress.update(self._run, description="preparing the runtime and the plan")
        elif news.kind == "planned":
            self._progress.update(self._run, description="stages", total=news.total)
        elif news.kind == "ended":
            colour = "green" if news.state == "succeeded" else "red"
            self._console.print(f"[{colour}]{escape(ending(news))}[/]")
        elif news.stage is not None:
            self._take_stage(news.stage, news)

    def _take_stage(self, stage: str, news: News) -> None:
        if news.kind == "running":
            self._stages[stage] = self._progress.add_task(escape(stage), total=None)
            return
        if news.kind == "progress":
            if news.stage in self._stages:
                words = f"{escape(stage)}  [dim]{escape(news.words)}[/]"
                self._progress.update(self._stages[stage], description=words)
            return
        running = self._stages.pop(stage, None)
        if running is not None:
            self._progress.remove_task(running)
        if self._run is not None:
            self._progress.update(self._run, completed=news.settled)
        if news.total <= _NAMED_AT_MOST or news.kind == "failed":
            self._console.print(f"{_MARKS[news.kind]} {escape(stage)}  [dim]{escape(news.words)}[/]")
