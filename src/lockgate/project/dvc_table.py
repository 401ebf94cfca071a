"""Tables of a `dvc.yaml` and of the files beside it; what has no meaning in Lockgate is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.project.toml_reader import nearest
from lockgate.project.yaml_text import Document, Path, Value

_UNSUPPORTED = {
    "always_changed": "Remove it; a stage runs again when what it needs changed.",
    "persist": "Remove it; every stage starts in an empty folder. Let another stage make the old content.",
    "remote": "Remove it, and give the project one remote for all.",
    "checkpoint": "Remove it; save checkpoints as files of their own.",
}


def table_at(document: Document, value: Value, path: Path) -> dict[str, Value]:
    """Return a value that has to be a table; None is empty. Raises `UserError` (`manifest-invalid`)."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        name = ".".join(path) or "the file"
        raise document.error(path, f"{name} is not a table", "Write keys and values.", "manifest-invalid")
    return value


def check_keys(
    document: Document, table: Mapping[str, Value], path: Path, keys: Sequence[str], place: str
) -> None:
    """Refuse keys that are not among `keys` or not supported; `place` leads the message.

    Raises `UserError` (`manifest-unknown-key`, `dvc-unsupported`).
    """
    for key, value in table.items():
        if key not in keys:
            raise document.error(
                (*path, key), f'{place}unknown key "{key}"', nearest(key, keys), "manifest-unknown-key"
            )
        if key in _UNSUPPORTED and value not in (None, False):
            raise document.error(
                (*path, key), f"{place}`{key}` is not supported", _UNSUPPORTED[key], "dvc-unsupported"
            )
