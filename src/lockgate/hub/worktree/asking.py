"""The questions of the command line, answered by a hub on this machine or by the service of one elsewhere."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from lockgate.errors import OutsideError
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.queries import RunLine, RunView, list_runs, show_run
from lockgate.hub.reaching.address import Address, HttpHub, LocalHub, RemoteHub
from lockgate.hub.reaching.ssh_client import ask_over_ssh, lines_over_ssh
from lockgate.hub.running.cancel import Cancelled, cancel_run
from lockgate.hub.running.follow import Kind, Progress, follow
from lockgate.hub.showing.logs import Piece, read_logs
from lockgate.runs.comparison import Comparison
from lockgate.runs.run import FINAL_RUN_STATES

if TYPE_CHECKING:
    from lockgate.data.acceptance import Acceptance
    from lockgate.data.certification import Certification
    from lockgate.hub.datasets.accepting import Asked as Accepting
    from lockgate.hub.datasets.certifying import Asked as Certifying
    from lockgate.hub.datasets.dataset_uses import Read
    from lockgate.hub.operation.backend_list import Offered
    from lockgate.hub.operation.examination import Finding
    from lockgate.hub.proving.verification import Asked
    from lockgate.hub.reaching.http_client import HttpClient
    from lockgate.hub.worktree.sending import Receipt
    from lockgate.verify.report import Verification

Place = LocalHub | HttpHub

#: How often a hub behind its service is asked how a verification comes on.
_FIRST_NAP_S, _LONGEST_NAP_S = 0.1, 2.0
_TOLD: Mapping[str, Kind] = {
    "running": "running",
    "succeeded": "done",
    "failed": "failed",
    "cached": "cached",
}


class _Page(msgspec.Struct, frozen=True):
    rows: tuple[RunLine, ...]


def ask_runs(place: Address, limit: int) -> Sequence[RunLine]:
    """Return the newest runs, newest first."""
    if isinstance(place, LocalHub):
        return list_runs(place.hub, place.project, limit)
    if isinstance(place, RemoteHub):
        return ask_over_ssh(place, ["runs", "-n", str(limit)], list[RunLine])
    return _client(place).get([*_project(place), "runs"], _Page, {"limit": str(limit)}).rows


def ask_run(place: Address, run: str) -> RunView:
    """Return everything known of a run. Raises `UserError`: `run-unknown`, `run-ambiguous`."""
    if isinstance(place, LocalHub):
        return show_run(place.hub, place.project, run)
    if isinstance(place, RemoteHub):
        return ask_over_ssh(place, ["show", run], RunView)
    return _client(place).get([*_project(place), "runs", run], RunView)


def ask_data(place: Place, view: RunView) -> Sequence[Read]:
    """Return the datasets that a run read, and how those versions stand today."""
    from lockgate.hub.datasets.dataset_uses import Read, read_by  # noqa: PLC0415

    if isinstance(place, LocalHub):
        return read_by(place.hub, place.project, view.line.commit, view.records)
    return _client(place).get([*_project(place), "runs", view.line.id, "datasets"], list[Read])


class _Line(msgspec.Struct, frozen=True):
    stage: str
    text: str
    run: str
    progress: str = ""


def ask_logs(place: Address, run: str, stage: str | None, *, is_follow: bool) -> Iterator[Piece]:
    """Yield what the jobs of a run printed, as `lockgate.hub.showing.logs.read_logs`."""
    if isinstance(place, LocalHub):
        yield from read_logs(place.hub, place.project, run, stage, is_follow=is_follow)
        return
    if isinstance(place, RemoteHub):
        asked = ["logs", run, *([stage] if stage else []), *(["-f"] if is_follow else [])]
        for printed in lines_over_ssh(place, asked):
            line = msgspec.json.decode(printed, type=_Line)
            yield Piece(line.stage, line.text.encode(), line.run, line.progress)
        return
    query = {"follow": "true" if is_follow else "false", **({"stage": stage} if stage is not None else {})}
    words = [*_project(place), "runs", run, "pieces"]
    decode = msgspec.json.Decoder(Piece).decode
    left = b""
    for content in _client(place).pieces(words, query):
        *lines, left = (left + content).split(b"\n")
        yield from (decode(line) for line in lines if line)


def ask_cancel(place: Address, run: str, by: str | None) -> Cancelled:
    """Ask for a run's end; over HTTP in the name of whose token it is."""
    if isinstance(place, LocalHub):
        return cancel_run(place.hub, place.project, run, by)
    if isinstance(place, RemoteHub):
        return ask_over_ssh(place, ["cancel", run, *(["--by", by] if by else [])], Cancelled)
    return _client(place).post([*_project(place), "runs", run, "cancel"], Cancelled)


def ask_verification(
    place: Address, run: str, asked: Asked, by: str | None, show: Callable[[Receipt | Progress], None]
) -> Verification:
    """Verify a run and return what was found; `show` is told what happens meanwhile.

    Raises what `start_verification` raises, and `OutsideError` (`verification-lost`).
    """
    if isinstance(place, LocalHub):
        return _verify_here(place, run, asked, by, show)
    if isinstance(place, RemoteHub):
        return _verify_over_ssh(place, run, asked, by)
    from lockgate.hub.proving.verification import Started  # noqa: PLC0415
    from lockgate.verify.report import Verification  # noqa: PLC0415

    client = _client(place)
    started = client.post([*_project(place), "runs", run, "verify"], Started, asked)
    words, told, nap = [*_project(place), "runs", started.run], set[tuple[str, str]](), _FIRST_NAP_S
    while True:
        view = client.get(words, RunView)
        for job in view.stages:
            if (job.stage, job.state) not in told and job.state in _TOLD:
                told.add((job.stage, job.state))
                kind = _TOLD[job.state]
                show(Progress(kind, started.run, job.stage, job.cause or job.reason, total=len(view.stages)))
        if view.line.state in FINAL_RUN_STATES:
            break
        time.sleep(nap)
        nap = min(nap * 1.5, _LONGEST_NAP_S)
    found = client.get([*_project(place), "runs", started.run, "verifications"], list[Verification])
    return _only(found, started.run)


def _verify_over_ssh(place: RemoteHub, run: str, asked: Asked, by: str | None) -> Verification:
    """Such a hub tells of the end alone."""
    from lockgate.verify.report import Verification  # noqa: PLC0415

    words = ["verify", run, *(["--on", asked.backend] if asked.backend else [])]
    words += [*(["--fresh"] if asked.is_fresh else []), *(["--by", by] if by else [])]
    words += [word for stage in asked.stages for word in ("--stage", stage)]
    words += [] if asked.seeks_cause else ["--no-cause"]
    return ask_over_ssh(place, words, Verification, answering=(0, 1))


def _verify_here(
    place: LocalHub, run: str, asked: Asked, by: str | None, show: Callable[[Receipt | Progress], None]
) -> Verification:
    from lockgate.hub.proving.verification import start_verification, verifications_of  # noqa: PLC0415

    hub, project = place.hub, place.project
    started = start_verification(hub, project, run, asked, by or getpass.getuser())
    index = Index(hub.index)
    try:
        for progress in follow(hub, index, [started.run]):
            show(progress)
    finally:
        index.close()
    return _only(verifications_of(hub, project, started.run), started.run)


def _only(found: Sequence[Verification], run: str) -> Verification:
    if not found:
        raise OutsideError(
            f"run {run[-8:]} ended without a verdict",
            f"Look at what happened: lockgate show {run[-8:]}",
            code="verification-lost",
        )
    return found[0]


def ask_certification(place: Place, asked: Certifying, by: str | None) -> Certification:
    """Certify a dataset, or take that back; over HTTP in the name of whose token it is."""
    if isinstance(place, LocalHub):
        from lockgate.hub.datasets.certifying import certify  # noqa: PLC0415

        return certify(place.hub, place.project, asked, by or getpass.getuser())
    from lockgate.data.certification import Certification  # noqa: PLC0415

    return _client(place).post([*_project(place), "certifications"], Certification, asked)


def ask_acceptance(place: Place, asked: Accepting, by: str | None) -> Acceptance:
    """Accept the drift of a table; over HTTP in the name of whose token it is."""
    if isinstance(place, LocalHub):
        from lockgate.hub.datasets.accepting import accept  # noqa: PLC0415
        from lockgate.hub.members.acting import actor_in  # noqa: PLC0415
        from lockgate.hub.members.book import MemberBook  # noqa: PLC0415

        actor = actor_in(MemberBook(place.hub), os.environ)
        return accept(place.hub, place.project, asked, actor, by=by or getpass.getuser())
    from lockgate.data.acceptance import Acceptance  # noqa: PLC0415

    return _client(place).post([*_project(place), "acceptances"], Acceptance, asked)


def ask_comparison(place: Place, left: str, right: str) -> Comparison:
    """Return what differs between two runs."""
    if isinstance(place, LocalHub):
        from lockgate.hub.comparison import compare_runs  # noqa: PLC0415

        return compare_runs(place.hub, place.project, left, right)
    return _client(place).get([*_project(place), "runs", left, "compare", right], Comparison)


def ask_backends(place: Address) -> Sequence[Offered]:
    """Return where runs may go."""
    from lockgate.hub.operation.backend_list import Offered, list_backends  # noqa: PLC0415

    if isinstance(place, RemoteHub):
        return ask_over_ssh(place, ["backends"], list[Offered])
    if isinstance(place, LocalHub):
        return list_backends(place.hub, place.project)
    return _client(place).get([*_project(place), "backends"], list[Offered])


def ask_check(place: Place, name: str, timeout_s: float) -> Iterator[Finding]:
    """Yield what is found on the way of a tiny job through a backend."""
    if isinstance(place, LocalHub):
        from lockgate.hub.operation.backend_check import check_backend  # noqa: PLC0415

        yield from check_backend(place.hub, place.project, name, timeout_s)
        return
    from lockgate.hub.operation.examination import Finding  # noqa: PLC0415

    words = [*_project(place), "backends", name, "check"]
    yield from _client(place).post(words, list[Finding], {"timeout_s": timeout_s})


def _client(place: HttpHub) -> HttpClient:
    from lockgate.hub.reaching.http_client import HttpClient  # noqa: PLC0415  (http.client, ssl)

    return HttpClient(place.base)


def _project(place: HttpHub) -> list[str]:
    return ["projects", place.project]
