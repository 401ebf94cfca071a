"""What is asked of a table before it is used: `[checks."PATH"]` of `lockgate.toml`, read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal, cast

import msgspec

from lockgate.project.description import Wrong
from lockgate.project.paths import PathError, clean_path
from lockgate.project.pipeline import Check, ColumnCheck, Reference, Resources, Scalar

TABLE_KEYS = (
    "columns", "rows", "unique", "other_columns", "separator", "missing", "engine",
    "cpus", "memory", "walltime", "backend",
)  # fmt: skip
COLUMN_KEYS = (
    "type", "required", "nullable", "unique", "min", "max", "values", "pattern", "references", "drift",
)  # fmt: skip
TYPES = ("text", "integer", "number", "boolean", "date", "datetime")
#: From here on a population stability index counts as a major change (Siddiqi 2006).
DRIFT = 0.25

_ORDERED = ("integer", "number", "date", "datetime")
_FLAGS = ("required", "nullable", "unique")
_MOST_VALUES = 10_000
#: What the regular expressions of Rust's crate `regex` do without, see its page "Syntax".
_UNKNOWN_TO_RUST = re.compile(r"\(\?(?:[=!]|<[=!]|>|\()|(?<!\\)\\[1-9]")

ColumnType = Literal["text", "integer", "number", "boolean", "date", "datetime"]


class _WrongError(Exception):
    def __init__(self, path: tuple[str, ...], message: str, hint: str) -> None:
        super().__init__(message)
        self.wrong = Wrong(path, message, hint)


def read_check(
    pattern: str, table: Mapping[str, object], resources: Resources, backend: str | None
) -> Check | Wrong:
    """Read a table of known keys; what is wrong is named by its key, seen from the table."""
    try:
        rows = _table(table, "rows")
        least = _count(rows, ("rows", "min"), 1)
        most = _count(rows, ("rows", "max"), None)
        if least is None or (most is not None and most < least):
            raise _WrongError(("rows",), "rows asks for more at least than at most", "Exchange the two.")
        columns = _table(table, "columns")
        return Check(
            pattern=pattern,
            columns={name: _column(name, rules) for name, rules in columns.items()},
            rows_min=least,
            rows_max=most,
            unique=_keys(table),
            other_columns=_flag(table, ("other_columns",), True),
            separator=_separator(table),
            missing=_words(table, ("missing",)),
            engine=_engine(table),
            resources=resources,
            backend=backend,
        )
    except _WrongError as error:
        return error.wrong


def _column(name: str, said: object) -> ColumnCheck:
    path = ("columns", name)
    if not isinstance(said, dict):
        raise _WrongError(path, f"column {name} is no table", 'Write it as { type = "integer", min = 0 }.')
    rules = cast("dict[str, object]", said)
    values = _values(rules, path)
    type_ = _type(rules, path, values)
    least, most = _limit(rules, (*path, "min"), type_), _limit(rules, (*path, "max"), type_)
    if least is not None and most is not None and least > most:  # type: ignore[operator]
        raise _WrongError(path, f"column {name}: min is above max", "Exchange the two.")
    return ColumnCheck(
        type=type_,
        required=_flag(rules, (*path, "required"), True),
        nullable=_flag(rules, (*path, "nullable"), False),
        unique=_flag(rules, (*path, "unique"), False),
        min=least,
        max=most,
        values=values,
        pattern=_pattern(rules, path, type_),
        references=_reference(rules, path),
        drift=_drift(rules, path),
    )


def _table(parent: Mapping[str, object], key: str) -> dict[str, object]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise _WrongError((key,), f"{key} is not a table", f"Write {key} = {{ … }}.")
    return cast("dict[str, object]", value)


def _count(parent: Mapping[str, object], path: tuple[str, ...], default: int | None) -> int | None:
    for key in parent:
        if key not in ("min", "max"):
            raise _WrongError(("rows", key), f"rows has the unknown key {key}", "Known here: min, max.")
    value = parent.get(path[-1], default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise _WrongError(
            path, f"{'.'.join(path)} is not a number of rows", "Write a whole number from 0 on."
        )
    return value


def _flag(parent: Mapping[str, object], path: tuple[str, ...], default: bool) -> bool:
    value = parent.get(path[-1], default)
    if not isinstance(value, bool):
        raise _WrongError(path, f"{'.'.join(path)} is neither true nor false", "Write true or false.")
    return value


def _words(parent: Mapping[str, object], path: tuple[str, ...]) -> tuple[str, ...]:
    value = parent.get(path[-1], [])
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(word, str) and word for word in found):
        raise _WrongError(path, f"{'.'.join(path)} is not a list of words", 'Write it as ["one", "two"].')
    return tuple(found)


def _keys(table: Mapping[str, object]) -> tuple[tuple[str, ...], ...]:
    """Take one key, as `["carrier", "flight"]`, or a list of keys."""
    value = table.get("unique", [])
    if isinstance(value, list) and value and all(isinstance(key, list) for key in value):
        keys = [_words({"unique": key}, ("unique",)) for key in value]
    else:
        keys = [_words(table, ("unique",))]
    return tuple(key for key in keys if key)


def _separator(table: Mapping[str, object]) -> str | None:
    value = table.get("separator")
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != 1 or not value.isascii() or value in '\r\n"':
        raise _WrongError(("separator",), "separator is not one character", 'Write it as ";" or "\\t".')
    return value


def _engine(table: Mapping[str, object]) -> Literal["polars", "spark"] | None:
    value = table.get("engine")
    if value not in (None, "polars", "spark"):
        raise _WrongError(("engine",), "engine is none that is known", 'Write "polars" or "spark".')
    return value


def _scalar(value: object, path: tuple[str, ...]) -> Scalar:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and abs(value) < float("inf"):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    if isinstance(value, str):
        return value
    raise _WrongError(path, f"{'.'.join(path)} holds what no column does", "Write text, a number or a date.")


def _values(rules: Mapping[str, object], path: tuple[str, ...]) -> tuple[Scalar, ...] | None:
    said = rules.get("values")
    if said is None:
        return None
    if not isinstance(said, list) or not 0 < len(said) <= _MOST_VALUES:
        raise _WrongError(
            (*path, "values"), f"column {path[1]}: values is no list, or an empty one",
            f'Write values = ["one", "two"], at most {_MOST_VALUES:,} of them; else use references.',
        )  # fmt: skip
    found = tuple(_scalar(value, (*path, "values")) for value in said)
    if (
        len(
            {_type_of(value) for value in found} - {"integer" if any(type(v) is float for v in found) else ""}
        )
        > 1
    ):
        raise _WrongError((*path, "values"), f"column {path[1]}: values are of several types", "Keep to one.")
    return found


def _type_of(value: Scalar) -> ColumnType:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "text"


def _type(
    rules: Mapping[str, object], path: tuple[str, ...], values: tuple[Scalar, ...] | None
) -> ColumnType | None:
    said = rules.get("type")
    of_values = {_type_of(value) for value in values or ()}
    if said is None:
        if of_values:
            return "number" if len(of_values) > 1 else of_values.pop()
        return "text" if "pattern" in rules else None
    if said not in TYPES:
        raise _WrongError(
            (*path, "type"), f"column {path[1]}: type is none that is known", f"Known: {', '.join(TYPES)}."
        )
    fitting = {
        "number": {"number", "integer"},
        "integer": {"integer"},
        "boolean": {"boolean"},
    }.get(str(said), {"text"})
    if not of_values <= fitting:
        raise _WrongError(
            (*path, "values"),
            f"column {path[1]}: values are not of its type, {said}",
            "Change one of the two.",
        )
    return cast("ColumnType", said)


def _limit(
    rules: Mapping[str, object], path: tuple[str, ...], type_: ColumnType | None
) -> int | float | str | None:
    said = rules.get(path[-1])
    if said is None:
        return None
    column, key = path[1], path[-1]
    if type_ not in _ORDERED:
        raise _WrongError(
            path, f"column {column}: {key} needs a type that has an order",
            f"Add type = one of {', '.join(_ORDERED)}.",
        )  # fmt: skip
    value = _scalar(said, path)
    if type_ in ("integer", "number"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        raise _WrongError(path, f"column {column}: {key} is no number", "Write a number.")
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or isinstance(value, int | float):
        raise _WrongError(path, f"column {column}: {key} is no {type_}", "Write it as 2026-11-26.")
    return moment.date().isoformat() if type_ == "date" else moment.isoformat()


def _pattern(rules: Mapping[str, object], path: tuple[str, ...], type_: ColumnType | None) -> str | None:
    said = rules.get("pattern")
    if said is None:
        return None
    column, place = path[1], (*path, "pattern")
    if not isinstance(said, str):
        raise _WrongError(place, f"column {column}: pattern is not text", "Write it in quotes: '[A-Z]{3}'.")
    if type_ != "text":
        raise _WrongError(place, f"column {column}: a pattern is for text", 'Write type = "text".')
    try:
        re.compile(said)
    except (re.error, RecursionError) as error:
        raise _WrongError(
            place, f"column {column}: pattern is no regular expression: {error}", "Correct it."
        ) from None
    if _UNKNOWN_TO_RUST.search(said):
        raise _WrongError(
            place, f"column {column}: pattern looks around or back, which is not supported",
            "Say it without (?=…), (?!…), (?<…) and \\1.",
        )  # fmt: skip
    return said


def _reference(rules: Mapping[str, object], path: tuple[str, ...]) -> Reference | None:
    said = rules.get("references")
    if said is None:
        return None
    place = (*path, "references")
    hint = 'Write references = { file = "data/airports.csv", column = "code" }.'
    if not isinstance(said, dict) or {*said} != {"file", "column"}:
        raise _WrongError(place, f"column {path[1]}: references names no file and column", hint)
    file, column = said["file"], said["column"]
    if not isinstance(file, str) or not isinstance(column, str) or not column:
        raise _WrongError(place, f"column {path[1]}: references names no file and column", hint)
    try:
        return Reference(clean_path(file), column)
    except PathError as problem:
        raise _WrongError(place, f"column {path[1]}: {problem.message}", problem.hint) from None


def _drift(rules: Mapping[str, object], path: tuple[str, ...]) -> float | None:
    said = rules.get("drift")
    if said is None or said is False:
        return None
    if said is True:
        return DRIFT
    if not isinstance(said, int | float) or not 0 < said < 1000:
        raise _WrongError(
            (*path, "drift"), f"column {path[1]}: drift is no limit", f"Write true, for {DRIFT}, or a number."
        )
    return float(said)


def rules_json(check: Check) -> bytes:
    """Return the rules as the program that checks is told them."""
    said = msgspec.to_builtins(check)
    for key in ("pattern", "engine", "resources", "backend"):
        said.pop(key, None)
    return msgspec.json.encode(said, order="deterministic")


def rules_flat(check: Check) -> dict[str, Scalar]:
    """Return the rules under dotted names, as parameters of the check's stage."""
    found: dict[str, Scalar] = {}

    def walk(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else str(key), inner)
        elif isinstance(value, str | int | float | bool):
            found[name] = value
        else:
            found[name] = msgspec.json.encode(value).decode()

    walk("", msgspec.json.decode(rules_json(check)))
    return found
