"""Housekeeping of projects' repositories: the dozen small files that each push and run leaves become packs.

Nothing is ever removed but what a pack holds by then: loose objects go into one whether or not anything
reaches them, and packs are joined so that each is at least twice the next smaller one (git-repack(1),
--geometric).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time

from lockgate.git.program import clean_environment
from lockgate.hub.directory import Hub

log = logging.getLogger("lockgate.dispatcher")

#: So many files in one of the 256 folders of loose objects are many, as for git (git-gc(1), gc.auto).
MANY = 27
#: And so many packs (gc.autoPackLimit).
MANY_PACKS = 50
#: After a look at all repositories the next one comes no sooner.
LOOK_AGAIN_S = 300.0
_LOCK = "lockgate-packing.lock"
#: The lock's number in git.
_HELD = 3
#: It is nobody's to wait for: it takes what processor time is left, and little memory.
_WORDS = (
    "-c", "pack.threads=1", "-c", "pack.windowMemory=64m", "-c", "repack.writeBitmaps=false",
    "repack", "--geometric=2", "-d", "-l", "-q",
)  # fmt: skip


class Packing:
    """One git at a time, apart from this process, begun while there is nothing better to do."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.pid: int | None = None
        """That of the git under way; it goes on when this process ends."""
        self._crowded: list[str] = []
        self._looked_at = float("-inf")

    @property
    def is_under_way(self) -> bool:
        if self.pid is not None and os.waitpid(self.pid, os.WNOHANG)[0] != 0:
            self.pid = None
        return self.pid is not None

    def go_on(self) -> None:
        """Begin with the next repository of many small files or packs; the one under way is let finish."""
        if self.is_under_way:
            return
        if not self._crowded and time.monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self._looked_at = time.monotonic()
            with contextlib.suppress(OSError):  # one that cannot be looked into is others' to tell of
                self._crowded = [each for each in self._hub.projects() if self._is_crowded(each)]
        if self._crowded:
            self._begin(self._crowded.pop())

    def _is_crowded(self, project: str) -> bool:
        objects = self._hub.repository(project) / "objects"
        loose, packs = objects.glob("17/*"), objects.glob("pack/*.pack")
        return len(list(loose)) >= MANY or len(list(packs)) >= MANY_PACKS

    def _begin(self, project: str) -> None:
        """Another process's may be at it: the lock is git's own as long as it runs."""
        repository = self._hub.repository(project)
        try:
            lock = os.open(repository / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
                self.pid = os.posix_spawnp(
                    "nice",
                    ["nice", "-n", "19", "git", "-C", str(repository), *_WORDS],
                    clean_environment(),
                    file_actions=[*nothing, (os.POSIX_SPAWN_DUP2, lock, _HELD)],
                    setpgroup=0,
                )
            finally:
                os.close(lock)
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("%s is not packed: %s", project, error, extra={"action": "pack"})
