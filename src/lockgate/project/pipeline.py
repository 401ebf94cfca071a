"""The pipeline as planned: stages with every parameter filled in. Values only; nothing is read here."""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.project.outputs import OutputPolicy

Scalar = str | int | float | bool
Kind = Literal["table", "figure", "metrics", "model", "notebook", "file"]

LOCK_FILE = "lockgate.lock"
MANIFEST_FILE = "lockgate.toml"


class Resources(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a job may use. Never part of a fingerprint."""

    cpus: int = 1
    gpus: int = 0
    memory_bytes: int | None = None
    walltime_s: int | None = None


class Reference(msgspec.Struct, frozen=True):
    """Where every value of a column must be found."""

    file: str
    column: str


class ColumnCheck(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is asked of one column; None: nothing of that sort."""

    type: Literal["text", "integer", "number", "boolean", "date", "datetime"] | None = None
    required: bool = True
    nullable: bool = False
    unique: bool = False
    min: int | float | str | None = None
    """The least value; a date or moment as ISO 8601 has it."""
    max: int | float | str | None = None
    values: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    """A regular expression that the whole value fits."""
    references: Reference | None = None
    drift: float | None = None
    """The greatest population stability index, against the last accepted version."""


class Check(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is asked of a table before a stage may need it."""

    pattern: str
    """The paths it is about, as a glob."""
    columns: dict[str, ColumnCheck] = {}
    rows_min: int = 1
    rows_max: int | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    """Keys: columns whose values together stand in one row only."""
    other_columns: bool = True
    """Whether there may be columns that are not named."""
    separator: str | None = None
    missing: tuple[str, ...] = ()
    """Words that stand for no value."""
    engine: Literal["polars", "spark"] | None = None
    """What goes over the rows; None: Spark on the backend of that name, else polars."""
    resources: Resources = Resources()
    backend: str | None = None


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command or notebook with `needs` and `makes`; a matrix member is a stage of its own."""

    name: str
    """Unique: the declared name, for a matrix member with `@key=value,…` behind it."""
    group: str
    """The name written in the file; the same for all members of a matrix."""
    command: str | None = None
    """What a shell runs in the workspace, a Spark application's `spark-submit` too; None for a notebook."""
    notebook: str | None = None
    """Path of the notebook to execute; None for a command."""
    spark: str | None = None
    """Path of the Spark application that the command submits; None for any other command."""
    needs: tuple[str, ...] | None = None
    """Paths, folders (ending in `/` or not) and globs read; None: the whole repository and all that the
    stages written above it make."""
    makes: tuple[str, ...] = ()
    """Every path it makes, metrics and figures included, in the order written, without a trailing `/`."""
    metrics: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    params: dict[str, Scalar] = {}
    """The parameters this stage's outputs depend on, after overrides, matrix values included."""
    params_files: dict[str, tuple[str, ...]] = {}
    """DVC's tracked parameters: file → dotted keys (none: the whole file)."""
    resources: Resources = Resources()
    backend: str | None = None
    checks: str | None = None
    """The path of the table that this stage checks, as one of Lockgate's own; None: a stage declared."""
    check: Check | None = None
    """By which rules."""


class Runtime(msgspec.Struct, frozen=True, omit_defaults=True):
    """The software the stages run in, as declared. `kind` tells how `path` is read."""

    kind: Literal["none", "requirements", "uv.lock", "pylock"] = "none"
    path: str | None = None
    python: str | None = None
    """A version as `3.11`; None: the hub's own."""


class Data(msgspec.Struct, frozen=True, omit_defaults=True):
    git_limit_bytes: int = 100_000_000
    result_limit_bytes: int = 1_000_000
    remote: str | None = None


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    backend: str = "local"
    options: dict[str, dict[str, object]] = {}
    """Backend name → its table `[batch.NAME]`, passed through to the backend."""


class Prediction(msgspec.Struct, frozen=True):
    """How a model is made to predict, in a job of its own: the model of then, and that of now."""

    command: str
    """`{model}` in it stands for the model's path."""
    needs: tuple[str, ...] = ()
    """What it reads beside the model: its program, the held sample."""
    makes: str = "predictions.csv"
    """The file it writes."""


class Allowance(msgspec.Struct, frozen=True, omit_defaults=True):
    """In what an artifact that is made again may differ and still agree."""

    pattern: str
    """The paths it is about, as a glob."""
    tolerance: float = 0.0
    """For numbers: |a - b| ≤ tolerance · max(1, |a|, |b|). For pictures: the share of pixels."""
    key: tuple[str, ...] = ()
    """Columns that tell a table's rows apart."""
    columns: dict[str, float] = {}
    """Tolerances of single columns, or of keys of that name in a document."""
    ssim: float | None = None
    """Of pictures, the least structural similarity; None: `tolerance` counts."""
    predict: Prediction | None = None
    """Of a model, how it is compared by what it predicts where its bytes differ."""
    ignore: tuple[str, ...] = ()
    """Columns, keys, tags of cells, members of archives, or words of lines that do not count."""


class Pipeline(msgspec.Struct, frozen=True, omit_defaults=True):
    """A project's declared graph, checked in itself: no circle, no path made twice, no unknown key."""

    project: str
    source: str
    """The file it was read from: `lockgate.toml` or `dvc.yaml`."""
    stages: tuple[Stage, ...] = ()
    runtime: Runtime | None = None
    """None: nothing declared in the file, to be found by convention."""
    data: Data = Data()
    batch: Batch = Batch()
    outputs: OutputPolicy = "keep"
    """What of notebooks' outputs is in git. Never part of a fingerprint."""
    is_observed: bool = False
    """Whether what each stage opens, reads and calls is noted while it runs. Never part of a fingerprint."""
    undeclared: tuple[str, ...] = ()
    """What stages may use without declaring it: paths, `env:NAME`, `host:ADDRESS:PORT`; `*` for anything."""
    checks: tuple[Check, ...] = ()
    """As declared; each becomes a stage for every path that it is about, once the files are known."""
