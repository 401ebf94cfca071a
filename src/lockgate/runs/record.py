"""What is known of a stage that ran: its inputs and artifacts. The unit of the cache and of provenance."""

from __future__ import annotations

import msgspec

from lockgate.project.pipeline import Kind, Scalar
from lockgate.runs.observation import Use


class Artifact(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One file or folder a stage made."""

    path: str
    kind: Kind = "file"
    size_bytes: int
    """Of all its files together."""
    md5: str
    """Of the content; for a folder, of its listing in DVC's form, ending in `.dir`."""
    git: str | None = None
    """Its blob or tree id where the result commit holds it; None: only the store does."""
    mode: int = 0o100644
    file_count: int = 1


class StageRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One stage as it ran once, enough to know it again by fingerprint and to say why it must run anew."""

    stage: str
    fingerprint: str
    run: str
    commit: str
    """The snapshot it ran at."""
    member: str
    ended_at: str
    command: str
    runtime: str
    """Digest of the runtime."""
    params: dict[str, Scalar] = {}
    needs: tuple[tuple[str, str], ...] = ()
    """Need → identity, sorted: `git` object id with mode mark, or `md5:` of an artifact."""
    artifacts: tuple[Artifact, ...] = ()
    duration_s: float | None = None
    peak_memory_bytes: int | None = None
    undeclared: tuple[Use, ...] = ()
    """What it was seen to use without declaring it, where the project asks for that."""
    compared_with: str | None = None
    """Of a check: the blob of the report on the version that it compared its table with."""
