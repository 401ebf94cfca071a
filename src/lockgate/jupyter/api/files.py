"""A file of the project: what it was made from, and what happened to it."""

from __future__ import annotations

from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.hub.file_history import FileHistory, history_of
from lockgate.jupyter.handler import Handler
from lockgate.runs.observation import in_words
from lockgate.runs.provenance import Origin, explain
from lockgate.runs.trace import Step

_HAPPENINGS_AT_MOST = 200
_STEPS_AT_MOST = 500


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What a file was made from. `run` None: no stage makes it."""

    path: str
    words: str
    run: str | None = None
    stage: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    """Name and value of what is known, in the order to be read."""
    steps: tuple[Step, ...] = ()
    warning: str = ""


class WhyOf(Handler):
    """`GET ?path=`: what a file was made from, as `lockgate why`."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self._why))

    def _why(self) -> Why:
        root = self.project
        path = self.service.inside(root, self.path_asked)
        found = explain(root, path)
        if not isinstance(found, Origin):
            change = found.last_change
            facts = [
                ("last changed by", change.author if change else "not committed yet"),
                ("at", change.at[:19].replace("T", " ") if change else ""),
                ("commit", f"{change.subject} ({change.id[:10]})" if change else ""),
                ("needed by", ", ".join(found.needed_by) or "no stage"),
            ]
            return Why(
                path=path,
                words="A source: no stage makes it",
                facts=tuple(fact for fact in facts if fact[1]),
                warning="It was changed since, and not committed." if found.is_changed else "",
            )
        record = found.record
        warning = ""
        if not found.is_here:
            warning = "It is not in the work tree."
        elif not found.is_recorded:
            warning = "What is in the work tree is not what this run made: it was changed since."
        facts = [
            ("stage", record.stage),
            ("run", record.run),
            ("member", record.member),
            ("when", record.ended_at.replace("T", " ")),
            ("command", record.command),
            ("parameters", ", ".join(f"{name}={value}" for name, value in record.params.items())),
            ("runtime", record.runtime[:10]),
            ("snapshot", record.commit[:10]),
            ("md5", found.artifact.md5),
            ("used undeclared", ", ".join(in_words(use) for use in record.undeclared[:20])),
        ]
        return Why(
            path=path,
            words=f"Made by stage {record.stage}",
            run=record.run,
            stage=record.stage,
            facts=tuple(fact for fact in facts if fact[1]),
            steps=found.steps[:_STEPS_AT_MOST],
            warning=warning,
        )


class HistoryOf(Handler):
    """`GET ?path=`: commits and activities of a file, newest first."""

    @authenticated
    async def get(self) -> Any:
        await self.answer(self.service.do(self._history))

    def _history(self) -> FileHistory:
        root = self.project
        return history_of(root, self.service.inside(root, self.path_asked), _HAPPENINGS_AT_MOST)
