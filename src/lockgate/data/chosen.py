"""Which outputs a member means."""

from __future__ import annotations

from lockgate.data.pointed import Pointed
from lockgate.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def choose(outputs: Sequence[Pointed], paths: Sequence[str]) -> list[Pointed]:
    """Return the outputs named by their own path, their pointer's, or a folder that they lie in; none: all.

    Raises `UserError` (`data-unknown`).
    """
    if not paths or "" in paths:
        return list(outputs)
    chosen = {}
    for path in paths:
        found = [
            each
            for each in outputs
            if path in (each.path, each.file)
            or each.path.startswith(path + "/")
            or path.startswith(each.path + "/")
        ]
        if not found:
            raise UserError(
                f"{path} is no data of this project",
                "`lockgate data list` names what is.",
                code="data-unknown",
            )
        chosen.update({each.path: each for each in found})
    return [chosen[path] for path in sorted(chosen)]
