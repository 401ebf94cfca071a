"""Which jobs let models predict, that are to be compared by it.

A model is loaded by the project's own code, in a job and in the run's runtime; never on the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from lockgate.project.pipeline import Allowance, Prediction, Stage
from lockgate.runs.jobscript import quoted
from lockgate.runs.plan import TRIAL
from lockgate.runs.record import StageRecord
from lockgate.verify.allowance import allowance

Of = Literal["recorded", "again"]

PREDICT = "predict"
#: What stands for the model's path in a command.
_MODEL = "{model}"
#: Which model, in words.
MODELS: dict[Of, str] = {"recorded": "the recorded model", "again": "the model made again"}


class Predictor(msgspec.Struct, frozen=True):
    """One job that lets a model predict."""

    stage: Stage
    """What is run; by the name of the job."""
    of: Of


def predictors(
    stages: Sequence[Stage], recorded: Mapping[str, StageRecord], allowed: Sequence[Allowance]
) -> dict[str, Predictor]:
    """Return every job that may be needed, by its name: for each model declared, one of then, one of now."""
    found: dict[str, Predictor] = {}
    for stage in stages:
        for number, prediction, path in _declared(recorded.get(stage.name), allowed):
            for of in MODELS:
                name = predictor_job(stage.name, number, of)
                found[name] = Predictor(_stage(stage, name, prediction, path), of)
    return found


def is_predictor(job: str) -> bool:
    """Return whether the job of this name lets a model predict."""
    return job.rpartition(TRIAL)[2].startswith(f"{PREDICT}.")


def _declared(
    record: StageRecord | None, allowed: Sequence[Allowance]
) -> Iterator[tuple[int, Prediction, str]]:
    for number, artifact in enumerate(record.artifacts if record is not None else ()):
        declared = allowance(artifact.path, allowed).predict
        if declared is not None:
            yield number, declared, artifact.path


def predictor_job(stage: str, number: int, of: Of) -> str:
    """Return the name of the job for the artifact of this number."""
    return f"{stage}{TRIAL}{PREDICT}.{number}.{of}"


def _stage(stage: Stage, name: str, prediction: Prediction, model: str) -> Stage:
    return Stage(
        name=name,
        group=stage.group,
        command=prediction.command.replace(_MODEL, quoted(model)),
        needs=(model, *(need for need in prediction.needs if need != model)),
        makes=(prediction.makes,),
        params=stage.params,
        resources=stage.resources,
        backend=stage.backend,
    )
