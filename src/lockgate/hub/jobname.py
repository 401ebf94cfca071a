"""The name of a job's folder: its number keeps it unique, its letters readable."""

from __future__ import annotations

import re

_LONGEST = 80


def safe_name(number: int, stage: str) -> str:
    """Return a file name for the stage at this place of the pipeline."""
    return f"{number:04d}-{re.sub(r'[^A-Za-z0-9._=-]', '_', stage)[:_LONGEST]}"
