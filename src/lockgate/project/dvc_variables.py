"""What `${…}` in a `dvc.yaml` may name: the values of `params.yaml`, and of `vars`."""

from __future__ import annotations

from collections.abc import Mapping

from lockgate.project.dvc_table import table_at
from lockgate.project.dvc_template import TemplateError, merge
from lockgate.project.parameters import read_parameters
from lockgate.project.paths import seen_from_project
from lockgate.project.toml_reader import nearest
from lockgate.project.yaml_text import Document, Path, Value

PARAMS_FILE = "params.yaml"


def variables(
    document: Document,
    params: Mapping[str, str],
    items: Value,
    path: Path,
    known: Mapping[str, Value],
    folder: str,
) -> dict[str, Value]:
    """Return the values `${…}` may name: `params.yaml` of the project, then each entry of `vars`.

    `params` holds the text of the files that are there, `items` is `vars` at `path` of the document, `folder`
    is where the names of its files begin. Raises `UserError` (`manifest-invalid`) and as `read_parameters`.
    """
    values = dict(known)
    if path == ("vars",) and PARAMS_FILE in params:
        values = read_parameters(PARAMS_FILE, params[PARAMS_FILE])
    if items is None:
        items = []
    if not isinstance(items, list):
        raise document.error(path, "`vars` is not a list", "Write - in front of each.", "manifest-invalid")
    for number, item in enumerate(items):
        here = (*path, str(number))
        if isinstance(item, str):
            name, _, keys = item.partition(":")
            name = seen_from_project(folder, name)
            if name == PARAMS_FILE and not keys:
                continue
            added = _from_file(document, params, name, keys, here)
        else:
            added = table_at(document, item, here)
        try:
            values = merge(values, added)
        except TemplateError as problem:
            raise document.error(here, f"vars: {problem.message}", problem.hint, "manifest-invalid") from None
    return values


def _from_file(
    document: Document, params: Mapping[str, str], name: str, keys: str, path: Path
) -> dict[str, Value]:
    if name not in params:
        raise document.error(
            path,
            f"vars: {name} is not in the project",
            "Add the file, or correct its name.",
            "manifest-invalid",
        )
    values = read_parameters(name, params[name])
    chosen = [key for key in keys.split(",") if key]
    for key in chosen:
        if key not in values:
            raise document.error(
                path, f'vars: there is no "{key}" in {name}', nearest(key, list(values)), "manifest-invalid"
            )
    return {key: values[key] for key in chosen} if chosen else values
