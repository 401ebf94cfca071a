"""Where the result commit of a run that failed keeps why, and the ends of its logs."""

from __future__ import annotations

FAILURES = "lockgate.failed"
