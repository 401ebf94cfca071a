"""How far a transfer of data is, in one line of the terminal. Imports nothing that takes time."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockgate.data.transfer import Progress

_CLEAR = "\r\x1b[K"


def tell(progress: Progress) -> None:
    """Show it where standard error is a terminal; the line is gone when all is done."""
    if not sys.stderr.isatty():
        return
    from lockgate.project.quantities import counted, size_words  # noqa: PLC0415

    words = f"{progress.done:,} of {counted(progress.objects, 'object')}, {size_words(progress.done_bytes)}"
    sys.stderr.write(_CLEAR + ("" if progress.done == progress.objects else words))
    sys.stderr.flush()
