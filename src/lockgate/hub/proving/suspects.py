"""What else may have changed a result: packages not as locked, and what a stage uses and does not declare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lockgate.hub.planning.replay import Replayed
from lockgate.hub.software.runtimes import Runtimes
from lockgate.project.requirements import normal_name
from lockgate.project.snapshot import CommitSource
from lockgate.runs.checked import runtime_of
from lockgate.runs.observation import ENV, HOST, Use, in_words
from lockgate.runs.record import StageRecord
from lockgate.verify.report import Cause

_READS = re.compile(
    r"""environ(?:\.get\(|\[|\.setdefault\()\s*["']([A-Za-z_][A-Za-z0-9_]*)["']"""
    r"""|getenv\(\s*["']([A-Za-z_][A-Za-z0-9_]*)["']|\$\{?([A-Z_][A-Z0-9_]{2,})"""
)
_JOBS_OWN = re.compile(
    r"LOCKGATE_|PATH$|HOME$|TMPDIR$|TZ$|LC_|LANG|PYTHON|MPL|SOURCE_DATE_EPOCH$|NO_COLOR$|VIRTUAL_ENV$|PWD$|.*THREADS$"
)
_LARGEST = 1_000_000
#: So many suspects are told.
_NAMED = 3


class Reads:
    """The variables that the files of a snapshot read, by the look of them."""

    def __init__(self, repository: Path, commit: str) -> None:
        self._source = CommitSource(repository, commit)

    def of(self, record: StageRecord) -> list[str]:
        """Return the variables that a stage reads and that a job is not given."""
        paths = [need for need, identity in record.needs if not identity.startswith("md5:")]
        found = self._source.read([path for path in paths if path in self._source.files()])
        texts = [record.command.encode(), *(text for text in found.values() if len(text) <= _LARGEST)]
        names = [
            name
            for text in texts
            for groups in _READS.findall(text.decode("utf-8", "replace"))
            for name in groups
        ]
        return list(dict.fromkeys(name for name in names if name and not _JOBS_OWN.match(name)))


def altered_packages(
    runtimes: Runtimes, earlier: Replayed, again: Mapping[str, StageRecord]
) -> Iterator[str]:
    """Yield what the hub's runtime has installed otherwise than it was locked, and whether it is another."""
    digest = runtime_of(earlier.records.values()) or ""
    locked = {normal_name(name): version for name, version in runtimes.packages(digest).items()}
    installed = _installed(runtimes.bin_path(digest).parent)
    for name, version in sorted(locked.items()):
        if name in installed and "/" not in version and installed[name] not in version.split(" or "):
            yield f"the hub's runtime has {name} {installed[name]} where {version} is locked"
    now = runtime_of(again.values()) or digest
    if now != digest:
        yield f"the runtime is another: {digest[:10]} then, {now[:10]} now (Python or the platform)"


def explain(
    cause: Cause, notes: tuple[str, ...], reads: Reads, record: StageRecord, again: StageRecord
) -> Cause:
    """Say what trials alone could not: which variable, that the software is not what it was, or what the
    stage was seen to use undeclared when it made `record`, or when it was run again."""
    uses = suspected(record.undeclared, again.undeclared)
    seen = [use.what.removeprefix(ENV) for use in uses if use.what.startswith(ENV)]
    names = ", ".join(list(dict.fromkeys((*seen, *reads.of(record))))[:_NAMED])
    if cause.factor == "unknown" and notes:
        return msgspec.structs.replace(
            cause,
            factor="runtime",
            words=f"a library ({'; '.join(notes)}); built anew: lockgate verify --fresh",
        )
    if cause.factor == "variables" and names:
        return msgspec.structs.replace(cause, words=f"{cause.words}; it reads {names}")
    if cause.factor == "unknown" and uses:
        what = uses[0].what
        factor = "variables" if what.startswith(ENV) else "hosts" if what.startswith(HOST) else "files"
        told = "; ".join(f"it {in_words(use)}" for use in uses[:_NAMED])
        return msgspec.structs.replace(cause, factor=factor, words=f"something not declared ({told})")
    if cause.factor == "unknown" and names:
        return msgspec.structs.replace(
            cause, factor="variables", words=f"an undeclared environment variable (it reads {names})"
        )
    return cause


def suspected(then: Sequence[Use], now: Sequence[Use]) -> list[Use]:
    """Return what a stage was seen to read or call undeclared in either of two runs, each thing once: first
    what one of them alone used, or used in another way, as a variable that is not set any more."""
    both = set(then) & set(now)
    uses: dict[str, Use] = {}
    for use in (*now, *then):
        if use.how != "written":
            uses.setdefault(use.what, use)
    return sorted(uses.values(), key=lambda use: use in both)


def _installed(environment: Path) -> dict[str, str]:
    found = {}
    for place in environment.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = place.name.removesuffix(".dist-info").rpartition("-")
        found[normal_name(name)] = version
    return found
