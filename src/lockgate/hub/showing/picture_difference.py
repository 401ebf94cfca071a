"""Where two pictures differ, drawn by a process that may fail without harm.

`python -I -m lockgate.hub.showing.picture_difference ONE OTHER` writes a PNG. A picture that a member's code
made may be broken on purpose, and Pillow reads it in C.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from lockgate.hub.directory import Hub
from lockgate.hub.showing.artifact_content import File, read_file, stored_at
from lockgate.verify.difference import draw_difference

#: A page waits for so long at most.
PATIENCE_S = 20.0
#: Larger files are not drawn.
MOST_BYTES = 50_000_000
_MEMORY_BYTES = 2 << 30
_CPU_S = 15
_AT_ONCE = threading.BoundedSemaphore(2)


def picture_difference(hub: Hub, project: str, one: File, other: File) -> bytes | None:
    """Return a PNG that marks where two pictures differ; None: it cannot be drawn.

    Raises `OutsideError`: `store-missing`, `git-failed`.
    """
    if max(one.size_bytes, other.size_bytes) > MOST_BYTES:
        return None
    with _path(hub, project, one) as left, _path(hub, project, other) as right, _AT_ONCE:
        words = [sys.executable, "-I", "-m", "lockgate.hub.showing.picture_difference", str(left), str(right)]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None
    return done.stdout if done.returncode == 0 and done.stdout else None


@contextlib.contextmanager
def _path(hub: Hub, project: str, file: File) -> Iterator[Path]:
    place = stored_at(hub, file)
    if place is not None:
        yield place
        return
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(read_file(hub, project, file, MOST_BYTES))
        copy.flush()
        yield Path(copy.name)


def main(arguments: list[str]) -> int:
    """Draw for a page; return the exit code: 1 where nothing can be drawn."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        drawn = draw_difference(*(Path(name).read_bytes() for name in arguments))
    except (OSError, MemoryError):
        return 1
    if drawn is None:
        return 1
    sys.stdout.buffer.write(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
