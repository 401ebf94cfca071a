"""From what was made again to the trials that are due, and from those to causes, stage by stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache, partial

import msgspec

from lockgate.project.pipeline import Allowance
from lockgate.runs.plan import TRIAL
from lockgate.runs.record import StageRecord
from lockgate.verify.artifacts import Open, compare_artifacts
from lockgate.verify.cause import MADE, RECORDED, search, words_of
from lockgate.verify.report import ArtifactProof, Cause

#: The causes of so many stages are searched for; what differs below them mostly follows.
MOST_STAGES = 3


class Trial(msgspec.Struct, frozen=True):
    """A stage to be run again with one thing changed."""

    stage: str
    name: str
    """What is changed, and the how-manieth time: `time.2`."""
    words: str


class Seeker:
    """Decides on trials of the stages whose results differ although all they read is the same."""

    def __init__(
        self,
        recorded: Mapping[str, StageRecord],
        again: Mapping[str, StageRecord],
        tried: Collection[str],
        open_: Open,
        allowed: Sequence[Allowance],
    ) -> None:
        self._recorded = recorded
        self._again = again
        self._tried = tried
        self._open = open_
        self._allowed = allowed

    def seek(self, artifacts: Sequence[ArtifactProof]) -> tuple[tuple[Trial, ...], tuple[Cause, ...]]:
        """Return the trials that are due; where none are, the causes."""
        trials: list[Trial] = []
        causes: list[Cause] = []
        for stage in self._origins(artifacts):
            prefix = stage + TRIAL
            tried = {name.removeprefix(prefix) for name in self._tried if name.startswith(prefix)}
            paths = frozenset(
                each.path for each in artifacts if each.stage == stage and each.verdict == "differs"
            )
            same = cache(partial(self._same, stage, paths))
            found = search(tried, partial(self._has, prefix), same)
            trials += [Trial(stage, name, words_of(name)) for name in found.trials]
            causes += [
                Cause(stage=stage, factor=told.factor, words=told.words, is_certain=told.is_certain)
                for told in found.told
            ]
            if not found.trials and not found.told:
                causes.append(
                    Cause(stage=stage, factor="unknown", words="unknown: no trial changes what it makes")
                )
        return tuple(trials), () if trials else tuple(causes)

    def _has(self, prefix: str, name: str) -> bool:
        return prefix + name in self._again

    def _origins(self, artifacts: Sequence[ArtifactProof]) -> list[str]:
        """The stages that differ with the very inputs of then; else the first that differs."""
        differing = list(dict.fromkeys(each.stage for each in artifacts if each.verdict == "differs"))
        origins = [
            stage
            for stage in differing
            if stage in self._again and self._again[stage].fingerprint == self._recorded[stage].fingerprint
        ]
        return (origins or differing[:1])[:MOST_STAGES]

    def _same(self, stage: str, paths: frozenset[str], one: str, other: str) -> bool:
        left, right = self._record(stage, one), self._record(stage, other)
        return all(
            proof.verdict != "differs"
            for proof in compare_artifacts(left, right, self._open, self._allowed)
            if proof.path in paths
        )

    def _record(self, stage: str, name: str) -> StageRecord:
        if name == RECORDED:
            return self._recorded[stage]
        return self._again[stage if name == MADE else stage + TRIAL + name]
