"""What a verb answers: values by name, a text for a terminal, and HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Rows that are shown; all of them are in the value.
_SHOWN_AT_MOST = 200
#: Put in front of a state: colours alone tell some readers nothing, and do not fit every theme.
_MARKS = {
    "succeeded": "✓",
    "done": "✓",
    "identical": "✓",
    "failed": "✗",
    "differs": "✗",
    "cancelled": "⊘",
    "blocked": "⊘",
    "running": "▸",
}


@dataclass(frozen=True)
class Table:
    """Rows below one title."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class View:
    """What is shown of an answer."""

    title: str
    lines: Sequence[str] = ()
    tables: Sequence[Table] = ()

    @property
    def as_text(self) -> str:
        parts = ["\n".join([self.title, *self.lines])]
        parts += [_as_text(table) for table in self.tables if table.rows]
        return "\n\n".join(part for part in parts if part)

    @property
    def as_html(self) -> str:
        """Every text in it is escaped: a branch or file may be called `<script>`."""
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in self.lines)
        tables = "".join(_as_html(table) for table in self.tables if table.rows)
        return f'<div class="lockgate"><strong>{html.escape(self.title)}</strong>{lines}{tables}</div>'


class Answer:
    """What a verb answers, read only: `answer.state` and `answer["state"]` give a value, `value` is all."""

    __slots__ = ("_view", "value")

    value: Any
    _view: View

    def __init__(self, value: Any, view: View) -> None:
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "_view", view)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an answer is read only: {name}")

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.value, Mapping) and name in self.value:
            return named(self.value[name])
        raise AttributeError(f"this answer has no {name}")

    def __getitem__(self, key: Any) -> Any:
        return named(self.value[key])

    def __iter__(self) -> Iterator[Any]:
        return (named(each) for each in self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(self.value if isinstance(self.value, Mapping) else ())]

    def __repr__(self) -> str:
        return self._view.as_text

    def _repr_html_(self) -> str:
        return self._view.as_html


class Named(dict[str, Any]):
    """A JSON object whose values are read by name too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return named(self[name])
        except KeyError:
            raise AttributeError(f"it has no {name}; it has {', '.join(self) or 'nothing'}") from None


def named(value: Any) -> Any:
    """Return a JSON value whose objects can be read by name."""
    if isinstance(value, Mapping):
        return value if isinstance(value, Named) else Named(value)
    return [named(each) for each in value] if isinstance(value, list) else value


def words_of(value: Any) -> str:
    """Return a value as a cell of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={words_of(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(words_of(each) for each in value)
    return str(value)


def _as_text(table: Table) -> str:
    shown = [list(row) for row in table.rows[:_SHOWN_AT_MOST]]
    grid = [list(table.header), *shown] if any(table.header) else shown
    widths = [max(len(row[n]) for row in grid) for n in range(len(grid[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in grid]
    more = [f"… and {len(table.rows) - len(shown)} more"] if len(table.rows) > len(shown) else []
    return "\n".join([*([table.title] if table.title else []), *(line.rstrip() for line in lines), *more])


def _as_html(table: Table) -> str:
    shown = table.rows[:_SHOWN_AT_MOST]
    head = "".join(
        f'<th scope="col" style="text-align:left">{html.escape(name)}</th>' for name in table.header
    )
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in shown)
    title = table.title
    if len(table.rows) > len(shown):
        title = f"{title} ({len(shown)} of {len(table.rows)} shown)".strip()
    caption = f'<caption style="text-align:left">{html.escape(title)}</caption>' if title else ""
    header = f"<thead><tr>{head}</tr></thead>" if any(table.header) else ""
    return f"<table>{caption}{header}<tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    mark = f'<span aria-hidden="true">{_MARKS[text]}</span> ' if text in _MARKS else ""
    return f'<td style="text-align:left">{mark}{html.escape(text)}</td>'
