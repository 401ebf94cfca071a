"""Two contents of one path, compared by what they are."""

from __future__ import annotations

from functools import partial

from lockgate.project.pipeline import Allowance, Kind
from lockgate.verify import archives, tables
from lockgate.verify.allowance import NOTHING
from lockgate.verify.arrays import compare_npy, compare_safetensors
from lockgate.verify.closeness import agree_in_text, lines_of
from lockgate.verify.documents import compare_documents, compare_json, compare_notebooks
from lockgate.verify.figures import PICTURES, compare_pdf, compare_pictures, compare_svg
from lockgate.verify.report import Compared

#: An archive in an archive, and so on, is opened so often.
_DEEPEST = 3


def compare(
    left: bytes, right: bytes, path: str, kind: Kind, allowed: Allowance = NOTHING, depth: int = 0
) -> Compared:
    """Return how two contents compare. `path` tells by its ending what they are, with `kind`.

    Whatever the bytes are: what cannot be read as what it should be is compared as text, else as bytes.
    """
    if left == right:
        return Compared("identical")
    inside = partial(_inside, kind=kind, allowed=allowed, depth=depth + 1)
    name, found = path.lower(), None
    if name.endswith(tables.ENDINGS):
        found = _tables(left, right, name, allowed)
    elif name.endswith(PICTURES):
        found = compare_pictures(left, right, allowed)
    elif name.endswith(".svg"):
        found = compare_svg(left, right, allowed)
    elif name.endswith(".pdf"):
        found = compare_pdf(left, right)
    elif name.endswith(".ipynb"):
        found = compare_notebooks(left, right, allowed, inside)
    elif name.endswith((".yaml", ".yml")):
        found = _yaml(left, right, allowed)
    elif name.endswith(archives.ENDINGS) and depth < _DEEPEST:
        found = archives.compare_archives(left, right, name, allowed, inside)
    elif name.endswith(".npy"):
        # In an archive it is an array of that name
        stem = name.rpartition("/")[2].removesuffix(".npy")
        found = compare_npy(left, right, allowed.columns.get(stem, allowed.tolerance))
    elif name.endswith(".safetensors"):
        found = compare_safetensors(left, right, allowed)
    elif name.endswith((".json", ".vg", ".vl")) or kind == "metrics":
        found = compare_json(left, right, allowed)
    return found or _texts(left, right, allowed) or Compared("differs", first_difference(left, right))


def _inside(left: bytes, right: bytes, path: str, *, kind: Kind, allowed: Allowance, depth: int) -> Compared:
    return compare(left, right, path, kind, allowed, depth)


def _tables(left: bytes, right: bytes, path: str, allowed: Allowance) -> Compared | None:
    try:
        one, other = tables.read_table(left, path), tables.read_table(right, path)
    except tables.NoTableError as error:
        return Compared("differs", f"its bytes; {error}") if path.endswith(".parquet") else None
    return tables.compare_tables(one, other, allowed)


def _yaml(left: bytes, right: bytes, allowed: Allowance) -> Compared | None:
    import yaml  # noqa: PLC0415  (10 ms, only for YAML)

    try:
        return compare_documents(yaml.safe_load(left), yaml.safe_load(right), allowed)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError):
        return None


def _texts(left: bytes, right: bytes, allowed: Allowance) -> Compared | None:
    """Compare by lines; None: one is no text."""
    if b"\0" in left or b"\0" in right:
        return None
    try:
        one, other = left.decode("utf-8"), right.decode("utf-8")
    except UnicodeDecodeError:
        return None
    ours, theirs = list(lines_of(one, allowed.ignore)), list(lines_of(other, allowed.ignore))
    if len(ours) != len(theirs):
        return Compared("differs", f"{len(ours):,} lines, and {len(theirs):,}")
    differing = [
        number
        for (number, mine), (_, yours) in zip(ours, theirs, strict=True)
        if not agree_in_text(mine, yours, allowed.tolerance)
    ]
    if not differing:
        return Compared("within-tolerance")
    if len(ours) == 1:
        return Compared("differs", "its only line")
    more = f", {len(differing):,} of {len(ours):,} lines" if len(differing) > 1 else f" of {len(ours):,}"
    return Compared("differs", f"line {differing[0]:,}{more}")


def first_difference(left: bytes, right: bytes) -> str:
    """Return where two contents that differ do so first."""
    shorter = min(len(left), len(right))
    step = 1 << 16
    for start in range(0, shorter, step):
        one, other = left[start : min(start + step, shorter)], right[start : min(start + step, shorter)]
        if one != other:
            at = next(
                number for number, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]
            )
            return f"byte {start + at + 1:,}"
    return "their length"
