"""The JSON Schema of `lockgate.toml`, shipped for editors."""

from __future__ import annotations

import importlib.resources

import msgspec

SCHEMA_FILE = "lockgate.schema.json"


def schema_text() -> str:
    """Return the schema as JSON, as `lockgate schema` prints it and editors read it."""
    return importlib.resources.files(__package__).joinpath(SCHEMA_FILE).read_text(encoding="utf-8")


def schema() -> dict[str, object]:
    """Return the schema (JSON Schema 2020-12)."""
    return msgspec.json.decode(schema_text(), type=dict[str, object])
