"""An entry of `stages` in a `dvc.yaml` as the stages it stands for.

`foreach` and `matrix` are multiplied out here, with DVC's names for what they make.
"""

from __future__ import annotations

import itertools
import math
import re
import shlex
from collections.abc import Iterator, Mapping

from lockgate.errors import UserError
from lockgate.project.dvc_table import check_keys, table_at
from lockgate.project.dvc_template import TemplateError, fill, fill_whole, text_of
from lockgate.project.dvc_variables import PARAMS_FILE, variables
from lockgate.project.expand import MOST_STAGES
from lockgate.project.paths import seen_from_project
from lockgate.project.pipeline import Scalar
from lockgate.project.scalar import value_label
from lockgate.project.stage_table import StageDeclaration
from lockgate.project.toml_reader import LONGEST_NAME, NAME, PARAMETER
from lockgate.project.yaml_text import Document, Path, Value

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

_MAGIC = re.compile(r"([*?\[])")


class StageReader:
    """Reads one entry of `stages`, which may be many stages."""

    def __init__(self, document: Document, params: Mapping[str, str], name: str) -> None:
        self._document = document
        self._params = params
        self._name = name
        self._path: Path = ("stages", name)
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise self._error(
                (),
                f'"{name[:LONGEST_NAME]}" cannot be a name',
                'Use letters a to z, digits, "-", "_" and ".".',
            )

    def _error(self, path: Path, message: str, hint: str, code: str = "manifest-invalid") -> UserError:
        return self._document.error((*self._path, *path), f"stage {self._name}: {message}", hint, code)

    def members(self, body: Value, values: Mapping[str, Value]) -> Iterator[StageDeclaration]:
        """Yield the stages, none of a frozen entry; `values`: what `${…}` may name. Raises as `parse_dvc`."""
        table = table_at(self._document, body, self._path)
        if "foreach" in table or "do" in table:
            check_keys(self._document, table, self._path, ("foreach", "do"), f"stage {self._name}: ")
            template = table_at(self._document, table.get("do"), (*self._path, "do"))
            each = self._filled(table.get("foreach"), values, ("foreach",))
            choices = self._foreach(each)
            self._path = (*self._path, "do")
        elif "matrix" in table:
            template = {key: value for key, value in table.items() if key != "matrix"}
            choices = self._matrix(self._filled(table["matrix"], values, ("matrix",)))
        else:
            template, choices = table, iter([("", {})])
        check_keys(self._document, template, self._path, STAGE_KEYS, f"stage {self._name}: ")
        if template.get("frozen") is True:
            return
        seen: set[str] = set()
        for label, chosen in choices:
            name = f"{self._name}@{label}" if label else self._name
            if name not in seen:
                seen.add(name)
                yield self._stage(name, template, {**values, **chosen}, chosen)

    def _filled(self, value: Value, values: Mapping[str, Value], path: Path) -> Value:
        try:
            return fill_whole(value, values)
        except TemplateError as problem:
            raise self._error(path, problem.message, problem.hint) from None

    def _foreach(self, each: Value) -> Iterator[tuple[str, dict[str, Value]]]:
        if isinstance(each, dict):
            for key, item in each.items():
                yield value_label(key), {"key": key, "item": item}
        elif isinstance(each, list):
            is_plain = not any(isinstance(item, dict | list) for item in each)
            for number, item in enumerate(each):
                yield value_label(text_of(item) if is_plain else number), {"item": item}
        else:
            raise self._error(("foreach",), "`foreach` is neither a list nor a table", "Give it a list.")

    def _matrix(self, table: Value) -> Iterator[tuple[str, dict[str, Value]]]:
        if not isinstance(table, dict):
            raise self._error(("matrix",), "`matrix` is not a table", "Write name: [value, value].")
        axes: list[list[tuple[str, Value]]] = []
        for key, items in table.items():
            if not isinstance(items, list):
                raise self._error(("matrix", key), f"{key} is not a list", f"Write {key}: [value, value].")
            axes.append(
                [
                    (f"{key}{at}" if isinstance(item, dict | list) else value_label(text_of(item)), item)
                    for at, item in enumerate(items)
                ]
            )
        if math.prod(len(axis) for axis in axes) > MOST_STAGES:
            raise self._error(
                ("matrix",),
                f"its matrix makes more than {MOST_STAGES:,} stages",
                "Let one stage work through many values.",
                "matrix-too-large",
            )
        for chosen in itertools.product(*axes):
            label = "-".join(each for each, _ in chosen)
            item: dict[str, Value] = {key: value for key, (_, value) in zip(table, chosen, strict=True)}
            yield label, {"key": label, "item": item}

    def _stage(
        self,
        name: str,
        template: Mapping[str, Value],
        values: Mapping[str, Value],
        chosen: Mapping[str, Value],
    ) -> StageDeclaration:
        folder = self._text(template.get("wdir") or ".", values, ("wdir",))
        values = variables(
            self._document, self._params, template.get("vars"), (*self._path, "vars"), values, folder
        )
        deps = template.get("deps")
        metrics = self._outputs(template, "metrics", values, folder)
        plots = self._outputs(template, "plots", values, folder)
        return StageDeclaration(
            name=name,
            group=self._name,
            command=self._command(template.get("cmd"), values, folder),
            needs=None if deps is None else tuple(self._needs(deps, values, folder)),
            makes=self._outputs(template, "outs", values, folder),
            metrics=metrics,
            figures=plots,
            params=_scalars(chosen),
            params_files=self._tracked(template.get("params"), values, folder),
            line=self._document.line(self._path),
        )

    def _text(self, value: Value, values: Mapping[str, Value], path: Path, is_command: bool = False) -> str:
        if not isinstance(value, str):
            raise self._error(path, f"`{path[0]}` holds something that is no text", "Write it as text.")
        try:
            text = fill(value, values, is_command=is_command)
        except TemplateError as problem:
            raise self._error(path, problem.message, problem.hint) from None
        if "\0" in text:
            raise self._error(path, f"`{path[0]}` has a NUL character in it", "Remove the character.")
        return text

    def _command(self, cmd: Value, values: Mapping[str, Value], folder: str) -> str:
        """Join the commands so that each has a shell of its own and the first that fails ends the stage."""
        if isinstance(cmd, str):
            lines = self._text(cmd, values, ("cmd",), is_command=True).splitlines()
        elif isinstance(cmd, list):
            lines = [
                self._text(item, values, ("cmd", str(at)), is_command=True) for at, item in enumerate(cmd)
            ]
        else:
            raise self._error(("cmd",), "has no `cmd`", "Add the command it runs.")
        lines = [line for line in lines if line.strip()]
        if not lines:
            raise self._error(("cmd",), "`cmd` is empty", "Add the command it runs.")
        if len(lines) > 1:
            last = len(lines) - 1
            lines = [f"(\n{line}\n)" + ("" if at == last else " || exit") for at, line in enumerate(lines)]
        if seen_from_project("", folder) != ".":
            where = shlex.quote(seen_from_project("", folder))
            lines.insert(0, f"mkdir -p {where} && cd {where} || exit")
        return "\n".join(lines)

    def _listed(self, value: Value, key: str) -> list[Value]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._error((key,), f"`{key}` is not a list", "Write - in front of each.")
        return value

    def _needs(self, deps: Value, values: Mapping[str, Value], folder: str) -> Iterator[str]:
        for number, item in enumerate(self._listed(deps, "deps")):
            path = self._text(item, values, ("deps", str(number)))
            if "://" in path:
                raise self._error(
                    ("deps", str(number)),
                    f"{path} is not in the project",
                    "Bring it in with a stage that downloads it, and need the file.",
                    "dvc-unsupported",
                )
            yield _MAGIC.sub(r"[\1]", seen_from_project(folder, path))

    def _outputs(
        self, template: Mapping[str, Value], key: str, values: Mapping[str, Value], folder: str
    ) -> tuple[str, ...]:
        found: list[str] = []
        for number, item in enumerate(self._listed(template.get(key), key)):
            here = (key, str(number))
            entries: Mapping[str, Value] = item if isinstance(item, dict) else {"": item}
            for path, flags in entries.items():
                if not isinstance(item, dict):
                    found.append(seen_from_project(folder, self._text(item, values, here)))
                    continue
                found.append(seen_from_project(folder, self._text(path, values, here)))
                for table in flags if isinstance(flags, list) else [flags]:
                    flag_path = (*self._path, *here, path)
                    check_keys(
                        self._document,
                        table_at(self._document, table, flag_path),
                        flag_path,
                        PLOT_KEYS if key == "plots" else OUTPUT_KEYS,
                        f"stage {self._name}: {path}: ",
                    )
        return tuple(found)

    def _tracked(self, params: Value, values: Mapping[str, Value], folder: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, dict[str, None]] = {}
        whole: set[str] = set()
        for number, item in enumerate(self._listed(params, "params")):
            here = ("params", str(number))
            if not isinstance(item, dict):
                key = self._text(item, values, here)
                found.setdefault(seen_from_project(folder, PARAMS_FILE), {})[key] = None
                continue
            for raw, keys in item.items():
                file = seen_from_project(folder, self._text(raw, values, here))
                if file.endswith(".py"):
                    raise self._error(
                        here,
                        f"{file}: parameters in a Python file are not supported",
                        "Put them in params.yaml, or name the file in `deps`.",
                        "dvc-unsupported",
                    )
                found.setdefault(file, {})
                if not keys:
                    whole.add(file)
                for each in self._listed(keys, "params"):
                    found[file][self._text(each, values, here)] = None
        return {file: () if file in whole else tuple(keys) for file, keys in found.items()}


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
