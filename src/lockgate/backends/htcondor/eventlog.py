"""The event log of one batch, read on from where the last look ended."""

from __future__ import annotations

import os
from collections.abc import Mapping

from lockgate.backends.htcondor.events import Story, split_log, tell


class EventLog:
    """What a log in XML has told so far of each job, by native id."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._inode = 0
        self.stories: Mapping[str, Story] = {}

    def read_on(self) -> bool:
        """Take in what was written since; return whether it was anything. A log that is not there, or cannot
        be read now, tells nothing. One that was cut or replaced is read anew."""
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - asked for every batch, many times a minute
                status = os.fstat(file.fileno())
                if status.st_size < self._offset or status.st_ino != self._inode:
                    self._offset, self._inode, self.stories = 0, status.st_ino, {}
                if status.st_size == self._offset:
                    return False
                file.seek(self._offset)
                return self._take(file.read())
        except OSError:
            return False

    def _take(self, data: bytes) -> bool:
        events, length = split_log(data)
        self._offset += length
        if not events:
            return False
        self.stories = tell(self.stories, events)
        return True
