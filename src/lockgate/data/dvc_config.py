"""DVC's `.dvc/config`: which remotes there are. Values only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from lockgate.data.dvc_sections import read_sections

_REMOTE = re.compile(r'remote\s+"(?P<name>[^"]+)"')


class DvcConfig(msgspec.Struct, frozen=True):
    """What counts of one or several configuration files."""

    default_remote: str | None = None
    remotes: Mapping[str, Mapping[str, str]] = {}
    """Name → options as written (`url`, `region`, …)."""


def parse_dvc_config(text: str, file: str) -> DvcConfig:
    """Read one file. Raises `UserError` (`dvc-config-invalid`) with the line."""
    sections = read_sections(text, file)
    remotes: dict[str, dict[str, str]] = {}
    for title, options in sections.items():
        if found := _REMOTE.fullmatch(title):
            remotes.setdefault(found["name"].lower(), {}).update(options)
    default = sections.get("core", {}).get("remote")
    return DvcConfig(default.lower() if default else None, remotes)


def merge(configs: Iterable[DvcConfig]) -> DvcConfig:
    """Return several files as one; a later one goes before an earlier one, option by option."""
    default: str | None = None
    remotes: dict[str, dict[str, str]] = {}
    for config in configs:
        default = config.default_remote or default
        for name, options in config.remotes.items():
            remotes.setdefault(name, {}).update(options)
    return DvcConfig(default, remotes)


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
