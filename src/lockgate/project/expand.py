"""From a manifest to a pipeline: parameters filled in, matrices multiplied out, the graph checked."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from lockgate.errors import UserError
from lockgate.project.globs import is_glob
from lockgate.project.graph import find_circle, upstream
from lockgate.project.manifest import Manifest
from lockgate.project.overrides import apply_overrides
from lockgate.project.paths import PathError, clean_path
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE, Pipeline, Resources, Scalar, Stage
from lockgate.project.scalar import scalar_text, value_label
from lockgate.project.stage_table import SPARK_APPLICATION, WORK_KEYS, StageDeclaration
from lockgate.project.toml_reader import nearest

MOST_STAGES = 100_000

_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}|\{\{([^\W\d]\w*)\}\}|\{([^\W\d]\w*)\}")


def build_pipeline(manifest: Manifest, overrides: Mapping[str, str], project: str) -> Pipeline:
    """Fill in every parameter and check the graph in itself; `project` is the name if none is declared.

    `overrides` gives parameters other values, as text: `depth` for every stage, `train.depth` for one.

    Raises `UserError` with file and line: `parameter-unknown`, `parameter-invalid`, `matrix-duplicate`,
    `matrix-too-large`, `path-outside`, `path-invalid`, `makes-twice`, `pipeline-circle`, `pipeline-empty`.
    """
    if not manifest.stages:
        raise manifest.error(
            ("stages",),
            "no stage is declared",
            "Add one: [stages.NAME] with run = … and makes = [...]; `lockgate init` proposes some.",
            code="pipeline-empty",
        )
    manifest = apply_overrides(manifest, overrides)
    _refuse_too_many(manifest)
    expander = _Expander(manifest)
    stages = tuple(stage for declared in manifest.stages for stage in expander.members(declared))
    pipeline = Pipeline(
        project=manifest.project or project,
        source=manifest.file,
        stages=stages,
        runtime=manifest.runtime,
        data=manifest.data,
        batch=manifest.batch,
        outputs=manifest.outputs,
        is_observed=manifest.is_observed,
        undeclared=manifest.undeclared,
        checks=manifest.checks,
    )
    _refuse_names_twice(manifest, stages)
    _refuse_makes_twice(manifest, stages)
    _refuse_circle(manifest, pipeline)
    return pipeline


class _Expander:
    """Turns declarations into stages."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.cleaned: dict[tuple[str, bool], str] = {}

    def members(self, declared: StageDeclaration) -> Iterator[Stage]:
        keys = list(declared.matrix)
        if not keys:
            yield self.stage(declared, declared.name, declared.params)
            return
        for values in itertools.product(*declared.matrix.values()):
            chosen = dict(zip(keys, values, strict=True))
            label = ",".join(f"{key}={value_label(value)}" for key, value in chosen.items())
            yield self.stage(declared, f"{declared.name}@{label}", {**declared.params, **chosen})

    def stage(self, declared: StageDeclaration, name: str, own: Mapping[str, Scalar]) -> Stage:
        filler = _Filler(self.manifest, declared, own)
        makes = self.paths(filler, "makes", declared.makes)
        metrics = self.paths(filler, "metrics", declared.metrics)
        figures = self.paths(filler, "figures", declared.figures)
        needs = self.paths(filler, "needs", declared.needs) if declared.needs is not None else None
        command = notebook = spark = None
        if declared.command is not None:
            command = filler.fill(declared.command, "run")
        if declared.notebook is not None:
            (notebook,) = self.paths(filler, "notebook", (declared.notebook,))
        if declared.spark is not None:
            spark, command = self.spark(filler, declared.spark)
        every = makes + metrics + figures
        if len(every) > 1:
            every = _outermost(every)
        return Stage(
            name=name,
            group=declared.group or declared.name,
            command=command,
            notebook=notebook,
            spark=spark,
            needs=needs,
            makes=every,
            metrics=metrics,
            figures=figures,
            params={**self.manifest.params, **own} if notebook is not None else {**filler.used, **own},
            params_files=declared.params_files,
            resources=Resources(declared.cpus, declared.gpus, declared.memory_bytes, declared.walltime_s),
            backend=declared.backend,
        )

    def spark(self, filler: _Filler, written: str) -> tuple[str, str]:
        """Return the application's path and the command that submits it."""
        filled = filler.fill(written, "spark")
        found = SPARK_APPLICATION.match(filled)
        if found is None:
            raise filler.error(
                "spark",
                0,
                f"spark reads {filled.strip()} once its parameters are filled in, which names no application",
                "Let the file end in .py, .jar or .R, without blanks in its name.",
                "manifest-invalid",
            )
        path = self.clean(filler, found[1], "spark", 0)
        program = f"./{path}" if path.startswith("-") else path
        return path, f"spark-submit {program}{filled[found.end() :].rstrip()}"

    def paths(self, filler: _Filler, key: str, written: Sequence[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        is_made = key in ("makes", "metrics", "figures")
        for number, raw in enumerate(written):
            path = filler.fill(raw, key, number)
            clean = self.cleaned.get((path, is_made))
            if clean is None:
                clean = self.cleaned[path, is_made] = self.clean(filler, path, key, number)
            found[clean] = None
        return tuple(found)

    def clean(self, filler: _Filler, path: str, key: str, number: int) -> str:
        try:
            clean = clean_path(path)
            if key in ("makes", "metrics", "figures"):
                _refuse_unmakeable(path, clean)
        except PathError as problem:
            raise filler.error(key, number, problem.message, problem.hint, problem.code) from None
        return clean


class _Filler:
    """Puts values in place of `{name}` for one stage and remembers which were used."""

    def __init__(self, manifest: Manifest, declared: StageDeclaration, own: Mapping[str, Scalar]) -> None:
        self.manifest = manifest
        self.declared = declared
        self.own = own
        self.used: dict[str, Scalar] = {}

    def fill(self, text: str, key: str, number: int = 0) -> str:
        if "{" not in text or not self.manifest.has_placeholders:
            return text

        def value(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal is not None:
                return f"{{{literal}}}"
            if name is None:
                return found[0]
            if name in self.own:
                return scalar_text(self.own[name])
            if name not in self.manifest.params:
                raise self.unknown(name, key, number)
            self.used[name] = self.manifest.params[name]
            return scalar_text(self.used[name])

        return _PLACEHOLDER.sub(value, text)

    def unknown(self, name: str, key: str, number: int) -> UserError:
        known = sorted({*self.manifest.params, *self.own})
        guess = nearest(name, known) if known else f"Declare it: params = {{ {name} = … }}."
        return self.error(
            key,
            number,
            f"`{key}` uses {{{name}}}, which is no parameter",
            f"{guess} For a literal brace write {{{{{name}}}}}.",
            "parameter-unknown",
        )

    def error(self, key: str, number: int, message: str, hint: str, code: str) -> UserError:
        name = self.declared.name
        path: tuple[str, ...] = ("stages", name, key)
        if key not in WORK_KEYS:
            path = (*path, str(number))
        return self.manifest.error(path, f"stage {name}: {message}", hint, code=code)


def _outermost(paths: Sequence[str]) -> tuple[str, ...]:
    """Drop what is there twice or lies in a folder of the same stage."""
    unique = dict.fromkeys(paths)
    return tuple(path for path in unique if not any(folder in unique for folder in _folders(path)))


def _folders(path: str) -> Iterator[str]:
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _refuse_unmakeable(written: str, path: str) -> None:
    if is_glob(path):
        raise PathError(
            f'"{written}" is a pattern; what a stage makes is named path by path',
            "Name the file, or the folder the files are put in.",
            "path-invalid",
        )
    if path in (LOCK_FILE, MANIFEST_FILE):
        raise PathError(f"{path} cannot be made by a stage", "Write to another file.", "path-invalid")


def _refuse_too_many(manifest: Manifest) -> None:
    total = 0
    for declared in manifest.stages:
        count = math.prod(len(values) for values in declared.matrix.values())
        total += count
        if total > MOST_STAGES:
            raise manifest.error(
                ("stages", declared.name, "matrix"),
                f"stage {declared.name}: its matrix brings the pipeline to {total:,} stages",
                f"Keep it to {MOST_STAGES:,}; let one stage work through many values.",
                code="matrix-too-large",
            )


def _refuse_names_twice(manifest: Manifest, stages: Sequence[Stage]) -> None:
    if len({stage.name for stage in stages}) == len(stages):
        return
    seen: set[str] = set()
    for stage in stages:
        if stage.name in seen:
            raise manifest.error(
                ("stages", stage.group, "matrix"),
                f"stage {stage.group}: its matrix names {stage.name} twice",
                "Remove the value that is there twice.",
                code="matrix-duplicate",
            )
        seen.add(stage.name)


def _refuse_makes_twice(manifest: Manifest, stages: Sequence[Stage]) -> None:
    makers: dict[str, Stage] = {}
    for stage in stages:
        for path in stage.makes:
            first = makers.setdefault(path, stage)
            if first is not stage:
                raise _made_twice(manifest, stage, path, first, path)
    for path, stage in makers.items():
        for folder in _folders(path):
            other = makers.get(folder)
            if other is not None:
                raise _made_twice(manifest, stage, path, other, folder)


def _made_twice(manifest: Manifest, stage: Stage, path: str, other: Stage, other_path: str) -> UserError:
    also = f"{other_path}/, which holds it," if path != other_path else "it"
    hint = "Let one stage make it, or give each its own path."
    if stage.group == other.group:
        name = next(_differing(stage, other), "name")
        hint = f"Put a matrix parameter in the path, as {{{name}}}."
    key = next(
        (key for key in ("metrics", "figures") if path in getattr(stage, key)),
        "makes",
    )
    return manifest.error(
        ("stages", stage.group, key),
        f"stage {stage.name} makes {path}, but stage {other.name} makes {also} too",
        hint,
        code="makes-twice",
    )


def _differing(stage: Stage, other: Stage) -> Iterator[str]:
    return (name for name in stage.params if stage.params[name] != other.params.get(name))


def _refuse_circle(manifest: Manifest, pipeline: Pipeline) -> None:
    ring = find_circle(upstream(pipeline))
    if not ring:
        return
    groups = {stage.name: stage.group for stage in pipeline.stages}
    if len(ring) == 2:
        message = f"stage {ring[0]} needs what it makes itself"
        hint = "Take the path out of its needs, or write the outcome to another path."
    else:
        message = f"stages wait for each other: {' → '.join(ring)} (→: needs what the next one makes)"
        hint = "Take out one of these needs."
    raise manifest.error(("stages", groups[ring[0]], "needs"), message, hint, code="pipeline-circle")
