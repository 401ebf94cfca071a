"""A `dvc.yaml` as a pipeline (https://dvc.org/doc/user-guide/project-structure/dvcyaml-files).

Its `foreach` and `matrix` stages are multiplied out here, with DVC's names for them. What has no meaning in
Lockgate is refused by name rather than passed over.
"""

from __future__ import annotations

import itertools
import math
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

import tomli
from msgspec.structs import replace

from lockgate.errors import UserError
from lockgate.project.dvc_template import TemplateError, fill, fill_whole, merge, text_of
from lockgate.project.expand import MOST_STAGES
from lockgate.project.manifest import Manifest
from lockgate.project.pipeline import Scalar
from lockgate.project.scalar import value_label
from lockgate.project.stage_table import StageDeclaration
from lockgate.project.toml_reader import LONGEST_NAME, LONGEST_TEXT, NAME, PARAMETER, nearest
from lockgate.project.yaml_text import Document, Path, Value

DVC_FILE = "dvc.yaml"
PARAMS_FILE = "params.yaml"

TOP_KEYS = ("vars", "stages", "plots", "params", "metrics", "artifacts", "datasets")
STAGE_KEYS = (
    "cmd",
    "wdir",
    "deps",
    "outs",
    "params",
    "metrics",
    "plots",
    "vars",
    "frozen",
    "meta",
    "desc",
    "always_changed",
    "matrix",
)
OUTPUT_KEYS = ("cache", "persist", "push", "remote", "desc", "type", "labels", "meta", "checkpoint")
PLOT_KEYS = (*OUTPUT_KEYS, "x", "y", "x_label", "y_label", "title", "template", "header")

_UNSUPPORTED = {
    "always_changed": "Remove it; a stage runs again when what it needs changed.",
    "persist": "Remove it; every stage starts in an empty folder. Let another stage make the old content.",
    "remote": "Remove it, and give the project one remote for all.",
    "checkpoint": "Remove it; save checkpoints as files of their own.",
}
_MAGIC = re.compile(r"([*?\[])")


def parse_dvc(text: str, params: Mapping[str, str], file: str = DVC_FILE) -> Manifest:
    """Read a `dvc.yaml`; `params` holds the text of the files that `variable_files` names, as far as they
    are there.

    Frozen stages are left out: what they made is taken as it lies in the repository.

    Raises `UserError` with file and line: `manifest-syntax`, `manifest-unknown-key`, `manifest-invalid`,
    `manifest-too-large`, `dvc-unsupported`.
    """
    document, top = _open(text, file)
    _known(document, top, (), TOP_KEYS, "")
    values = _variables(document, params, top.get("vars"), ("vars",), {}, ".")
    stages: list[StageDeclaration] = []
    for name, body in _table(document, top.get("stages"), ("stages",)).items():
        reader = _StageReader(document, params, name)
        stages += reader.members(body, values)
        if len(stages) > MOST_STAGES:
            raise document.error(
                ("stages", name),
                f"stage {name} brings the pipeline to more than {MOST_STAGES:,} stages",
                "Let one stage work through many values.",
                "matrix-too-large",
            )
    return Manifest(
        file=file,
        text=text,
        stages=_with_top_level(document, top, values, stages),
        has_placeholders=False,
    )


def variable_files(text: str, file: str = DVC_FILE) -> tuple[str, ...]:
    """Return the files `${…}` may take values from, `params.yaml` first. Raises as `parse_dvc`."""
    document, top = _open(text, file)
    found = {PARAMS_FILE: None}
    places = [(".", top.get("vars"))]
    for body in _table(document, top.get("stages"), ("stages",)).values():
        inner = body.get("do", body) if isinstance(body, dict) else None
        if isinstance(inner, dict):
            places.append((str(inner.get("wdir") or "."), inner.get("vars")))
    for folder, items in places:
        for item in items if isinstance(items, list) else []:
            if isinstance(item, str):
                found[_join(folder, item.partition(":")[0])] = None
    return tuple(found)


def _open(text: str, file: str) -> tuple[Document, dict[str, Value]]:
    if len(text) > LONGEST_TEXT:
        raise UserError(
            f"{file}:1: the file is {len(text):,} characters long",
            f"Keep it under {LONGEST_TEXT:,}.",
            code="manifest-too-large",
        )
    document = Document(text.removeprefix("\ufeff"), file)
    return document, _table(document, document.value, ())


def _table(document: Document, value: Value, path: Path) -> dict[str, Value]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        name = ".".join(path) or "the file"
        raise document.error(path, f"{name} is not a table", "Write keys and values.", "manifest-invalid")
    return value


def _known(
    document: Document, table: Mapping[str, Value], path: Path, keys: Sequence[str], place: str
) -> None:
    for key, value in table.items():
        if key not in keys:
            raise document.error(
                (*path, key), f'{place}unknown key "{key}"', nearest(key, keys), "manifest-unknown-key"
            )
        if key in _UNSUPPORTED and value not in (None, False):
            raise document.error(
                (*path, key), f"{place}`{key}` is not supported", _UNSUPPORTED[key], "dvc-unsupported"
            )


def _variables(
    document: Document,
    params: Mapping[str, str],
    items: Value,
    path: Path,
    known: Mapping[str, Value],
    folder: str,
) -> dict[str, Value]:
    """Return the values `${…}` may name: `params.yaml` of the project, then each entry of `vars`."""
    values = dict(known)
    if path == ("vars",) and PARAMS_FILE in params:
        values = read_parameters(PARAMS_FILE, params[PARAMS_FILE])
    if items is None:
        items = []
    if not isinstance(items, list):
        raise document.error(path, "`vars` is not a list", "Write - in front of each.", "manifest-invalid")
    for number, item in enumerate(items):
        here = (*path, str(number))
        if isinstance(item, str):
            name, _, keys = item.partition(":")
            name = _join(folder, name)
            if name == PARAMS_FILE and not keys:
                continue
            added = _from_file(document, params, name, keys, here)
        else:
            added = _table(document, item, here)
        try:
            values = merge(values, added)
        except TemplateError as problem:
            raise document.error(here, f"vars: {problem.message}", problem.hint, "manifest-invalid") from None
    return values


def _from_file(
    document: Document, params: Mapping[str, str], name: str, keys: str, path: Path
) -> dict[str, Value]:
    if name not in params:
        raise document.error(
            path,
            f"vars: {name} is not in the project",
            "Add the file, or correct its name.",
            "manifest-invalid",
        )
    values = read_parameters(name, params[name])
    chosen = [key for key in keys.split(",") if key]
    for key in chosen:
        if key not in values:
            raise document.error(
                path, f'vars: there is no "{key}" in {name}', nearest(key, list(values)), "manifest-invalid"
            )
    return {key: values[key] for key in chosen} if chosen else values


def read_parameters(name: str, text: str) -> dict[str, Value]:
    """Return a parameters file's document: TOML or YAML (of which JSON is a part), by the file's ending.

    Raises `UserError` (`manifest-syntax`, `manifest-invalid`, `dvc-unsupported`) with file and line.
    """
    if name.endswith(".toml"):
        try:
            return tomli.loads(text)
        except (ValueError, RecursionError) as problem:
            line = getattr(problem, "lineno", 1)
            raise UserError(f"{name}:{line}: no TOML", "Correct this line.", code="manifest-syntax") from None
    if name.endswith(".py"):
        raise UserError(
            f"{name}:1: parameters in a Python file are not supported",
            "Put them in params.yaml.",
            code="dvc-unsupported",
        )
    document = Document(text.removeprefix("\ufeff"), name)
    return _table(document, document.value, ())


class _StageReader:
    """Reads one entry of `stages`, which may be many stages."""

    def __init__(self, document: Document, params: Mapping[str, str], name: str) -> None:
        self.document = document
        self.params = params
        self.name = name
        self.path: Path = ("stages", name)
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise self.error(
                (),
                f'"{name[:LONGEST_NAME]}" cannot be a name',
                'Use letters a to z, digits, "-", "_" and ".".',
            )

    def error(self, path: Path, message: str, hint: str, code: str = "manifest-invalid") -> UserError:
        return self.document.error((*self.path, *path), f"stage {self.name}: {message}", hint, code)

    def members(self, body: Value, values: Mapping[str, Value]) -> Iterator[StageDeclaration]:
        table = _table(self.document, body, self.path)
        if "foreach" in table or "do" in table:
            _known(self.document, table, self.path, ("foreach", "do"), f"stage {self.name}: ")
            template = _table(self.document, table.get("do"), (*self.path, "do"))
            each = self.filled(table.get("foreach"), values, ("foreach",))
            choices = self.foreach(each)
            self.path = (*self.path, "do")
        elif "matrix" in table:
            template = {key: value for key, value in table.items() if key != "matrix"}
            choices = self.matrix(self.filled(table["matrix"], values, ("matrix",)))
        else:
            template, choices = table, iter([("", {})])
        _known(self.document, template, self.path, STAGE_KEYS, f"stage {self.name}: ")
        if template.get("frozen") is True:
            return
        seen: set[str] = set()
        for label, chosen in choices:
            name = f"{self.name}@{label}" if label else self.name
            if name not in seen:
                seen.add(name)
                yield self.stage(name, template, {**values, **chosen}, chosen)

    def filled(self, value: Value, values: Mapping[str, Value], path: Path) -> Value:
        try:
            return fill_whole(value, values)
        except TemplateError as problem:
            raise self.error(path, problem.message, problem.hint) from None

    def foreach(self, each: Value) -> Iterator[tuple[str, dict[str, Value]]]:
        if isinstance(each, dict):
            for key, item in each.items():
                yield value_label(key), {"key": key, "item": item}
        elif isinstance(each, list):
            is_plain = not any(isinstance(item, dict | list) for item in each)
            for number, item in enumerate(each):
                yield value_label(text_of(item) if is_plain else number), {"item": item}
        else:
            raise self.error(("foreach",), "`foreach` is neither a list nor a table", "Give it a list.")

    def matrix(self, table: Value) -> Iterator[tuple[str, dict[str, Value]]]:
        if not isinstance(table, dict):
            raise self.error(("matrix",), "`matrix` is not a table", "Write name: [value, value].")
        axes: list[list[tuple[str, Value]]] = []
        for key, items in table.items():
            if not isinstance(items, list):
                raise self.error(("matrix", key), f"{key} is not a list", f"Write {key}: [value, value].")
            axes.append(
                [
                    (f"{key}{at}" if isinstance(item, dict | list) else value_label(text_of(item)), item)
                    for at, item in enumerate(items)
                ]
            )
        if math.prod(len(axis) for axis in axes) > MOST_STAGES:
            raise self.error(
                ("matrix",),
                f"its matrix makes more than {MOST_STAGES:,} stages",
                "Let one stage work through many values.",
                "matrix-too-large",
            )
        for chosen in itertools.product(*axes):
            label = "-".join(each for each, _ in chosen)
            item: dict[str, Value] = {key: value for key, (_, value) in zip(table, chosen, strict=True)}
            yield label, {"key": label, "item": item}

    def stage(
        self,
        name: str,
        template: Mapping[str, Value],
        values: Mapping[str, Value],
        chosen: Mapping[str, Value],
    ) -> StageDeclaration:
        folder = self.text(template.get("wdir") or ".", values, ("wdir",))
        values = _variables(
            self.document, self.params, template.get("vars"), (*self.path, "vars"), values, folder
        )
        deps = template.get("deps")
        metrics = self.outputs(template, "metrics", values, folder)
        plots = self.outputs(template, "plots", values, folder)
        return StageDeclaration(
            name=name,
            group=self.name,
            command=self.command(template.get("cmd"), values, folder),
            needs=None if deps is None else tuple(self.needs(deps, values, folder)),
            makes=self.outputs(template, "outs", values, folder),
            metrics=metrics,
            figures=plots,
            params=_scalars(chosen),
            params_files=self.tracked(template.get("params"), values, folder),
            line=self.document.line(self.path),
        )

    def text(self, value: Value, values: Mapping[str, Value], path: Path, is_command: bool = False) -> str:
        if not isinstance(value, str):
            raise self.error(path, f"`{path[0]}` holds something that is no text", "Write it as text.")
        try:
            text = fill(value, values, is_command=is_command)
        except TemplateError as problem:
            raise self.error(path, problem.message, problem.hint) from None
        if "\0" in text:
            raise self.error(path, f"`{path[0]}` has a NUL character in it", "Remove the character.")
        return text

    def command(self, cmd: Value, values: Mapping[str, Value], folder: str) -> str:
        """Join the commands so that each has a shell of its own and the first that fails ends the stage."""
        if isinstance(cmd, str):
            lines = self.text(cmd, values, ("cmd",), is_command=True).splitlines()
        elif isinstance(cmd, list):
            lines = [
                self.text(item, values, ("cmd", str(at)), is_command=True) for at, item in enumerate(cmd)
            ]
        else:
            raise self.error(("cmd",), "has no `cmd`", "Add the command it runs.")
        lines = [line for line in lines if line.strip()]
        if not lines:
            raise self.error(("cmd",), "`cmd` is empty", "Add the command it runs.")
        if len(lines) > 1:
            last = len(lines) - 1
            lines = [f"(\n{line}\n)" + ("" if at == last else " || exit") for at, line in enumerate(lines)]
        if _join("", folder) != ".":
            where = shlex.quote(_join("", folder))
            lines.insert(0, f"mkdir -p {where} && cd {where} || exit")
        return "\n".join(lines)

    def listed(self, value: Value, key: str) -> list[Value]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error((key,), f"`{key}` is not a list", "Write - in front of each.")
        return value

    def needs(self, deps: Value, values: Mapping[str, Value], folder: str) -> Iterator[str]:
        for number, item in enumerate(self.listed(deps, "deps")):
            path = self.text(item, values, ("deps", str(number)))
            if "://" in path:
                raise self.error(
                    ("deps", str(number)),
                    f"{path} is not in the project",
                    "Bring it in with a stage that downloads it, and need the file.",
                    "dvc-unsupported",
                )
            yield _MAGIC.sub(r"[\1]", _join(folder, path))

    def outputs(
        self, template: Mapping[str, Value], key: str, values: Mapping[str, Value], folder: str
    ) -> tuple[str, ...]:
        found: list[str] = []
        for number, item in enumerate(self.listed(template.get(key), key)):
            here = (key, str(number))
            entries: Mapping[str, Value] = item if isinstance(item, dict) else {"": item}
            for path, flags in entries.items():
                if not isinstance(item, dict):
                    found.append(_join(folder, self.text(item, values, here)))
                    continue
                found.append(_join(folder, self.text(path, values, here)))
                for table in flags if isinstance(flags, list) else [flags]:
                    flag_path = (*self.path, *here, path)
                    _known(
                        self.document,
                        _table(self.document, table, flag_path),
                        flag_path,
                        PLOT_KEYS if key == "plots" else OUTPUT_KEYS,
                        f"stage {self.name}: {path}: ",
                    )
        return tuple(found)

    def tracked(self, params: Value, values: Mapping[str, Value], folder: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        whole: set[str] = set()
        for number, item in enumerate(self.listed(params, "params")):
            here = ("params", str(number))
            if not isinstance(item, dict):
                key = self.text(item, values, here)
                found.setdefault(_join(folder, PARAMS_FILE), {})[key] = None
                continue
            for raw, keys in item.items():
                file = _join(folder, self.text(raw, values, here))
                if file.endswith(".py"):
                    raise self.error(
                        here,
                        f"{file}: parameters in a Python file are not supported",
                        "Put them in params.yaml, or name the file in `deps`.",
                        "dvc-unsupported",
                    )
                found.setdefault(file, {})
                if not keys:
                    whole.add(file)
                for each in self.listed(keys, "params"):
                    found[file][self.text(each, values, here)] = None
        return {file: () if file in whole else tuple(keys) for file, keys in found.items()}


def _join(folder: str, path: str) -> str:
    """Return a path as seen from the project; an absolute or empty one is left to be refused by name."""
    return path if not path and folder else posixpath.normpath(posixpath.join(folder, path or "."))


def _scalars(chosen: Mapping[str, Value]) -> dict[str, Scalar]:
    """Return what sets one member of a group apart, as far as it is plain values."""
    item = chosen.get("item")
    table: Mapping[str, Value] = item if isinstance(item, dict) else chosen
    return {
        key: value
        for key, value in table.items()
        if PARAMETER.fullmatch(key)
        and isinstance(value, bool | int | float | str)
        and (isinstance(value, str) or -(1 << 63) <= value < 1 << 63)
    }


def _with_top_level(
    document: Document,
    top: Mapping[str, Value],
    values: Mapping[str, Value],
    stages: Sequence[StageDeclaration],
) -> tuple[StageDeclaration, ...]:
    """Mark what `metrics` and `plots` at the top name as such in the stages that make it."""
    named = {key: _named(document, top.get(key), values, key) for key in ("metrics", "plots")}
    if not any(named.values()):
        return tuple(stages)
    marked = []
    for stage in stages:
        metrics = tuple(path for path in stage.makes if path in named["metrics"])
        figures = tuple(path for path in stage.makes if path in named["plots"])
        marked.append(
            replace(
                stage,
                metrics=tuple(dict.fromkeys(stage.metrics + metrics)),
                figures=tuple(dict.fromkeys(stage.figures + figures)),
            )
        )
    return tuple(marked)


def _named(document: Document, items: Value, values: Mapping[str, Value], key: str) -> set[str]:
    listed: list[Value] = items if isinstance(items, list) else [items]
    found: set[str] = set()
    for number, item in enumerate(listed):
        paths: list[Value] = list(item) if isinstance(item, dict) else [item]
        try:
            found |= {_join(".", fill(each, values)) for each in paths if isinstance(each, str)}
        except TemplateError as problem:
            raise document.error(
                (key, str(number)), f"{key}: {problem.message}", problem.hint, "manifest-invalid"
            ) from None
    return found
