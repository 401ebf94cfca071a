"""Two documents of keys and values: JSON, YAML, metrics, Vega; and notebooks, cell by cell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from lockgate.project.pipeline import Allowance
from lockgate.verify.closeness import agree, agree_in_text, few
from lockgate.verify.report import Compared

#: A cell with this tag is not compared (nbformat: cell.metadata.tags).
VOLATILE = "volatile"
_DEEPEST = 200

_Missing = object()


def compare_documents(left: object, right: object, allowed: Allowance) -> Compared:
    """Return how two documents compare; words name keys as `data.values[3].price`."""
    told = list(_differences(left, right, "", allowed, 0))
    return Compared("differs", few(told)) if told else Compared("within-tolerance")


def compare_json(left: bytes, right: bytes, allowed: Allowance) -> Compared | None:
    """Compare two JSON documents; None: one is none."""
    try:
        return compare_documents(json.loads(left), json.loads(right), allowed)
    except (ValueError, RecursionError):
        return None


def _differences(left: object, right: object, where: str, allowed: Allowance, depth: int) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict) and depth < _DEEPEST:
        for name in {**left, **right}:
            inside = f"{where}.{name}" if where else str(name)
            if str(name) in allowed.ignore or inside in allowed.ignore:
                continue
            one, other = left.get(name, _Missing), right.get(name, _Missing)
            if one is _Missing or other is _Missing:
                yield f"{inside} is {'new' if one is _Missing else 'missing'}"
            else:
                yield from _differences(one, other, inside, allowed, depth + 1)
    elif isinstance(left, list) and isinstance(right, list) and depth < _DEEPEST:
        if len(left) != len(right):
            yield f"{where or 'the list'} has {len(left):,} entries, and {len(right):,}"
            return
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _differences(one, other, f"{where}[{number}]", allowed, depth + 1)
    elif isinstance(left, str) or isinstance(right, str):
        if left != right:
            yield _pair(where, left, right)
    elif not agree(left, right, allowed.columns.get(where.rpartition(".")[2], allowed.tolerance)):
        yield _pair(where, left, right)


def _pair(where: str, left: object, right: object) -> str:
    return f"{where or 'the value'}: {_short(left)} and {_short(right)}"


def _short(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= 40 else text[:39] + "…"


def compare_notebooks(
    left: bytes, right: bytes, allowed: Allowance, of_bytes: Callable[[bytes, bytes, str], Compared]
) -> Compared | None:
    """Compare the cells and outputs of two notebooks; None: one is none.

    Execution counts, ids, times and metadata do not count, nor do cells with the tag `volatile` or one of
    `allowed.ignore`. `of_bytes` compares a picture in an output, given its ending.
    """
    ours, theirs = _cells(left), _cells(right)
    if ours is None or theirs is None:
        return None
    if len(ours) != len(theirs):
        return Compared("differs", f"{len(ours)} cells, and {len(theirs)}")
    told = []
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True), start=1):
        tags = {*_tags(one), *_tags(other)}
        if tags & {VOLATILE, *allowed.ignore}:
            continue
        if _joined(one.get("source")) != _joined(other.get("source")):
            told.append(f"cell {number} (its source)")
        elif not _same_outputs(one.get("outputs"), other.get("outputs"), allowed, of_bytes):
            told.append(f"cell {number}")
    return Compared("differs", few(told)) if told else Compared("within-tolerance")


def _cells(content: bytes) -> list[Mapping[str, object]] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return None
    return cells


def _tags(cell: Mapping[str, object]) -> list[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _joined(text: object) -> str:
    if isinstance(text, list):
        return "".join(str(part) for part in text)
    return text if isinstance(text, str) else json.dumps(text, sort_keys=True)


def _same_outputs(
    left: object, right: object, allowed: Allowance, of_bytes: Callable[[bytes, bytes, str], Compared]
) -> bool:
    ours, theirs = _outputs(left), _outputs(right)
    if [name for name, _ in ours] != [name for name, _ in theirs]:
        return False
    for (name, one), (_, other) in zip(ours, theirs, strict=True):
        if one == other or agree_in_text(one, other, allowed.tolerance):
            continue
        ending = {"image/png": ".png", "image/jpeg": ".jpg", "image/svg+xml": ".svg"}.get(name)
        if ending is None:
            return False
        if of_bytes(_decoded(one, ending), _decoded(other, ending), ending).verdict == "differs":
            return False
    return True


def _decoded(text: str, ending: str) -> bytes:
    import base64  # noqa: PLC0415  (only where there is a picture)

    if ending == ".svg":
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode("".join(text.split()))
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def _outputs(outputs: object) -> list[tuple[str, str]]:
    """Flatten outputs to (kind, text); what streams print in pieces is one text."""
    found: list[tuple[str, str]] = []
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            found.append(("?", _joined(output)))
        elif output.get("output_type") == "stream":
            name, text = f"stream {output.get('name')}", _joined(output.get("text"))
            if found and found[-1][0] == name:
                found[-1] = (name, found[-1][1] + text)
            else:
                found.append((name, text))
        elif output.get("output_type") == "error":
            found.append(("error", f"{output.get('ename')}: {output.get('evalue')}"))
        else:
            data = output.get("data")
            pairs = data.items() if isinstance(data, dict) else []
            found += [
                (str(kind), _joined(value)) for kind, value in sorted(pairs, key=lambda pair: str(pair[0]))
            ]
    return found
