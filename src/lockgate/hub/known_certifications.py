"""Certifications as a work tree's copy of the chain tells them; the hub is not asked."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.activity.chain import FILE_NAME, REF, parse
from lockgate.data.certification import CERTIFIED, WITHDRAWN, Certification
from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.certifying import certification_of


def known_certifications(root: Path, path: str | None = None) -> list[Certification]:
    """Return what is known of the datasets, or of one, newest first; nothing without a copy of the chain."""
    kinds = "|".join(kind.replace(".", "[.]") for kind in (CERTIFIED, WITHDRAWN))
    code, output, _ = attempt(
        root,
        "log", "--first-parent", "--format=%H", "-E", f"--grep=^Lockgate-Activity: ({kinds})$", REF, "--",
    )  # fmt: skip
    ids = output.decode().split() if code == 0 else []
    found = []
    for oid, content in zip(ids, read_many(root, [f"{oid}:{FILE_NAME}" for oid in ids]), strict=True):
        if content is None:
            continue
        try:
            said = parse(content.content)
            found.append(certification_of(oid, said.kind, said.by, said.at, said.commit, said.evidence))
        except (ValueError, msgspec.ValidationError):
            continue
    return [each for each in found if path is None or each.path == path]
