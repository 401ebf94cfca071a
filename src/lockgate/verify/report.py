"""What a verification found, as values: of each artifact, of the whole, and the likely causes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from lockgate.project.pipeline import Kind

Verdict = Literal["identical", "within-tolerance", "differs", "not-run"]

#: From the best to the worst: of several, the worst is the whole's.
_ORDER: tuple[Verdict, ...] = ("identical", "within-tolerance", "differs", "not-run")
_WORDS: dict[Verdict, str] = {
    "identical": "identical",
    "within-tolerance": "equal within tolerance",
    "differs": "differs",
    "not-run": "could not be run",
}


class Compared(msgspec.Struct, frozen=True, omit_defaults=True):
    """How two contents compare."""

    verdict: Verdict
    words: str = ""
    """Where they differ, as `column price, 3 of 1,000 rows`; of equal ones, in what they may differ."""


class ArtifactProof(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One artifact of the verified run beside the one that was made again."""

    stage: str
    path: str
    kind: Kind
    verdict: Verdict
    words: str = ""
    recorded: str
    """md5 of what the verified run made; of a folder's listing, ending in `.dir`."""
    again: str | None = None
    """md5 of what was made again; None: it was not made."""


class Cause(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Why a stage's result differs, as far as trials tell."""

    stage: str
    factor: str
    """A word for programs, as `time`: see `lockgate.verify.factor`."""
    words: str
    """The cause with its evidence, as `time (two runs with the clock held are the same)`."""
    is_certain: bool = False
    """With the factor as it was, the very result of the verified run came out again."""


class Verification(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A run that was made again, compared with what it had left."""

    run: str
    """The verified run."""
    by_run: str
    """The run that made it again."""
    verdict: Verdict
    words: str = ""
    """Of the first artifact that does not agree, or why it could not be run."""
    artifacts: tuple[ArtifactProof, ...] = ()
    causes: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()
    """What was not as in the verified run, as another version of Python."""
    is_fresh: bool = False
    is_whole: bool = True
    """Whether all stages were made again, not only some."""
    runtime_recorded: str = ""
    runtime_again: str = ""
    commit: str = ""
    """The snapshot that both executed."""
    result_recorded: str = ""
    result_again: str = ""
    at: str = ""

    @property
    def is_proved(self) -> bool:
        """Whether what was made again agrees."""
        return self.verdict in ("identical", "within-tolerance")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a whole; of nothing, that it is identical."""
    return max(verdicts, key=_ORDER.index, default="identical")


def in_words(verdict: Verdict, words: str = "") -> str:
    """Return a verdict as a person reads it: `differs: column price, 3 of 1,000 rows`."""
    return f"{_WORDS[verdict]}: {words}" if words else _WORDS[verdict]


def whole(artifacts: Sequence[ArtifactProof], failure: str = "") -> tuple[Verdict, str]:
    """Return the verdict on a run and its words, from its artifacts and from why it could not be run."""
    if failure:
        return "not-run", failure
    verdict = worst(each.verdict for each in artifacts)
    if verdict == "identical":
        return verdict, ""
    named = [each for each in artifacts if each.verdict == verdict]
    first = named[0]
    words = f"{first.path}: {first.words}" if first.words else first.path
    return verdict, words + (f", and {len(named) - 1} more" if len(named) > 1 else "")
