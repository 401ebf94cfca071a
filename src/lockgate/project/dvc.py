"""A `dvc.yaml` as a pipeline (https://dvc.org/doc/user-guide/project-structure/dvcyaml-files).

What has no meaning in Lockgate is refused by name rather than passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from lockgate.errors import UserError
from lockgate.project.dvc_stage import StageReader
from lockgate.project.dvc_table import check_keys, table_at
from lockgate.project.dvc_template import TemplateError, fill
from lockgate.project.dvc_variables import PARAMS_FILE, variables
from lockgate.project.expand import MOST_STAGES
from lockgate.project.manifest import Manifest
from lockgate.project.paths import seen_from_project
from lockgate.project.stage_table import StageDeclaration
from lockgate.project.toml_reader import LONGEST_TEXT
from lockgate.project.yaml_text import Document, Value

DVC_FILE = "dvc.yaml"

TOP_KEYS = ("vars", "stages", "plots", "params", "metrics", "artifacts", "datasets")


def parse_dvc(text: str, params: Mapping[str, str], file: str = DVC_FILE) -> Manifest:
    """Read a `dvc.yaml`; `params` holds the text of the files that `variable_files` names, as far as they
    are there.

    Frozen stages are left out: what they made is taken as it lies in the repository.

    Raises `UserError` with file and line: `manifest-syntax`, `manifest-unknown-key`, `manifest-invalid`,
    `manifest-too-large`, `dvc-unsupported`.
    """
    document, top = _open(text, file)
    check_keys(document, top, (), TOP_KEYS, "")
    values = variables(document, params, top.get("vars"), ("vars",), {}, ".")
    stages: list[StageDeclaration] = []
    for name, body in table_at(document, top.get("stages"), ("stages",)).items():
        reader = StageReader(document, params, name)
        stages += reader.members(body, values)
        if len(stages) > MOST_STAGES:
            raise document.error(
                ("stages", name),
                f"stage {name} brings the pipeline to more than {MOST_STAGES:,} stages",
                "Let one stage work through many values.",
                "matrix-too-large",
            )
    return Manifest(
        file=file,
        text=text,
        stages=_with_top_level(document, top, values, stages),
        has_placeholders=False,
    )


def variable_files(text: str, file: str = DVC_FILE) -> tuple[str, ...]:
    """Return the files `${…}` may take values from, `params.yaml` first. Raises as `parse_dvc`."""
    document, top = _open(text, file)
    found = {PARAMS_FILE: None}
    places = [(".", top.get("vars"))]
    for body in table_at(document, top.get("stages"), ("stages",)).values():
        inner = body.get("do", body) if isinstance(body, dict) else None
        if isinstance(inner, dict):
            places.append((str(inner.get("wdir") or "."), inner.get("vars")))
    for folder, items in places:
        for item in items if isinstance(items, list) else []:
            if isinstance(item, str):
                found[seen_from_project(folder, item.partition(":")[0])] = None
    return tuple(found)


def _open(text: str, file: str) -> tuple[Document, dict[str, Value]]:
    if len(text) > LONGEST_TEXT:
        raise UserError(
            f"{file}:1: the file is {len(text):,} characters long",
            f"Keep it under {LONGEST_TEXT:,}.",
            code="manifest-too-large",
        )
    document = Document(text.removeprefix("\ufeff"), file)
    return document, table_at(document, document.value, ())


def _with_top_level(
    document: Document,
    top: Mapping[str, Value],
    values: Mapping[str, Value],
    stages: Sequence[StageDeclaration],
) -> tuple[StageDeclaration, ...]:
    """Mark what `metrics` and `plots` at the top name as such in the stages that make it."""
    named = {key: _named(document, top.get(key), values, key) for key in ("metrics", "plots")}
    if not any(named.values()):
        return tuple(stages)
    marked = []
    for stage in stages:
        metrics = tuple(path for path in stage.makes if path in named["metrics"])
        figures = tuple(path for path in stage.makes if path in named["plots"])
        marked.append(
            replace(
                stage,
                metrics=tuple(dict.fromkeys(stage.metrics + metrics)),
                figures=tuple(dict.fromkeys(stage.figures + figures)),
            )
        )
    return tuple(marked)


def _named(document: Document, items: Value, values: Mapping[str, Value], key: str) -> set[str]:
    listed: list[Value] = items if isinstance(items, list) else [items]
    found: set[str] = set()
    for number, item in enumerate(listed):
        paths: list[Value] = list(item) if isinstance(item, dict) else [item]
        try:
            found |= {seen_from_project(".", fill(each, values)) for each in paths if isinstance(each, str)}
        except TemplateError as problem:
            raise document.error(
                (key, str(number)), f"{key}: {problem.message}", problem.hint, "manifest-invalid"
            ) from None
    return found
