"""The sections of DVC's configuration. Values only, and no library: `data status` reads them at its start.

The form is that of `configobj` with one level of sections (dvc, `config.py`;
https://dvc.org/doc/user-guide/project-structure/configuration).
"""

from __future__ import annotations

from lockgate.errors import UserError


def read_sections(text: str, file: str) -> dict[str, dict[str, str]]:
    """Return the options of each section, by its title: `core`, `cache`, `remote "storage"`.

    Raises `UserError` (`dvc-config-invalid`) with the line.
    """
    found: dict[str, dict[str, str]] = {}
    options: dict[str, str] | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        title, closed, _ = line[1:].rpartition("]")
        if line.startswith("[") and closed:
            options = found.setdefault(_unquoted(title), {})
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip() or options is None:
            raise UserError(
                f"{file}:{number}: this is no section and no option",
                "Write [core], or ['remote \"NAME\"'], and below it: option = value.",
                code="dvc-config-invalid",
            )
        options[name.strip().lower()] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    """Return what stands between quotes, else all up to a comment."""
    value = value.strip()
    if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return value.partition("#")[0].rstrip()
