"""A stage as `[stages.NAME]` of a `lockgate.toml` declares it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from lockgate.project.pipeline import Resources, Scalar
from lockgate.project.toml_reader import Path, Reader

STAGE_KEYS = (
    "run",
    "notebook",
    "spark",
    "needs",
    "makes",
    "metrics",
    "figures",
    "params",
    "matrix",
    "cpus",
    "gpus",
    "memory",
    "walltime",
    "backend",
)
#: What says what a stage does: one of them.
WORK_KEYS = ("run", "notebook", "spark")
#: The file, without a blank or what a shell would read as more than text, then arguments as a shell reads.
SPARK_APPLICATION = re.compile(r"\s*(?!-)([^\s'\"\\$`;&|<>()*?\[\]#~!]+\.(?:py|jar|[rR]))(?=\s|$)")


class StageDeclaration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stage as written. Paths are not cleaned and placeholders not filled in yet."""

    name: str
    group: str | None = None
    """The name written in the file, where a `dvc.yaml` made several stages of it; None: `name`."""
    command: str | None = None
    notebook: str | None = None
    spark: str | None = None
    """A Spark application as `spark-submit` takes it: the file, then its arguments."""
    needs: tuple[str, ...] | None = None
    makes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    params: dict[str, Scalar] = {}
    matrix: dict[str, tuple[Scalar, ...]] = {}
    params_files: dict[str, tuple[str, ...]] = {}
    cpus: int = 1
    gpus: int = 0
    memory_bytes: int | None = None
    walltime_s: int | None = None
    backend: str | None = None
    line: int | None = None
    """Where it is written, where `file` is no TOML; None: to be looked up in the text."""


def read_stage(reader: Reader, name: str, table: dict[str, object]) -> StageDeclaration:
    """Read the table `[stages.NAME]`. Raises `UserError` with file and line, as `parse_manifest` does."""
    path = ("stages", name)
    reader.check_name(name, path, "stage")
    reader.known(table, path, STAGE_KEYS, f"stage {name}: ")
    _require_one_work(reader, name, table)
    params = reader.scalars(table, (*path, "params"))
    matrix = _read_matrix(reader, table, (*path, "matrix"))
    for key in matrix:
        if key in params:
            raise reader.error(
                (*path, "matrix", key),
                f"stage {name}: {key} is in `params` and in `matrix`",
                "Keep it in one of them.",
            )
    paths = {
        key: reader.texts(table, (*path, key))
        for key in ("needs", "makes", "metrics", "figures")
        if key in table
    }
    resources = read_resources(reader, table, path)
    return StageDeclaration(
        name=name,
        command=reader.text_of(table, (*path, "run")) if "run" in table else None,
        notebook=_read_notebook(reader, table, (*path, "notebook")) if "notebook" in table else None,
        spark=_read_spark(reader, table, (*path, "spark")) if "spark" in table else None,
        needs=paths.get("needs"),
        makes=paths.get("makes", ()),
        metrics=paths.get("metrics", ()),
        figures=paths.get("figures", ()),
        params=params,
        matrix=matrix,
        cpus=resources.cpus,
        gpus=resources.gpus,
        memory_bytes=resources.memory_bytes,
        walltime_s=resources.walltime_s,
        backend=reader.name(table, (*path, "backend")) if "backend" in table else None,
    )


def _require_one_work(reader: Reader, name: str, table: Mapping[str, object]) -> None:
    """A stage says in one way what it does."""
    said = [f"`{key}`" for key in WORK_KEYS if key in table]
    if len(said) == 1:
        return
    if said:
        words, hint = f"has both {' and '.join(said)}", "Keep one of them."
    else:
        words = "has neither `run` nor `notebook` nor `spark`"
        hint = 'Add run = "…" (a command), notebook = "….ipynb" or spark = "….py".'
    raise reader.error(("stages", name), f"stage {name} {words}", hint)


def _read_spark(reader: Reader, table: Mapping[str, object], path: Path) -> str:
    application = reader.text_of(table, path)
    if not SPARK_APPLICATION.match(application):
        raise reader.wrong(
            path,
            application,
            "a Spark application",
            "Name a file ending in .py, .jar or .R, then its arguments; what spark-submit is told otherwise "
            "stands in [batch.spark].",
        )
    return application


def _read_notebook(reader: Reader, table: Mapping[str, object], path: Path) -> str:
    notebook = reader.text_of(table, path)
    if not notebook.endswith(".ipynb"):
        raise reader.wrong(
            path, notebook, "a notebook", "Name a file ending in .ipynb, or use `run` for a command."
        )
    return notebook


def _read_matrix(reader: Reader, table: Mapping[str, object], path: Path) -> dict[str, tuple[Scalar, ...]]:
    matrix: dict[str, tuple[Scalar, ...]] = {}
    for name, values in reader.table(table, path).items():
        inner = (*path, name)
        reader.check_parameter(name, inner)
        if not isinstance(values, list) or not values:
            raise reader.wrong(inner, values, "a list of values", f"Write {name} = [1, 2, 3].")
        matrix[name] = tuple(
            reader.scalar(value, (*inner, str(number))) for number, value in enumerate(values)
        )
    return matrix


def read_resources(reader: Reader, table: dict[str, object], path: Path) -> Resources:
    """Read what a job of the table at `path` is to have; what it does not say is the default."""
    return Resources(
        cpus=reader.whole_number(table, (*path, "cpus"), 1) if "cpus" in table else 1,
        gpus=reader.whole_number(table, (*path, "gpus"), 0) if "gpus" in table else 0,
        memory_bytes=reader.size(table, (*path, "memory"), 1) if "memory" in table else None,
        walltime_s=reader.duration(table, (*path, "walltime")) if "walltime" in table else None,
    )
