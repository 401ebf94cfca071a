"""What happens to runs of a project, whoever started them and where: told to the pages while one is open.

A hub on this machine is looked at, one behind its service tells by its stream of events, one behind ssh is
asked with naps. Before a follower lapses it tells once more: a page that still shows runs asks, which goes on
with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lockgate.errors import LockgateError
from lockgate.hub.indexing.index import Index
from lockgate.hub.reaching.address import Address, HttpHub, LocalHub, RemoteHub, address
from lockgate.hub.reaching.http_client import HttpClient
from lockgate.hub.worktree.asking import ask_runs

Tell = Callable[[str, Path, object], None]
"""Tells every page of this kind of thing, in this project, with this about it."""

#: So long after the last question a project is followed.
_LAPSE_S = 600.0
#: A hub on this machine is looked at, and a busy one told of, so often.
_LOOK_S = 0.2
_FIRST_NAP_S, _LONGEST_NAP_S = 2.0, 15.0
#: A service that went away is tried again so often.
_AGAIN_S = 5.0


class Followers:
    """One thread for each project whose runs a page shows."""

    def __init__(self, tell: Tell) -> None:
        self._tell_pages = tell
        self._guard = threading.Lock()
        self._asked_at: dict[Path, float] = {}

    def follow(self, root: Path) -> None:
        """Follow the runs of a project from now on, or go on with it."""
        with self._guard:
            is_new = root not in self._asked_at
            self._asked_at[root] = time.monotonic()
        if is_new:
            threading.Thread(target=self._tell, args=[root], name="lockgate follow", daemon=True).start()

    def close(self) -> None:
        with self._guard:
            self._asked_at.clear()

    def _is_wanted(self, root: Path) -> bool:
        with self._guard:
            asked_at = self._asked_at.get(root)
            if asked_at is None or time.monotonic() - asked_at > _LAPSE_S:
                self._asked_at.pop(root, None)
                return False
            return True

    def _tell(self, root: Path) -> None:
        def is_wanted() -> bool:
            return self._is_wanted(root)

        while is_wanted():
            try:
                for _ in _moves(address(None, None, root), is_wanted):
                    self._tell_pages("runs", root, {})
            except (LockgateError, OSError):
                # The page's next question tells the cause; here it is only waited for
                _nap(_AGAIN_S, is_wanted)
        self._tell_pages("runs", root, {})


def _moves(place: Address, is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Yield each time something may have happened."""
    if isinstance(place, LocalHub):
        yield from _looked(place, is_wanted)
    elif isinstance(place, HttpHub):
        yield from _heard(place, is_wanted)
    else:
        yield from _asked(place, is_wanted)


def _looked(place: LocalHub, is_wanted: Callable[[], bool]) -> Iterator[None]:
    index = Index(place.hub.index, is_read_only=True)
    try:
        seen = index.changes_seen()
        while is_wanted():
            now_seen = index.changes_seen()
            if now_seen != seen:
                seen = now_seen
                yield
            time.sleep(_LOOK_S)
    finally:
        index.close()


def _heard(place: HttpHub, is_wanted: Callable[[], bool]) -> Iterator[None]:
    for piece in HttpClient(place.base).pieces(["projects", place.project, "events"]):
        if not is_wanted():
            return
        if b"event:" in piece:
            yield


def _asked(place: RemoteHub, is_wanted: Callable[[], bool]) -> Iterator[None]:
    before, nap = ask_runs(place, 50), _FIRST_NAP_S
    while is_wanted():
        _nap(nap, is_wanted)
        now = ask_runs(place, 50)
        if now != before:
            before, nap = now, _FIRST_NAP_S
            yield
        else:
            nap = min(nap * 1.5, _LONGEST_NAP_S)


def _nap(seconds: float, is_wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and is_wanted():
        time.sleep(_LOOK_S)
