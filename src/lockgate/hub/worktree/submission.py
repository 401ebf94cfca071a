"""`lockgate run`: the work tree as it is, run on the hub, its results brought back into the work tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError, UserError
from lockgate.git.worktree import changes, member_here, snapshot
from lockgate.hub.exchanging.carrying import Carried
from lockgate.hub.exchanging.clone_data import digests_at, send_data
from lockgate.hub.notebooks.clone import prepare
from lockgate.hub.notebooks.pairing import bring_into_step
from lockgate.hub.push import Options
from lockgate.hub.running.follow import Progress
from lockgate.hub.worktree.fetching import Fetched, artifacts_at, fetch_commit, place_large, place_results
from lockgate.hub.worktree.home import ensure_remote
from lockgate.hub.worktree.large_files import swaps_for
from lockgate.hub.worktree.sending import Receipt, Snapshot, foresee, send
from lockgate.project.pipeline import MANIFEST_FILE
from lockgate.runs.forecast import RunForecast
from lockgate.runs.load import DVC_FILE
from lockgate.runs.runid import new_run_id


class Submission(msgspec.Struct, frozen=True):
    """How a `lockgate run` ended."""

    run: str
    snapshot: str
    ended: Progress | None = None
    """None: detached."""
    fetched: Fetched = Fetched((), ())
    large: tuple[str, ...] = ()


def submit(
    root: Path,
    options: Options,
    show: Callable[[Receipt | Progress | Carried], None],
    put: Mapping[str, bytes] | None = None,
) -> Submission:
    """Snapshot, push, follow, and place the results; `show` is told everything as it happens.

    `put`: files that the snapshot has with this content, whatever the work tree has.
    """
    made = _snapshot(root, put or {})
    run, commit = made.run, made.commit
    sent = send_data(root, digests_at(root, commit))
    if sent.count:
        show(sent)
    ended: Progress | None = None
    for news in send(made, options):
        show(news)
        if isinstance(news, Progress) and news.kind == "ended":
            ended = news
    if not options.is_wait:
        return Submission(run, commit)
    if ended is None:
        raise OutsideError(
            f"the connection ended before run {run[-8:]} did",
            f"It goes on: lockgate show {run[-8:]}",
            code="connection-lost",
            is_transient=True,
        )
    if ended.state != "succeeded" or ended.result_commit is None:
        return Submission(run, commit, ended)
    fetch_commit(root, ended.result_commit)
    fetched = place_results(root, commit, ended.result_commit)
    large = place_large(root, artifacts_at(root, ended.result_commit))
    return Submission(run, commit, ended, fetched, large)


def ask(root: Path, options: Options) -> RunForecast:
    """Return what a run of the work tree would do and take; nothing is queued, no ref is moved."""
    return foresee(_snapshot(root, {}), options)


def _snapshot(root: Path, put: Mapping[str, bytes]) -> Snapshot:
    """Return a commit that holds the work tree as it is, for a new run.

    Raises `UserError`: `no-manifest`.
    """
    if not any(name in put or (root / name).exists() for name in (MANIFEST_FILE, DVC_FILE)):
        raise UserError(
            f"there is no {MANIFEST_FILE} in {root}",
            "Let Lockgate propose one: lockgate init",
            code="no-manifest",
        )
    url = ensure_remote(root)
    prepare(root)
    found = changes(root, has_ignored=True)
    is_old = bring_into_step(root, found.ignored).has_written
    run = new_run_id()
    message = f"Snapshot of the work tree for run {run[-8:]}"
    commit = snapshot(
        root, message, lambda differing: swaps_for(root, differing), put, None if is_old else found
    )
    return Snapshot(root, commit, run, member_here(root) or "member", url)
