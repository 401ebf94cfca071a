"""DVC's `.dvc/config`: which remotes there are and where the clone's store lies. Values only.

The format is that of `configobj` with one level of sections; a remote's section is written
`['remote "name"']` (dvc, `config.py`; https://dvc.org/doc/user-guide/project-structure/configuration).
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Mapping
from typing import cast

import msgspec

from lockgate.errors import UserError

_REMOTE = re.compile(r"""^['"]?remote\s+"(?P<name>[^"]+)"['"]?$""")
_QUOTED = re.compile(r"""^(['"])(.*)\1$""", re.S)


class DvcConfig(msgspec.Struct, frozen=True):
    """What counts of one or several configuration files."""

    default_remote: str | None = None
    remotes: Mapping[str, Mapping[str, str]] = {}
    """Name → options as written (`url`, `region`, …)."""
    cache: Mapping[str, str] = {}
    """Options of the store: `dir`, `type`."""


def parse_dvc_config(text: str, file: str) -> DvcConfig:
    """Read one file. Raises `UserError` (`dvc-config-invalid`) with the line."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, comment_prefixes=("#",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", [])), (1,))[0]
        raise UserError(
            f"{file}:{line}: this is no section and no option",
            "Write [core], or ['remote \"NAME\"'], and below it: option = value.",
            code="dvc-config-invalid",
        ) from None
    core: dict[str, str] = {}
    cache: dict[str, str] = {}
    remotes: dict[str, dict[str, str]] = {}
    for section in parser.sections():
        # Without a value an option is None, which the library's types do not say
        raw = cast("dict[str, str | None]", dict(parser[section]))
        options = {key: _unquoted(value or "") for key, value in raw.items()}
        if section == "core":
            core |= options
        elif section == "cache":
            cache |= options
        elif found := _REMOTE.match(section.strip()):
            remotes.setdefault(found["name"].lower(), {}).update(options)
    default = core.get("remote")
    return DvcConfig(default.lower() if default else None, remotes, cache)


def merge(configs: Iterable[DvcConfig]) -> DvcConfig:
    """Return several files as one; a later one goes before an earlier one, option by option."""
    default: str | None = None
    remotes: dict[str, dict[str, str]] = {}
    cache: dict[str, str] = {}
    for config in configs:
        default = config.default_remote or default
        cache |= config.cache
        for name, options in config.remotes.items():
            remotes.setdefault(name, {}).update(options)
    return DvcConfig(default, remotes, cache)


def with_remote(text: str, name: str, url: str) -> str:
    """Return a configuration's text with this remote as the default one; all else stays as it was."""
    text = _set(text, "core", "remote", name)
    return _set(text, f"'remote \"{name}\"'", "url", url)


def _set(text: str, section: str, option: str, value: str) -> str:
    lines = text.splitlines()
    header = f"[{section}]"
    at = next((n for n, line in enumerate(lines) if line.strip() == header), None)
    if at is None:
        return "\n".join([*lines, header, f"    {option} = {value}"]) + "\n"
    for number in range(at + 1, len(lines)):
        if lines[number].lstrip().startswith("["):
            break
        if re.match(rf"\s*{re.escape(option)}\s*=", lines[number]):
            lines[number] = f"    {option} = {value}"
            return "\n".join(lines) + "\n"
    lines.insert(at + 1, f"    {option} = {value}")
    return "\n".join(lines) + "\n"


def _unquoted(value: str) -> str:
    found = _QUOTED.match(value.strip())
    return found[2] if found else value.strip()
