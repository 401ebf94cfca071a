"""What a project declares, before parameters and matrices are filled in: `lockgate.toml`, read strictly."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
import tomli

from lockgate.errors import UserError
from lockgate.project.check import COLUMN_KEYS, read_check
from lockgate.project.check import TABLE_KEYS as CHECK_KEYS
from lockgate.project.described import mistake
from lockgate.project.description import TABLE_KEYS, Description, Wrong, read_table
from lockgate.project.lines import error_at
from lockgate.project.paths import PathError, clean_path
from lockgate.project.pipeline import (
    MANIFEST_FILE,
    Allowance,
    Batch,
    Check,
    Data,
    Prediction,
    Resources,
    Runtime,
    Scalar,
)
from lockgate.project.quantities import parse_duration, parse_size

TOP_KEYS = ("project", "runtime", "data", "batch", "params", "stages", "verify", "datasets", "checks")
PROJECT_KEYS = ("name", "passport", "observe", "undeclared")
RUNTIME_KEYS = ("python", "requirements")
DATA_KEYS = ("git_limit", "result_limit", "remote")
BATCH_KEYS = ("backend",)
VERIFY_KEYS = ("tolerance", "key", "columns", "ssim", "predict", "ignore")
PREDICT_KEYS = ("run", "needs", "makes")
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

LONGEST_TEXT = 16_000_000
LONGEST_NAME = 100
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
#: What says what a stage does: one of them.
WORK_KEYS = ("run", "notebook", "spark")
#: The file, without a blank or what a shell would read as more than text, then arguments as a shell reads.
SPARK_APPLICATION = re.compile(r"\s*(?!-)([^\s'\"\\$`;&|<>()*?\[\]#~!]+\.(?:py|jar|[rR]))(?=\s|$)")
PARAMETER = re.compile(r"[^\W\d]\w*")
_PYTHON = re.compile(r"3(?:\.\d{1,2}){1,2}")

Path = tuple[str, ...]


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


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A project's declarations, to be expanded as often as wanted by `expand.build_pipeline`."""

    file: str = MANIFEST_FILE
    text: str = ""
    """What it was read from, to name lines in errors."""
    project: str | None = None
    has_passport: bool = False
    """Whether copies of figures that the hub hands out say which run made them."""
    is_observed: bool = False
    undeclared: tuple[str, ...] = ()
    runtime: Runtime | None = None
    data: Data = Data()
    batch: Batch = Batch()
    params: dict[str, Scalar] = {}
    stages: tuple[StageDeclaration, ...] = ()
    verify: tuple[Allowance, ...] = ()
    datasets: dict[str, Description] = {}
    """Path → what is said of the data there."""
    checks: tuple[Check, ...] = ()
    has_placeholders: bool = True
    """Whether `{name}` in a stage stands for a parameter; a `dvc.yaml` has its own `${name}`."""

    def error(self, path: Path, message: str, hint: str, *, code: str) -> UserError:
        """Return the error `FILE:LINE: message` for the key `path`."""
        line = None
        if not self.file.endswith(".toml"):
            name = path[1] if path[:1] == ("stages",) and len(path) > 1 else None
            lines = (stage.line for stage in self.stages if name in (stage.name, stage.group))
            line = next(lines, None) or 1
        return error_at(self.file, self.text, path, message, hint, code=code, line=line)


def parse_manifest(text: str, file: str = MANIFEST_FILE) -> Manifest:
    """Read a `lockgate.toml`.

    Raises `UserError` with file and line: `manifest-syntax` (no TOML), `manifest-unknown-key`,
    `manifest-invalid` (a value that cannot be meant), `manifest-too-large`, and of the requirements' path
    `path-outside`, `path-invalid`. The graph and its paths are checked when the manifest is expanded.
    """
    text = text.removeprefix("\ufeff")
    document = _load(text, file)
    reader = _Reader(text, file)
    reader.known(document, (), TOP_KEYS, "")
    project = reader.table(document, ("project",))
    reader.known(project, ("project",), PROJECT_KEYS, "[project]: ")
    return Manifest(
        file=file,
        text=text,
        project=reader.name(project, ("project", "name")) if "name" in project else None,
        has_passport=reader.truth(project, ("project", "passport")) if "passport" in project else False,
        is_observed=reader.truth(project, ("project", "observe")) if "observe" in project else False,
        undeclared=(reader.words(project, ("project", "undeclared")) if "undeclared" in project else ()),
        runtime=_read_runtime(reader, document),
        data=_read_data(reader, document),
        batch=_read_batch(reader, document),
        params=reader.scalars(document, ("params",)),
        stages=tuple(
            _read_stage(reader, name, table) for name, table in reader.tables(document, ("stages",))
        ),
        verify=tuple(
            _read_allowance(reader, name, table) for name, table in reader.tables(document, ("verify",))
        ),
        datasets=dict(
            _read_dataset(reader, name, table) for name, table in reader.tables(document, ("datasets",))
        ),
        checks=tuple(
            _read_check(reader, name, table) for name, table in reader.tables(document, ("checks",))
        ),
    )


def _load(text: str, file: str) -> dict[str, object]:
    if len(text) > LONGEST_TEXT:
        raise UserError(
            f"{file}:1: the file is {len(text):,} characters long",
            f"Keep it under {LONGEST_TEXT:,}; a matrix says many stages in one line.",
            code="manifest-too-large",
        )
    hint = "Correct this line; see https://toml.io for how TOML is written."
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as problem:
        words = problem.msg[:1].lower() + problem.msg[1:]
        message = f"{file}:{problem.lineno}: {words}"
    except RecursionError:
        message = f"{file}:1: lists or tables lie too deep in each other"
    except (ValueError, OverflowError):
        message = f"{file}:1: a number or date in it is out of range"
    raise UserError(message, hint, code="manifest-syntax")


def nearest(word: str, known: Sequence[str]) -> str:
    """Return what to do about an unknown word: the known one it looks like, or all that are known."""
    close = difflib.get_close_matches(word[:LONGEST_NAME], known, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    if not known:
        return "Remove it: nothing of the kind is known here."
    shown = ", ".join(f'"{name}"' for name in known[:20])
    return f"Known here: {shown}{', …' if len(known) > 20 else ''}."


def _show(value: object) -> str:
    """Return a value as TOML would show it, cut to fit a line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = value if len(value) <= 60 else value[:57] + "…"
        return msgspec.json.encode(value.encode("utf-8", "replace").decode()).decode()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number of more than 64 bits"
    return str(value)


class _Reader:
    """Takes values out of the document, each checked, each error with its line."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file

    def error(self, path: Path, message: str, hint: str, code: str = "manifest-invalid") -> UserError:
        return error_at(self.file, self.text, path, message, hint, code=code)

    def wrong(self, path: Path, value: object, wanted: str, hint: str = "") -> UserError:
        message = f"{_place(path)}{path[-1]} is {_show(value)}, not {wanted}"
        return self.error(path, message, hint or f"Write {wanted}.")

    def known(self, table: Mapping[str, object], path: Path, keys: Sequence[str], place: str) -> None:
        for key in table:
            if key not in keys:
                raise self.error(
                    (*path, key),
                    f"{place}unknown key {_show(key)}",
                    nearest(key, keys),
                    "manifest-unknown-key",
                )

    def table(self, parent: Mapping[str, object], path: Path) -> dict[str, object]:
        value = parent.get(path[-1], {})
        if not isinstance(value, dict):
            raise self.wrong(path, value, "a table", f"Write it as [{'.'.join(path)}] with keys below.")
        return cast("dict[str, object]", value)

    def tables(self, parent: Mapping[str, object], path: Path) -> list[tuple[str, dict[str, object]]]:
        outer = self.table(parent, path)
        return [(key, self.table(outer, (*path, key))) for key in outer]

    def text_of(self, parent: Mapping[str, object], path: Path) -> str:
        value = parent[path[-1]]
        if not isinstance(value, str):
            raise self.wrong(path, value, "text in quotes")
        if not value.strip():
            raise self.error(path, f"{_place(path)}{path[-1]} is empty", "Fill it in, or remove the line.")
        if "\0" in value:
            raise self.error(
                path, f"{_place(path)}{path[-1]} has a NUL character in it", "Remove the character."
            )
        return value

    def path(self, parent: Mapping[str, object], path: Path) -> str:
        value = self.text_of(parent, path)
        try:
            return clean_path(value)
        except PathError as problem:
            message = f"{_place(path)}{path[-1]}: {problem.message}"
            raise self.error(path, message, problem.hint, problem.code) from None

    def name(self, parent: Mapping[str, object], path: Path) -> str:
        value = self.text_of(parent, path)
        self.check_name(value, path, f"{_place(path)}{path[-1]}")
        return value

    def check_name(self, value: str, path: Path, what: str) -> None:
        if not NAME.fullmatch(value) or len(value) > LONGEST_NAME:
            raise self.error(
                path,
                f"{what} {_show(value)} cannot be a name",
                f'Use letters a to z, digits, "-", "_" and ".", at most {LONGEST_NAME} of them, '
                'not starting with "-" or ".".',
            )

    def texts(self, parent: Mapping[str, object], path: Path) -> tuple[str, ...]:
        value = parent[path[-1]]
        if not isinstance(value, list):
            hint = f"Write {path[-1]} = [{_show(value)}]." if isinstance(value, str) else ""
            raise self.wrong(path, value, "a list of paths", hint)
        for number, item in enumerate(value):
            if not isinstance(item, str):
                raise self.error(
                    (*path, str(number)),
                    f"{_place(path)}{path[-1]} holds {_show(item)}, not a path in quotes",
                    "Write every path in quotes.",
                )
        return tuple(value)

    def words(self, parent: Mapping[str, object], path: Path) -> tuple[str, ...]:
        """Take one text, or a list of them."""
        value = parent[path[-1]]
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(word, str) and word for word in found):
            raise self.wrong(path, value, "text, or a list of texts")
        return tuple(found)

    def truth(self, parent: Mapping[str, object], path: Path) -> bool:
        value = parent[path[-1]]
        if not isinstance(value, bool):
            raise self.wrong(path, value, "true or false")
        return value

    def tolerance(self, value: object, path: Path) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= cast("float", value) < 1e308:
            raise self.wrong(path, value, "a tolerance", "Write a number from 0 on, as 1e-6.")
        return float(cast("float", value))

    def share(self, value: object, path: Path) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= cast("float", value) <= 1:
            raise self.wrong(path, value, "a share", "Write a number from 0 to 1, as 0.99.")
        return float(cast("float", value))

    def scalar(self, value: object, path: Path) -> Scalar:
        """Take what a parameter may be; what JSON and 64 bits cannot say would spoil a fingerprint."""
        if isinstance(value, bool | str):
            return value
        if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise self.error(
            path,
            f"{_place(path)}{'.'.join(path[-2:])} is {_show(value)}, "
            "not text, a finite number of at most 64 bits, true or false",
            "Put a date or a larger number in quotes; give a list to `matrix`.",
        )

    def scalars(self, parent: Mapping[str, object], path: Path) -> dict[str, Scalar]:
        table = self.table(parent, path)
        for name in table:
            self.check_parameter(name, (*path, name))
        return {name: self.scalar(value, (*path, name)) for name, value in table.items()}

    def check_parameter(self, name: str, path: Path) -> None:
        if not PARAMETER.fullmatch(name) or len(name) > LONGEST_NAME:
            raise self.error(
                path,
                f"{_place(path)}{_show(name)} cannot be the name of a parameter",
                "Use letters, digits and _, not starting with a digit.",
            )

    def whole_number(self, parent: Mapping[str, object], path: Path, least: int) -> int:
        value = parent[path[-1]]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 1_000_000:
            raise self.wrong(path, value, f"a whole number from {least} to 1000000")
        return value

    def size(self, parent: Mapping[str, object], path: Path, least: int) -> int:
        value = parent[path[-1]]
        size = parse_size(value) if isinstance(value, str) else value
        if isinstance(size, bool) or not isinstance(size, int) or not least <= size < 1 << 63:
            raise self.wrong(path, value, "a size", 'Write it as "4 GB", "512 MiB" or a number of bytes.')
        return size

    def duration(self, parent: Mapping[str, object], path: Path) -> int:
        value = parent[path[-1]]
        seconds = parse_duration(value) if isinstance(value, str) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds < 1 << 40:
            raise self.wrong(
                path, value, "a duration", 'Write it as "10 min", "2 h", "1 d 2 h" or a number of seconds.'
            )
        return seconds


def _place(path: Path) -> str:
    if path[0] == "stages" and len(path) > 2:
        return f"stage {path[1]}: "
    return f"[{path[0]}]: " if len(path) > 1 else ""


def _read_runtime(reader: _Reader, document: Mapping[str, object]) -> Runtime | None:
    if "runtime" not in document:
        return None
    table = reader.table(document, ("runtime",))
    reader.known(table, ("runtime",), RUNTIME_KEYS, "[runtime]: ")
    python = reader.text_of(table, ("runtime", "python")) if "python" in table else None
    if python is not None and not _PYTHON.fullmatch(python):
        raise reader.wrong(("runtime", "python"), python, "a version of Python", 'Write it as "3.11".')
    if "requirements" not in table:
        return Runtime(python=python)
    path = reader.path(table, ("runtime", "requirements"))
    name = path.rsplit("/", 1)[-1]
    if name == "uv.lock":
        return Runtime(kind="uv.lock", path=path, python=python)
    if re.fullmatch(r"pylock(?:\.[^.]+)?\.toml", name):
        return Runtime(kind="pylock", path=path, python=python)
    return Runtime(kind="requirements", path=path, python=python)


def _read_data(reader: _Reader, document: Mapping[str, object]) -> Data:
    table = reader.table(document, ("data",))
    reader.known(table, ("data",), DATA_KEYS, "[data]: ")
    limits = {
        f"{key}_bytes": reader.size(table, ("data", key), 0)
        for key in ("git_limit", "result_limit")
        if key in table
    }
    remote = reader.text_of(table, ("data", "remote")) if "remote" in table else None
    return msgspec.structs.replace(Data(remote=remote), **limits)


def _read_batch(reader: _Reader, document: Mapping[str, object]) -> Batch:
    table = reader.table(document, ("batch",))
    options: dict[str, dict[str, object]] = {}
    for key, value in table.items():
        if isinstance(value, dict) and key not in BATCH_KEYS:
            reader.check_name(key, ("batch", key), "[batch]: backend")
            options[key] = value
            if (wrong := mistake(key, value)) is not None:
                raise reader.error(("batch", key, *wrong.path), wrong.message, wrong.hint, wrong.code)
    reader.known({key: None for key in table if key not in options}, ("batch",), BATCH_KEYS, "[batch]: ")
    backend = reader.name(table, ("batch", "backend")) if "backend" in table else "local"
    return Batch(backend=backend, options=options)


def _read_allowance(reader: _Reader, pattern: str, table: dict[str, object]) -> Allowance:
    path = ("verify", pattern)
    reader.known(table, path, VERIFY_KEYS, f"[verify]: {pattern}: ")
    columns = {
        name: reader.tolerance(value, (*path, "columns", name))
        for name, value in reader.table(table, (*path, "columns")).items()
    }
    return Allowance(
        pattern=pattern,
        tolerance=reader.tolerance(table.get("tolerance", 0.0), (*path, "tolerance")),
        key=reader.words(table, (*path, "key")) if "key" in table else (),
        columns=columns,
        ssim=reader.share(table["ssim"], (*path, "ssim")) if "ssim" in table else None,
        predict=_read_prediction(reader, table, (*path, "predict")) if "predict" in table else None,
        ignore=reader.words(table, (*path, "ignore")) if "ignore" in table else (),
    )


def _read_dataset(reader: _Reader, name: str, table: dict[str, object]) -> tuple[str, Description]:
    path = ("datasets", name)
    reader.known(table, path, TABLE_KEYS, f"[datasets]: {name}: ")
    try:
        place = clean_path(name)
    except PathError as problem:
        raise reader.error(path, f"[datasets]: {problem.message}", problem.hint, problem.code) from None
    found = read_table(table)
    if isinstance(found, Wrong):
        raise reader.error((*path, *found.path), f"[datasets]: {name}: {found.message}", found.hint)
    return place, found


def _read_prediction(reader: _Reader, parent: dict[str, object], path: Path) -> Prediction:
    table = reader.table(parent, path)
    reader.known(table, path, PREDICT_KEYS, f"[verify]: {path[1]}: predict: ")
    if "run" not in table:
        raise reader.error(
            path, "predict says no command", 'Add run = "…", with {model} for the path of the model.'
        )
    needs = reader.texts(table, (*path, "needs")) if "needs" in table else ()
    return Prediction(
        command=reader.text_of(table, (*path, "run")),
        needs=tuple(reader.path({"needs": need}, (*path, "needs")) for need in needs),
        makes=reader.path(table, (*path, "makes")) if "makes" in table else "predictions.csv",
    )


def _read_check(reader: _Reader, pattern: str, table: dict[str, object]) -> Check:
    path = ("checks", pattern)
    reader.known(table, path, CHECK_KEYS, f"[checks]: {pattern}: ")
    for name, rules in reader.table(table, (*path, "columns")).items():
        if isinstance(rules, dict):
            reader.known(
                rules, (*path, "columns", name), COLUMN_KEYS, f"[checks]: {pattern}: column {name}: "
            )
    try:
        place = clean_path(pattern)
    except PathError as problem:
        raise reader.error(path, f"[checks]: {problem.message}", problem.hint, problem.code) from None
    found = read_check(
        place,
        table,
        _read_resources(reader, table, path),
        reader.name(table, (*path, "backend")) if "backend" in table else None,
    )
    if not isinstance(found, Check):
        raise reader.error((*path, *found.path), f"[checks]: {pattern}: {found.message}", found.hint)
    return found


def _read_resources(reader: _Reader, table: dict[str, object], path: Path) -> Resources:
    return Resources(
        cpus=reader.whole_number(table, (*path, "cpus"), 1) if "cpus" in table else 1,
        gpus=reader.whole_number(table, (*path, "gpus"), 0) if "gpus" in table else 0,
        memory_bytes=reader.size(table, (*path, "memory"), 1) if "memory" in table else None,
        walltime_s=reader.duration(table, (*path, "walltime")) if "walltime" in table else None,
    )


def _read_stage(reader: _Reader, name: str, table: dict[str, object]) -> StageDeclaration:
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
    resources = _read_resources(reader, table, path)
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


def _require_one_work(reader: _Reader, name: str, table: Mapping[str, object]) -> None:
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


def _read_spark(reader: _Reader, table: Mapping[str, object], path: Path) -> str:
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


def _read_notebook(reader: _Reader, table: Mapping[str, object], path: Path) -> str:
    notebook = reader.text_of(table, path)
    if not notebook.endswith(".ipynb"):
        raise reader.wrong(
            path, notebook, "a notebook", "Name a file ending in .ipynb, or use `run` for a command."
        )
    return notebook


def _read_matrix(reader: _Reader, table: Mapping[str, object], path: Path) -> dict[str, tuple[Scalar, ...]]:
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
