"""The name of a job's folder: its number tells the place, its letters are readable, no two are alike."""

from __future__ import annotations

import hashlib
import re

_LONGEST = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._=,@%+-]")


def safe_name(number: int, stage: str, attempt: int = 1) -> str:
    """Return a file name for the stage at this place of the pipeline; a second attempt ends in `~2`.

    A name that cannot stand as it is, for its characters or its length, gets a digest behind it.
    """
    name = _UNSAFE.sub("_", stage)[:_LONGEST]
    if name != stage:
        name += "-" + hashlib.sha256(stage.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{number:04d}-{name}" + (f"~{attempt}" if attempt > 1 else "")
