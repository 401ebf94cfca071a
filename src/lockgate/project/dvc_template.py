"""DVC's `${name}`: values from `params.yaml` and `vars`, put into the stages of a `dvc.yaml`.

The rules are those of https://dvc.org/doc/user-guide/project-structure/dvcyaml-files#templating.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from lockgate.project.yaml_text import Value

_EXPRESSION = re.compile(r"(?<!\\)\$\{(.*?)\}", re.DOTALL)


class TemplateError(ValueError):
    """A `${…}` that cannot be filled in; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def fill(text: str, values: Mapping[str, Value], *, is_command: bool = False) -> str:
    r"""Replace every `${name}` in `text`; `\${` is a literal `${`.

    In a command a table becomes options: `{lr: 0.1, verbose: true}` is `--lr 0.1 --verbose`.
    Raises `TemplateError`.
    """

    def value(found: re.Match[str]) -> str:
        chosen = select(found[1], values)
        if isinstance(chosen, dict) and is_command:
            return _options(chosen, found[1])
        if isinstance(chosen, dict | list):
            raise TemplateError(
                f"${{{found[1]}}} is a {'table' if isinstance(chosen, dict) else 'list'}, not one value",
                f"Name one value in it, as ${{{found[1]}.KEY}}.",
            )
        return text_of(chosen)

    return _EXPRESSION.sub(value, text).replace("\\${", "${")


def fill_whole(item: Value, values: Mapping[str, Value]) -> Value:
    """Replace `${name}` in a value and all inside it; a text that is only `${name}` becomes the value."""
    if isinstance(item, str):
        whole = _EXPRESSION.fullmatch(item)
        if whole and "}" not in whole[1]:
            return select(whole[1], values)
        return fill(item, values)
    if isinstance(item, list):
        return [fill_whole(each, values) for each in item]
    if isinstance(item, dict):
        return {fill(key, values): fill_whole(each, values) for key, each in item.items()}
    return item


def select(expression: str, values: Mapping[str, Value]) -> Value:
    """Return what `models.rf.depth` or `models[0].depth` names."""
    current: Value = dict(values)
    for part in expression.strip().replace("[", ".").replace("]", "").split("."):
        try:
            if isinstance(current, dict):
                current = current[part]
                continue
            if isinstance(current, list):
                current = current[int(part)]
                continue
        except (KeyError, IndexError, ValueError):
            pass
        raise TemplateError(
            f"${{{expression}}} names nothing in params.yaml or vars",
            f"Define it there, or write \\${{{expression}}} for a variable of the shell.",
        )
    return current


def merge(values: Mapping[str, Value], added: Mapping[str, Value]) -> dict[str, Value]:
    """Return both together, tables merged key by key. Raises `TemplateError` for a value given twice."""
    merged = dict(values)
    for key, value in added.items():
        there = merged.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            merged[key] = merge(there, value)
        elif key in merged:
            raise TemplateError(f'"{key}" is defined twice', "Keep one of the definitions.")
        else:
            merged[key] = value
    return merged


def text_of(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _options(table: Mapping[str, Value], expression: str, prefix: str = "") -> str:
    options: list[str] = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            options.append(_options(value, expression, f"{name}."))
        elif isinstance(value, bool):
            options += [f"--{name}"] if value else []
        elif isinstance(value, list):
            if any(isinstance(each, dict | list) for each in value):
                raise TemplateError(
                    f"${{{expression}}} holds a list in a list at {name}", "Give one list of plain values."
                )
            options.append(" ".join([f"--{name}", *map(_option, value)]))
        else:
            options.append(f"--{name} {_option(value)}")
    return " ".join(option for option in options if option)


def _option(value: Value) -> str:
    return shlex.quote(value) if isinstance(value, str) else text_of(value)
