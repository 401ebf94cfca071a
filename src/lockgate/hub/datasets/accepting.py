"""Accepting a version of a table that drifted: a signed entry of the chain, compared with from then on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from lockgate.data.acceptance import ACCEPTED, Acceptance
from lockgate.errors import LockgateError, UserError
from lockgate.git.program import attempt
from lockgate.hub.datasets.catalogue import catalogue, entries_at
from lockgate.hub.datasets.dataset_checks import Verdict, newest_verdict
from lockgate.hub.directory import Hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import find_run
from lockgate.hub.indexing.rows import RunRow
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.changes import record
from lockgate.hub.members.rules import is_named, may, refusal
from lockgate.hub.members.values import Actor
from lockgate.hub.supplying.drift_reference import report_passed
from lockgate.project.pipeline import LOCK_FILE
from lockgate.runs.checked import report_path
from lockgate.runs.lockfile import read_lock
from lockgate.runs.runid import short

LONGEST_WORDS = 2_000
LONGEST_NAME = 100


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be accepted."""

    path: str
    words: str
    """Why."""
    name: str = ""
    """What the version is to be called."""
    run: str | None = None
    """The run whose check found the drift; left out: the newest that checked the table."""


def may_accept_drift(hub: Hub, book: MemberBook, actor: Actor | None, project: str, path: str) -> bool:
    """Return whether somebody may accept drift of a table: a lead, and its owner by the catalogue.

    The description on the default branch counts: in a branch of their own, anybody could be the owner.
    """
    if actor is None or may(actor, "accept-drift", project):
        return actor is not None
    entries = catalogue(hub, project).datasets
    owner = next((each.entry.description.owner for each in entries if each.entry.path == path), "")
    member = book.find(actor.name)
    email = member.email if member is not None else ""
    return may(actor, "push", project) and is_named(owner, actor.name, email)


def accept(
    hub: Hub, project: str, asked: Asked, actor: Actor, email: str = "", by: str | None = None
) -> Acceptance:
    """Append it to the chain, in the name of who asks (`by`: of whom the hub's owner says).

    Raises `UserError`: `not-allowed`, `project-unknown`, `run-unknown`, `drift-none`, `acceptance-invalid`.
    """
    repository = hub.require_project(project)
    book = MemberBook(hub)
    if not may_accept_drift(hub, book, actor, project, asked.path):
        raise refusal(actor, "accept-drift", project, book.leads(project))
    words, name = _line(asked.words, LONGEST_WORDS), _line(asked.name, LONGEST_NAME)
    if not words:
        raise UserError(
            "an acceptance says why", 'Say it: -m "a new airport opened"', code="acceptance-invalid"
        )
    with contextlib.closing(Index(hub.index)) as index:
        named = find_run(index, project, asked.run).request.id if asked.run is not None else None
        verdict = newest_verdict(repository, index, project, asked.path, named)
        row = index.run(verdict.run) if verdict is not None else None
        drift = _drifted(asked.path, verdict)
        assert verdict is not None and row is not None and row.result_commit is not None
        about: dict[str, object] = {
            "path": asked.path,
            "run": verdict.run,
            "report": _blob(repository, row.result_commit, report_path(asked.path)),
            "replaces": report_passed(index, repository, project, row.request.commit, asked.path),
            "drift": drift,
            "words": words,
        }
        content = _content(repository, row, asked.path)
        about |= {"content": content} if content else {}
        about |= {"name": name} if name else {}
        oid = record(
            hub,
            project,
            kind=ACCEPTED,
            by=by or actor.name,
            email=email,
            title=f"Drift accepted: {asked.path}, {', '.join(drift)}" + (f", as {name}" if name else ""),
            commit=row.request.commit,
            evidence=about,
            # The result commit holds the report that is compared with from now on
            keep=[row.result_commit],
        )
        made = acceptance_of(oid, by or actor.name, _at(hub, project, oid), row.request.commit, about)
        index.add_acceptance(project, made)
    return made


def acceptance_of(oid: str, by: str, at: str, commit: str | None, evidence: dict[str, object]) -> Acceptance:
    """Return what an entry of the chain says. Raises `msgspec.ValidationError`."""
    names = ("path", "run", "report", "replaces", "drift", "words", "content", "name")
    said: dict[str, object] = {name: evidence[name] for name in names if name in evidence}
    return msgspec.convert(said | {"commit": commit or "", "by": by, "at": at, "entry": oid}, Acceptance)


def drifted_alone(verdict: Verdict | None) -> dict[str, float]:
    """Return column → index of what drifted, where nothing else is wrong with the table; else nothing."""
    report = verdict.report if verdict is not None else None
    if report is None or report.has_passed or any(each.rule != "drift" for each in report.failures):
        return {}
    columns = [each.column for each in report.failures if each.column is not None]
    return {column: report.drift[column] for column in columns if column in report.drift}


def _drifted(path: str, verdict: Verdict | None) -> dict[str, float]:
    """Raises `UserError` (`drift-none`) where there is nothing to accept."""
    if verdict is None or verdict.report is None:
        raise UserError(
            f"no run has left a report on {path[:200]}",
            "What a run's check found is accepted: lockgate run. An older one is named: --run RUN",
            code="drift-none",
        )
    found = drifted_alone(verdict)
    if found:
        return found
    run = short(verdict.run)
    if verdict.report.has_passed:
        raise UserError(
            f"run {run} found no drift in {path} that is to be accepted: its rules held",
            "It is the reference already. Another run is named: --run RUN",
            code="drift-none",
        )
    others = [each for each in verdict.report.failures if each.rule != "drift"]
    first = f": {others[0].words}" if others else ""
    raise UserError(
        f"run {run} found more wrong with {path} than drift{first}",
        "Mend that first, or change the rule; only drift is accepted.",
        code="drift-none",
    )


def _line(text: str, longest: int) -> str:
    words = " ".join(text.split())
    if len(words) > longest or not words.isprintable():
        raise UserError(
            f"the words are longer than {longest} characters, or hold signs that cannot be shown",
            "Say it shorter; a report may lie beside the data.",
            code="acceptance-invalid",
        )
    return words


def _blob(repository: Path, commit: str, path: str) -> str:
    code, output, _ = attempt(repository, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    return output.decode().strip() if code == 0 else ""


def _content(repository: Path, row: RunRow, path: str) -> str | None:
    """Return what tells the version that was checked: as a pointer says, else the lock file, else git."""
    found = next((each for each in entries_at(repository, row.request.commit)[0] if each.path == path), None)
    if found is not None and not found.is_made and found.content is not None:
        return found.content
    code, lock, _ = attempt(repository, "cat-file", "blob", f"{row.result_commit}:{LOCK_FILE}")
    with contextlib.suppress(LockgateError):
        for each in read_lock(lock).values() if code == 0 else ():
            made = next((artifact for artifact in each.artifacts if artifact.path == path), None)
            if made is not None:
                return made.md5
    return _blob(repository, row.request.commit, path) or None


def _at(hub: Hub, project: str, oid: str) -> str:
    from lockgate.activity.chain import read  # noqa: PLC0415  (libgit2)

    return next(activity.at for _, activity in read(hub.repository(project), 1, oid))
