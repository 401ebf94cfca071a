"""How stages failed of late, as a work tree's copy of the chain tells it; the hub is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lockgate.activity.chain import read
from lockgate.errors import LockgateError
from lockgate.runs.reason import Failure, JobEnd, latest_failures

_LOOKED_AT = 60


def known_failures(root: Path) -> dict[str, Failure]:
    """Return stage → how it failed, where it did not go well since; nothing without a copy of the chain."""
    try:
        return latest_failures(_ends(root))
    except LockgateError:
        return {}


def _ends(root: Path) -> Iterator[JobEnd]:
    for _, activity in read(root, _LOOKED_AT):
        request, stages = activity.evidence.get("request"), activity.evidence.get("stages")
        is_proof = isinstance(request, dict) and bool(request.get("proof"))
        if activity.kind != "run.finished" or activity.run is None or is_proof:
            continue
        for stage in stages if isinstance(stages, list) else []:
            if isinstance(stage, dict):
                cause = stage.get("cause")
                yield JobEnd(
                    activity.run,
                    str(stage.get("stage")),
                    str(stage.get("state")),
                    cause if isinstance(cause, str) else None,
                )
