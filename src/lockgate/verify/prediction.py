"""Models that differ in their bytes, judged by what they predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from lockgate.project.pipeline import Allowance
from lockgate.runs.plan import TRIAL
from lockgate.runs.record import StageRecord
from lockgate.verify.allowance import allowance
from lockgate.verify.artifacts import Open, compare_artifacts
from lockgate.verify.predictors import MODELS, predictor_job
from lockgate.verify.report import ArtifactProof, Compared
from lockgate.verify.seeking import Trial


def judge_models(
    artifacts: Sequence[ArtifactProof],
    recorded: Mapping[str, StageRecord],
    again: Mapping[str, StageRecord],
    failures: Mapping[str, str],
    open_: Open,
    allowed: Sequence[Allowance],
) -> tuple[tuple[ArtifactProof, ...], tuple[Trial, ...]]:
    """Return the verdicts, with models judged by their predictions, and the jobs that are still to be run.

    `failures`: why a job left nothing, of those that were run.
    """
    judged: list[ArtifactProof] = []
    due: list[Trial] = []
    for proof in artifacts:
        declared = allowance(proof.path, allowed)
        if proof.verdict != "differs" or proof.again is None or declared.predict is None:
            judged.append(proof)
            continue
        number = [each.path for each in recorded[proof.stage].artifacts].index(proof.path)
        jobs = {of: predictor_job(proof.stage, number, of) for of in MODELS}
        due += [
            Trial(proof.stage, name.rpartition(TRIAL)[2], f"predictions of {MODELS[of]}, {proof.path}")
            for of, name in jobs.items()
            if name not in again and name not in failures
        ]
        broken = [f"{MODELS[of]}: {failures[name]}" for of, name in jobs.items() if name in failures]
        if broken:
            found = Compared("differs", f"its bytes, and its predictions could not be made ({broken[0]})")
        elif all(name in again for name in jobs.values()):
            found = _compare(again[jobs["recorded"]], again[jobs["again"]], open_, declared)
        else:
            found = Compared("differs", proof.words)
        judged.append(replace(proof, verdict=found.verdict, words=found.words))
    return tuple(judged), tuple(due)


def _compare(recorded: StageRecord, again: StageRecord, open_: Open, declared: Allowance) -> Compared:
    """What holds for the model's path holds for its predictions."""
    found = next(compare_artifacts(recorded, again, open_, [replace(declared, pattern="**")]))
    if found.verdict == "identical":
        return Compared("within-tolerance", "its bytes differ, its predictions are the same")
    if found.verdict == "within-tolerance":
        return Compared("within-tolerance", "its bytes differ, its predictions agree")
    return Compared("differs", f"its predictions: {found.words}")
