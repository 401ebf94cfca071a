"""What names mean (gitrevisions(7)). Hooks call this: no libgit2."""

from __future__ import annotations

import re
from pathlib import Path

from lockgate.git.program import attempt

_COMMIT = re.compile(r"([0-9a-f]{40}) commit")


def first_commit(repository: Path, *names: str) -> str | None:
    """Return the commit that the first of these names means which means one; git is asked once for all.

    None: none does, or git does not answer.
    """
    asked = "".join(f"{name}^{{commit}}\n" for name in names if not set("\n\0") & set(name))
    if not asked:
        return None
    form = "--batch-check=%(objectname) %(objecttype)"
    _, output, _ = attempt(repository, "cat-file", form, stdin=asked.encode("utf-8", "surrogateescape"))
    told = (_COMMIT.fullmatch(line) for line in output.decode("utf-8", "replace").splitlines())
    return next((found[1] for found in told if found), None)
