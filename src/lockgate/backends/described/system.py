"""A batch system of a site's own, as `[batch.NAME]` describes it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lockgate.backends import programs
from lockgate.backends.batch import BatchBackend
from lockgate.backends.contract import Backend
from lockgate.backends.described import answers, commands
from lockgate.backends.described.script import SCRIPT, script_text
from lockgate.backends.programs import Said
from lockgate.backends.system import Batch, Seen, Submitted
from lockgate.errors import OutsideError, UserError
from lockgate.project.described import Description, mistake, parse_description
from lockgate.runs.job import Job


class DescribedSystem:
    """Implements `BatchSystem` by the commands and regular expressions of a description."""

    keeps_walltime = False
    keeps_memory = False
    ends_leftovers = False

    def __init__(self, described: Description) -> None:
        self.name = described.name
        self._described = described

    def refuses(self, job: Job) -> str | None:
        return commands.lacking(self._described, job.resources)

    def batch_limit(self) -> int:
        return self._described.array.limit if self._described.array is not None else 1

    def submit(self, batch: Batch) -> Sequence[str]:
        described = self._described
        count = len(batch.jobs) if len(batch.jobs) > 1 else None
        script = Path(batch.folder, SCRIPT)
        array = described.array if count is not None else None
        text = script_text(batch.key, batch.folder, [job.folder for job in batch.jobs], array)
        try:
            script.write_text(text, encoding="utf-8", errors="surrogateescape")
            script.chmod(0o755)
        except OSError as error:
            raise OutsideError(
                f"{script} could not be written: {error.strerror}",
                "Make room on that disk, or give it back; the jobs are submitted then.",
                code="job-folder",
                is_transient=True,
            ) from None
        argv = commands.submission(
            described,
            batch.jobs[0].resources,
            name=batch.key,
            script=str(script),
            folder=batch.folder,
            count=count,
        )
        said = self._run(argv)
        if said.code != 0 or self._matches(described.refused, said.text):
            raise self._not_submitted(argv, said)
        native_id = answers.parse_submitted(described, said.text)
        if count is None:
            return [native_id]
        return [commands.member_id(described, native_id, number) for number in range(count)]

    def find(self, batches: Sequence[Batch]) -> Mapping[str, Sequence[str]]:
        keys = [batch.key for batch in batches]
        lines = self._listed(commands.find(self._described, keys))
        return answers.find(self._described, lines, keys)

    def look(self, jobs: Sequence[Submitted]) -> Mapping[str, Seen]:
        asked = {each.native_id: each for each in jobs}
        lines = self._listed(commands.status(self._described, list(asked)))
        return answers.look(self._described, lines, asked)

    def cancel(self, jobs: Sequence[Submitted]) -> None:
        for argv in commands.cancel(self._described, [each.native_id for each in jobs]):
            said = self._run(argv)
            if said.code != 0 and not self._matches(self._described.gone, said.text):
                raise self._failed(argv, said)

    def explain(self, jobs: Sequence[Submitted]) -> Mapping[str, str]:
        return {}

    def bring(self, job: Submitted) -> None:
        """Workers share the hub's files."""

    def wake_fd(self) -> int | None:
        return None

    def look_interval_s(self) -> float:
        return self._described.interval_s

    def close(self) -> None:
        """Nothing is held between two commands."""

    def _listed(self, argvs: Iterable[list[str]]) -> list[answers.Line]:
        lines: list[answers.Line] = []
        for argv in argvs:
            said = self._run(argv)
            if said.code != 0 and not self._matches(self._described.gone, said.text):
                raise self._failed(argv, said)
            lines += answers.parse_lines(self._described, said.output)
        return lines

    def _run(self, argv: list[str]) -> Said:
        described, where = self._described, f"[batch.{self._described.name}]"
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("GIT_", "LOCKGATE_"))}
        return programs.run(
            argv,
            environment={**kept, "LC_ALL": "C", "LANGUAGE": "C", **described.environment},
            timeout_s=described.timeout_s,
            way_out=programs.WayOut(
                missing_code="backend-program",
                unreachable_code="backend-unreachable",
                install=f"Install it, or write its whole path, or set PATH under environment in {where}.",
                start=f"Correct {where} in lockgate.toml, or what it names on the hub's host.",
                wait=f"It is tried again. Where the system is merely slow, raise timeout in {where}.",
                is_tried_again=True,
            ),
        )

    @staticmethod
    def _matches(pattern: str | None, text: str) -> bool:
        return pattern is not None and re.search(pattern, text, re.MULTILINE) is not None

    def _not_submitted(self, argv: list[str], said: Said) -> OutsideError | UserError:
        """With no word of the lead's on it, a failed submission is a refusal unless it tells of a system that
        is down; with `refused`, only what that finds is."""
        is_refused = self._matches(self._described.refused, said.text)
        is_down = self._matches(self._described.down, said.text)
        if is_refused or (self._described.refused is None and not is_down):
            return UserError(
                f"{self.name} refused it: {argv[0]} said {answers.shown(said.text)}, exit code {said.code}",
                f"Change what the stage asks for, or [batch.{self.name}].",
                code="backend-refused",
            )
        return self._failed(argv, said)

    def _failed(self, argv: list[str], said: Said) -> OutsideError:
        if self._matches(self._described.down, said.text):
            message = f"{self.name} cannot be reached: {argv[0]} said {answers.shown(said.text)}"
            hint = "It is asked again; jobs that run go on meanwhile."
        else:
            message = f"{argv[0]} failed with exit code {said.code} and said {answers.shown(said.text)}"
            hint = (
                f"It is tried again. If it means that jobs are over, let gone in [batch.{self.name}] say so."
            )
        return OutsideError(message, hint, code="backend-unreachable", is_transient=True)


def backend(name: str, table: Mapping[str, object]) -> Backend:
    """Return the backend that the table `[batch.NAME]` describes.

    Raises `UserError` (`manifest-invalid`, `manifest-unknown-key`) for a table that cannot be meant.
    """
    wrong = mistake(name, table)
    if wrong is not None:
        raise UserError(wrong.message, wrong.hint, code=wrong.code)
    described = parse_description(name, table)
    return BatchBackend(DescribedSystem(described))
