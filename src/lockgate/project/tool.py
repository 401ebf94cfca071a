"""Tools of a project, `[tools.NAME]`: programs with pages of their own, for Jupyter's launcher. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import cast

import msgspec

from lockgate.project.toml_reader import Path, Reader

KEYS = ("command", "title", "path", "icon")
#: What stands for the port that a tool is given, and for the address that its pages lie below.
PORT, BASE_URL = "{port}", "{base_url}"
_COMMAND_AT_MOST = 4_000
_LABEL_AT_MOST = 100
_DOT = re.compile("%2e", re.IGNORECASE)
#: A launcher is a page to look over.
TOOLS_AT_MOST = 50


class Tool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One program that answers HTTP on a port of this machine."""

    name: str
    command: tuple[str, ...]
    """Program and arguments, as no shell reads them, with `{port}` and perhaps `{base_url}`."""
    title: str
    path: str = ""
    """The page to open, below the tool's address, perhaps with a query."""
    icon: str | None = None
    """Path of an image in the project."""

    @property
    def line(self) -> str:
        """The command as somebody would type it."""
        return shlex.join(self.command)

    @property
    def keeps_address(self) -> bool:
        """Whether it is told its address, and so gets requests with that in front."""
        return any(BASE_URL in word for word in self.command)

    def words(self, port: int, base_url: str) -> tuple[str, ...]:
        """Return the command for a port; `base_url` is a path without `/` at its end."""
        return tuple(word.replace(PORT, str(port)).replace(BASE_URL, base_url) for word in self.command)


def read_tools(reader: Reader, document: Mapping[str, object]) -> tuple[Tool, ...]:
    """Read all of a manifest. Raises `UserError`: `manifest-unknown-key`, `manifest-invalid`, `path-outside`,
    `path-invalid`."""
    tables = reader.tables(document, ("tools",))
    if len(tables) > TOOLS_AT_MOST:
        raise reader.error(
            ("tools", tables[TOOLS_AT_MOST][0]),
            f"[tools]: there are {len(tables)} tools",
            f"Keep at most {TOOLS_AT_MOST}.",
        )
    return tuple(_read(reader, name, table) for name, table in tables)


def _read(reader: Reader, name: str, table: dict[str, object]) -> Tool:
    path = ("tools", name)
    reader.check_name(name, path, "[tools]:")
    reader.known(table, path, KEYS, f"[tools]: {name}: ")
    if "command" not in table:
        raise reader.error(
            path, f"[tools]: {name} says no command", 'Add command = ["PROGRAM", "--port={port}"].'
        )
    title = _shown(reader, table, (*path, "title"), _LABEL_AT_MOST) if "title" in table else name
    return Tool(
        name=name,
        command=_command(reader, table, (*path, "command")),
        title=title,
        path=_page(reader, table, (*path, "path")) if "path" in table else "",
        icon=reader.path(table, (*path, "icon")) if "icon" in table else None,
    )


def _command(reader: Reader, table: dict[str, object], path: Path) -> tuple[str, ...]:
    value = table["command"]
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError:
        raise reader.error(
            path, f"[tools]: {path[1]}: command has a quote that is not closed", "Close it, or write a list."
        ) from None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise reader.wrong(path, value, "a command", 'Write it as ["PROGRAM", "--port={port}"], or as text.')
    command = tuple(cast("list[str]", words))
    # What is confirmed must be what is seen: no line break, nothing invisible, nothing that turns direction
    if not command[0].strip() or not all(word.isprintable() for word in command):
        raise reader.error(
            path,
            f"[tools]: {path[1]}: command has something in it that cannot be shown",
            "Write it without line breaks and control characters.",
        )
    if sum(map(len, command)) > _COMMAND_AT_MOST:
        raise reader.error(
            path,
            f"[tools]: {path[1]}: command is longer than {_COMMAND_AT_MOST:,} characters",
            "Put it into a script of the project.",
        )
    if not any(PORT in word for word in command[1:]):
        raise reader.error(
            path,
            f"[tools]: {path[1]}: command does not say {PORT}",
            f"Write {PORT} where the program wants the port that it listens on.",
        )
    return command


def _page(reader: Reader, table: dict[str, object], path: Path) -> str:
    page = _shown(reader, table, path, _COMMAND_AT_MOST)
    place = _DOT.sub(".", page.partition("#")[0].partition("?")[0])
    # Browsers take `\` for `/`, and %2e for a dot, and go up by it
    if place.startswith("/") or "\\" in page or {".", ".."} & set(place.split("/")):
        raise reader.wrong(
            path, page, "a page of the tool", 'Write it from the tool\'s address on, as "lab".'
        )
    return page


def _shown(reader: Reader, table: dict[str, object], path: Path, most: int) -> str:
    value = reader.text_of(table, path)
    if not value.isprintable() or len(value) > most:
        raise reader.wrong(path, value, f"a line of at most {most:,} characters that can be shown")
    return value
