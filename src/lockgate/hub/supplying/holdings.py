"""Which objects of the store a project may use: those whose bytes it has shown, never those it only names.

The store is one for all projects of a hub. A file a project, one digest a line, only ever added to.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from lockgate.errors import OutsideError
from lockgate.hub.directory import Hub

_LINE = re.compile(rb"[0-9a-f]{32}(?:\.dir)?")


class Holdings:
    """The digests that one project has sent, or that were fetched from its own remote."""

    def __init__(self, hub: Hub, project: str) -> None:
        self._path = hub.holdings / project

    def read(self) -> set[str]:
        """Return all of them; a line that a kill cut short is none."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return set()
        return {line.decode() for line in content.split(b"\n") if _LINE.fullmatch(line)}

    def add(self, digests: Iterable[str]) -> None:
        """Add them, durably. Raises `OutsideError` (`hub-unwritable`)."""
        lines = "".join(f"{digest}\n" for digest in digests).encode()
        if not lines:
            return
        with self._locked() as handle:
            size = os.fstat(handle).st_size
            # A line cut short by a kill is ended, so that the next one stands alone
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, (b"\n" if torn else b"") + lines)
            os.fsync(handle)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            while True:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX)
                    # Another may have put a new file into its place meanwhile
                    if self._is_still(handle):
                        yield handle
                        return
                finally:
                    os.close(handle)
        except OSError as error:
            raise OutsideError(
                f"{self._path} cannot be written: {error.strerror or error}",
                "Look at the disk and the rights of the hub's folder.",
                code="hub-unwritable",
                is_transient=True,
            ) from error

    def _is_still(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False
