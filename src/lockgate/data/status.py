"""`lockgate data status`: how the work tree's data differs from its pointers; only the state is written."""

from __future__ import annotations

from lockgate.data.clone import Clone
from lockgate.data.linking import digest_of
from lockgate.data.pointed import Pointed, find_outputs
from lockgate.data.state import Known, State
from lockgate.data.store_listing import listing
from lockgate.data.survey import Survey, digest_of_survey, survey


class Standing:
    """How one output stands. Paths are those within it; a single file's is empty."""

    __slots__ = ("added", "changed", "output", "removed", "word")

    def __init__(self, output: Pointed, word: str):
        self.output = output
        self.word = word
        """`unchanged`, `changed`, `missing` (no data here), `unknown` (its listing is nowhere),
        `legacy` (a pointer of DVC 2, whose digests are others)."""
        self.changed: list[str] = []
        self.added: list[str] = []
        self.removed: list[str] = []


def standing(clone: Clone) -> list[Standing]:
    """Return how each output stands, by path. Raises `UserError`: `pointer-invalid`, those of `survey`."""
    state = State(clone.git_dir)
    found = [_stands(clone, state, output) for output in find_outputs(clone)]
    state.save()
    return found


def _stands(clone: Clone, state: State, output: Pointed) -> Standing:
    if not output.is_cached or output.md5 is None:
        return Standing(output, "unchanged")
    if output.is_legacy:
        return Standing(output, "legacy")
    known = state.get(output.path)
    found = survey(clone, output.path, known, digest_of)
    if found is None:
        return Standing(output, "missing")
    if known is not None and found.is_as_known and known.md5 == output.md5:
        return Standing(output, "unchanged")
    now = digest_of_survey(found)
    if known is None or found.read_count or known.tree != found.tree:
        state.put(output.path, Known(output.text, now, found.tree, found.digests), found.looked_at_ns)
    if now == output.md5:
        return Standing(output, "unchanged")
    return _compared(clone, output, found)


def _compared(clone: Clone, output: Pointed, found: Survey) -> Standing:
    here = found.files()
    if not output.is_folder:
        stands = Standing(output, "changed")
        stands.changed = [""] if found.is_file else []
        stands.added = [] if found.is_file else sorted(here)
        return stands
    there = listing(clone, output.md5 or "")
    if there is None:
        return Standing(output, "unknown")
    stands = Standing(output, "changed")
    stands.changed = sorted(path for path, md5 in here.items() if path in there and there[path] != md5)
    stands.added = sorted(here.keys() - there.keys())
    stands.removed = sorted(there.keys() - here.keys())
    return stands
