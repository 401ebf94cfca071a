"""The two hooks of a project's repository on the hub: judge a push, then queue it and answer.

What may not pass is refused before any ref moves; what was accepted is in the index by then, so that a hook
killed at any point loses nothing. No libgit2 here: every push waits for this program to start.
"""

from __future__ import annotations

import os
import pwd
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.errors import LockgateError, UserError
from lockgate.git.defaultbranch import has_default_branch
from lockgate.git.program import attempt, git
from lockgate.hub.directory import Hub, open_hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request, RunRow
from lockgate.hub.push import (
    ABSENT,
    SNAPSHOTS,
    Options,
    Update,
    describe,
    parse_options,
    parse_updates,
    runs_asked,
)
from lockgate.hub.queue import enqueue, ensure_dispatcher
from lockgate.runs.runid import new_run_id

if TYPE_CHECKING:
    from lockgate.hub.planning.preparation import Prepared
    from lockgate.runs.forecast import RunForecast

_SLOWEST_PUSH_S = 600.0


def main(arguments: list[str]) -> int:
    """Be the hook named; return its exit code, which for pre-receive decides the push."""
    hook, root, project = arguments
    try:
        hub = open_hub(Path(root))
        lines = [os.fsdecode(line) for line in sys.stdin.buffer]
        options = parse_options(os.environ)
        if hook == "pre-receive":
            updates = _entitled(hub, project, lines, options)
            _check_sizes(hub, project, updates)
            _lend_imports(hub, project, updates)
            judge_push(hub, project, updates, options)
            if options.is_dry_run:
                say("lockgate: dry run: nothing was queued, no ref was moved")
                return 1
        else:
            answer_push(hub, project, parse_updates(lines), options)
    except LockgateError as error:
        if hook == "pre-receive":
            say(f"lockgate: nothing was queued: {error.message}")
        else:
            say(f"lockgate: {error.message}")
        say(f"lockgate: {error.hint} [{error.code}]")
        return error.exit_code
    return 0


def say(line: str) -> None:
    """Print one line to the member; bytes that are no text do not stop it."""
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def _entitled(hub: Hub, project: str, lines: list[str], options: Options) -> list[Update]:
    """Return what is pushed; of a member's push, what they may."""
    if not os.environ.get("LOCKGATE_MEMBER"):
        return parse_updates(lines)
    from lockgate.hub.pushing.entitlement import entitled_updates  # noqa: PLC0415  (the owner need not wait for it)

    return entitled_updates(hub, project, lines, os.environ, options.is_dry_run)


def judge_push(
    hub: Hub, project: str, updates: list[Update], options: Options, member: str | None = None
) -> None:
    """Refuse what cannot run, or take in the runs that this push asks for; in a dry run, tell of them.

    `member`: in whose name; None: that of whoever pushes.
    """
    asked = runs_asked(updates, options)
    if not asked:
        return
    from lockgate.hub.isolation import build_isolation, isolation_lack  # noqa: PLC0415
    from lockgate.hub.planning.preparation import prepare  # noqa: PLC0415  (only a push that runs plans)
    from lockgate.hub.pushing.forecasting import forecast  # noqa: PLC0415
    from lockgate.hub.pushing.receipt import planned_lines  # noqa: PLC0415
    from lockgate.hub.software.runtimes import Runtimes  # noqa: PLC0415

    index, runtimes = Index(hub.index), Runtimes(hub.runtimes, isolation=partial(build_isolation, hub))
    accepted: list[tuple[Request, tuple[str, ...]]] = []
    for update in asked:
        request = _request(hub, project, update, options, member)
        if update.run is not None and index.has_run(update.run):
            raise UserError(
                f"run {update.run} exists already", "Push again under a new id.", code="run-exists"
            )
        try:
            prepared = prepare(hub, index, runtimes, request, is_quarantined=True)
        except UserError as error:
            if error.code == "no-manifest" and update.ref.startswith("refs/heads/"):
                continue
            raise
        _check_backends(prepared)
        if prepared.lacking and update.ref.startswith(SNAPSHOTS):
            _check_data(hub, prepared)
        is_ready = all(runtimes.ready(each.digest) is not None for each in prepared.runtimes)
        foreseen = forecast(index, prepared, is_ready)
        lines = planned_lines(prepared, foreseen, isolation_lack(hub))
        if options.is_dry_run:
            _tell(foreseen, request, lines, options)
            continue
        accepted.append((request, lines))
    with index.transaction():
        now = time.time()
        for request, lines in accepted:
            index.add_run(request, "received", now, lines)
    if accepted:
        ensure_dispatcher(hub)
    index.close()


def _tell(found: RunForecast, request: Request, lines: tuple[str, ...], options: Options) -> None:
    """Hand out a forecast; to a program one line for the whole and one for each stage, to keep them short."""
    if not options.is_json:
        say(f"{request.project} · {describe(request.ref)} @ {request.commit[:10]}")
        for line in lines:
            say(f"  {line}")
        return
    import msgspec  # noqa: PLC0415

    whole = msgspec.structs.replace(found, stages=())
    for kind, one in (("forecast", whole), *(("stage", stage) for stage in found.stages)):
        about = {"kind": kind, **msgspec.to_builtins(one)}
        say("lockgate-json: " + msgspec.json.encode(about).decode())


def answer_push(hub: Hub, project: str, updates: list[Update], options: Options) -> None:
    """Queue the runs whose refs have moved, hand out the receipts, follow them if asked to."""
    _adopt_first_branch(hub.repository(project), updates)
    asked = {(update.ref, update.new) for update in runs_asked(updates, options)}
    if not asked:
        return
    from lockgate.hub.pushing.receipt import receipt  # noqa: PLC0415

    index = Index(hub.index)
    queued = queue_moved(hub, index, project, asked)
    asked -= _pushed(queued)
    if asked:
        missed = _queue_missed(hub, index, project, [u for u in updates if (u.ref, u.new) in asked], options)
        asked -= _pushed(missed)
        queued += missed
    if queued:
        ensure_dispatcher(hub)
    for row in queued:
        if options.is_json:
            _say_json(row.request, row.receipt)
        else:
            for line in receipt(row.request, row.receipt):
                say(line)
    for ref, _ in sorted(asked):
        say(f"{describe(ref)}: stored, nothing to run: it has no lockgate.toml (lockgate init proposes one)")
    if options.is_wait and queued:
        from lockgate.hub.running.follow import follow, lines_of  # noqa: PLC0415

        for progress in follow(hub, index, [row.request.id for row in queued]):
            for line in lines_of(progress, is_json=options.is_json):
                say(line)


def queue_moved(hub: Hub, index: Index, project: str, moved: set[tuple[str, str]]) -> list[RunRow]:
    """Queue one run for each ref that moved; others like it are of pushes that did not go through."""
    newest = {(row.request.ref, row.request.commit): row for row in index.received(project)}
    queued = [row for pushed, row in newest.items() if pushed in moved]
    enqueue(hub, index, *(row.request for row in queued))
    for row in index.received(project):
        if (row.request.ref, row.request.commit) in moved:
            index.drop_received(row.request.id)
    return queued


def _queue_missed(
    hub: Hub, index: Index, project: str, updates: list[Update], options: Options
) -> list[RunRow]:
    """Queue what is not there to be queued: so slow was this push that the dispatcher took it for killed, and
    queued its runs itself, or dropped them."""
    pushed = {(update.ref, update.new) for update in updates}
    taken_up = {
        (row.request.ref, row.request.commit): row
        for row in index.queued_around(project, pushed, time.time(), _SLOWEST_PUSH_S)
    }
    dropped = pushed - taken_up.keys()
    judge_push(hub, project, [update for update in updates if (update.ref, update.new) in dropped], options)
    return [*taken_up.values(), *queue_moved(hub, index, project, dropped)]


def _pushed(rows: Iterable[RunRow]) -> set[tuple[str, str]]:
    return {(row.request.ref, row.request.commit) for row in rows}


def _say_json(request: Request, lines: tuple[str, ...]) -> None:
    import msgspec  # noqa: PLC0415

    about = {"kind": "receipt", "run": request.id, "project": request.project, "lines": lines}
    say("lockgate-json: " + msgspec.json.encode(about).decode())


def _request(hub: Hub, project: str, update: Update, options: Options, member: str | None) -> Request:
    return Request(
        id=update.run or new_run_id(),
        project=project,
        ref=update.ref,
        commit=update.new,
        member=member or _member(hub.repository(project), update.new),
        params=options.params,
        only=options.only,
        force=options.force,
        backend=options.backend,
        memory_bytes=options.memory_bytes,
        walltime_s=options.walltime_s,
        cpus=options.cpus,
    )


def _member(repository: Path, commit: str) -> str:
    """Return who pushes: as the forced ssh command says, else as the commit says; a hub by path or plain ssh
    has no other way to know."""
    named = os.environ.get("LOCKGATE_MEMBER")
    if named:
        return named
    code, output, _ = attempt(repository, "log", "-1", "--format=%ce", commit, quarantine=True)
    email = output.decode("utf-8", "replace").strip()
    return email if code == 0 and email else pwd.getpwuid(os.getuid()).pw_name


def _check_backends(prepared: Prepared) -> None:
    """Refuse a backend nobody provides; the built-in one and those described need no looking up."""
    names = {prepared.backend_of(stage.name) for stage in prepared.plan.stages}
    unusual = sorted(names - {"local"})
    if unusual:
        from lockgate.backends.registry import load_backend  # noqa: PLC0415  (entry points: 10 ms)
        from lockgate.project.described import is_described  # noqa: PLC0415

        for name in unusual:
            if not is_described(prepared.batch.options.get(name, {})):
                load_backend(name)


def _check_sizes(hub: Hub, project: str, updates: list[Update]) -> None:
    tips = [update.new for update in updates if update.new != ABSENT]
    if tips and os.environ.get("GIT_QUARANTINE_PATH"):
        from lockgate.hub.pushing.large_blobs import require_small  # noqa: PLC0415

        require_small(hub.repository(project), tips)


def _lend_imports(hub: Hub, project: str, updates: list[Update]) -> None:
    tips = [update.new for update in updates if update.new != ABSENT]
    if tips and os.environ.get("GIT_QUARANTINE_PATH"):
        from lockgate.hub.pushing.pushed_imports import lend_pushed  # noqa: PLC0415

        lend_pushed(hub, project, tips, os.environ)


def _check_data(hub: Hub, prepared: Prepared) -> None:
    """Refuse a run of a work tree whose data is nowhere; a branch is taken, and its run says so."""
    from lockgate.hub.supplying.data_supply import Supply  # noqa: PLC0415

    supply = Supply(hub, prepared.request.project)
    # A remote behind a network may be slow to answer: the run asks it, a push does not wait for that
    nowhere = supply.nowhere(prepared.lacking, is_quick=True)
    if nowhere:
        raise supply.refusal(nowhere)


def _adopt_first_branch(repository: Path, updates: list[Update]) -> None:
    """A clone checks out the branch that was pushed first, whatever the host's `init.defaultBranch` is."""
    branches = [u.ref for u in updates if u.ref.startswith("refs/heads/") and u.action == "run"]
    if branches and not has_default_branch(repository):
        git(repository, "symbolic-ref", "HEAD", branches[0])
