"""What a project declares, before parameters and matrices are filled in: `lockgate.toml`, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from lockgate.errors import UserError
from lockgate.project.check import COLUMN_KEYS, read_check
from lockgate.project.check import TABLE_KEYS as CHECK_KEYS
from lockgate.project.described import mistake
from lockgate.project.description import TABLE_KEYS, Description, Wrong, read_table
from lockgate.project.lines import error_at
from lockgate.project.outputs import POLICIES, OutputPolicy
from lockgate.project.paths import PathError, clean_path
from lockgate.project.pipeline import (
    MANIFEST_FILE,
    Allowance,
    Batch,
    Check,
    Data,
    Prediction,
    Runtime,
    Scalar,
)
from lockgate.project.stage_table import StageDeclaration, read_resources, read_stage
from lockgate.project.toml_reader import Path, Reader, load_toml
from lockgate.project.tool import Tool, read_tools

TOP_KEYS = (
    "project",
    "runtime",
    "data",
    "batch",
    "params",
    "stages",
    "verify",
    "datasets",
    "checks",
    "jupyter",
    "notebooks",
    "tools",
)
PROJECT_KEYS = ("name", "passport", "observe", "undeclared")
RUNTIME_KEYS = ("python", "requirements")
DATA_KEYS = ("git_limit", "result_limit", "remote")
BATCH_KEYS = ("backend",)
JUPYTER_KEYS = ("capture",)
NOTEBOOKS_KEYS = ("outputs",)
VERIFY_KEYS = ("tolerance", "key", "columns", "ssim", "predict", "ignore")
PREDICT_KEYS = ("run", "needs", "makes")
_PYTHON = re.compile(r"3(?:\.\d{1,2}){1,2}")


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
    is_captured: bool = True
    """Whether what is executed in Jupyter is kept in its member's journal."""
    outputs: OutputPolicy = "keep"
    """What of notebooks' outputs is in git."""
    tools: tuple[Tool, ...] = ()
    """Programs with pages of their own, for Jupyter's launcher."""
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
    document = load_toml(text, file)
    reader = Reader(text, file)
    reader.known(document, (), TOP_KEYS, "")
    project = reader.table(document, ("project",))
    reader.known(project, ("project",), PROJECT_KEYS, "[project]: ")
    jupyter = reader.table(document, ("jupyter",))
    reader.known(jupyter, ("jupyter",), JUPYTER_KEYS, "[jupyter]: ")
    return Manifest(
        file=file,
        text=text,
        project=reader.name(project, ("project", "name")) if "name" in project else None,
        is_captured=reader.truth(jupyter, ("jupyter", "capture")) if "capture" in jupyter else True,
        outputs=_read_outputs(reader, document),
        tools=read_tools(reader, document),
        has_passport=reader.truth(project, ("project", "passport")) if "passport" in project else False,
        is_observed=reader.truth(project, ("project", "observe")) if "observe" in project else False,
        undeclared=(reader.words(project, ("project", "undeclared")) if "undeclared" in project else ()),
        runtime=_read_runtime(reader, document),
        data=_read_data(reader, document),
        batch=_read_batch(reader, document),
        params=reader.scalars(document, ("params",)),
        stages=tuple(read_stage(reader, name, table) for name, table in reader.tables(document, ("stages",))),
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


def _read_runtime(reader: Reader, document: Mapping[str, object]) -> Runtime | None:
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


def _read_data(reader: Reader, document: Mapping[str, object]) -> Data:
    table = reader.table(document, ("data",))
    reader.known(table, ("data",), DATA_KEYS, "[data]: ")
    limits = {
        f"{key}_bytes": reader.size(table, ("data", key), 0)
        for key in ("git_limit", "result_limit")
        if key in table
    }
    remote = reader.text_of(table, ("data", "remote")) if "remote" in table else None
    return msgspec.structs.replace(Data(remote=remote), **limits)


def _read_outputs(reader: Reader, document: Mapping[str, object]) -> OutputPolicy:
    table = reader.table(document, ("notebooks",))
    reader.known(table, ("notebooks",), NOTEBOOKS_KEYS, "[notebooks]: ")
    said = table.get("outputs", "keep")
    if said not in POLICIES:
        path = ("notebooks", "outputs")
        raise reader.wrong(path, said, "one of " + ", ".join(f'"{policy}"' for policy in POLICIES))
    return cast("OutputPolicy", said)


def _read_batch(reader: Reader, document: Mapping[str, object]) -> Batch:
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


def _read_allowance(reader: Reader, pattern: str, table: dict[str, object]) -> Allowance:
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


def _read_dataset(reader: Reader, name: str, table: dict[str, object]) -> tuple[str, Description]:
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


def _read_prediction(reader: Reader, parent: dict[str, object], path: Path) -> Prediction:
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


def _read_check(reader: Reader, pattern: str, table: dict[str, object]) -> Check:
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
        read_resources(reader, table, path),
        reader.name(table, (*path, "backend")) if "backend" in table else None,
    )
    if not isinstance(found, Check):
        raise reader.error((*path, *found.path), f"[checks]: {pattern}: {found.message}", found.hint)
    return found
