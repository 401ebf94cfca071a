"""What a work tree's copy of the chain tells of data: certifications, accepted drift; no hub is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.activity.chain import FILE_NAME, REF, parse
from lockgate.activity.entry import Activity
from lockgate.data.acceptance import ACCEPTED, Acceptance
from lockgate.data.certification import CERTIFIED, WITHDRAWN, Certification
from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.datasets.accepting import acceptance_of
from lockgate.hub.datasets.certifying import certification_of


def known_certifications(root: Path, path: str | None = None) -> list[Certification]:
    """Return what is known of the datasets, or of one, newest first; nothing without a copy of the chain."""
    found = []
    for oid, said in _entries(root, CERTIFIED, WITHDRAWN):
        try:
            found.append(certification_of(oid, said.kind, said.by, said.at, said.commit, said.evidence))
        except msgspec.ValidationError:
            continue
    return [each for each in found if path is None or each.path == path]


def known_acceptances(root: Path, path: str) -> list[Acceptance]:
    """Return what is known of a table's accepted drift, newest first; nothing without a copy of the chain."""
    found = []
    for oid, said in _entries(root, ACCEPTED):
        try:
            found.append(acceptance_of(oid, said.by, said.at, said.commit, said.evidence))
        except msgspec.ValidationError:
            continue
    return [each for each in found if each.path == path]


def _entries(root: Path, *kinds: str) -> Iterator[tuple[str, Activity]]:
    """Yield the entries of these kinds, newest first; what is none is left out."""
    wanted = "|".join(kind.replace(".", "[.]") for kind in kinds)
    code, output, _ = attempt(
        root,
        "log", "--first-parent", "--format=%H", "-E", f"--grep=^Lockgate-Activity: ({wanted})$", REF, "--",
    )  # fmt: skip
    ids = output.decode().split() if code == 0 else []
    for oid, content in zip(ids, read_many(root, [f"{oid}:{FILE_NAME}" for oid in ids]), strict=True):
        try:
            if content is not None:
                yield oid, parse(content.content)
        except ValueError:
            continue
