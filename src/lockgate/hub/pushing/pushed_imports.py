"""What a push imports from other projects of the hub: lent where the member may read it, else refused."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lockgate.data.imported import is_import
from lockgate.git.program import attempt, git
from lockgate.hub.directory import Hub

_SUFFIX = ".dvc"
#: No import's pointer is larger.
_LARGEST_BYTES = 64_000


def lend_pushed(hub: Hub, project: str, tips: Sequence[str], environment: Mapping[str, str]) -> None:
    """Look through the pointers that a push brings, and have the project hold what they import.

    What names no object of the other project is left as it is: the run that needs it says what is missing.
    Raises `UserError` (`import-refused`), `OutsideError`.
    """
    quarantine = os.environ.get("GIT_QUARANTINE_PATH")
    if not quarantine or not tips or not _may_import(Path(quarantine)):
        return
    imports = list(_imports(hub.repository(project), tips))
    if imports:
        # Slow to import, and needed by few pushes
        from lockgate.hub.pushing.lending_pushed import lend_imports  # noqa: PLC0415

        lend_imports(hub, project, imports, environment)


def _may_import(quarantine: Path) -> bool:
    """Return whether a push may bring an import: by a look at loose objects, without a process of git's.

    git-receive-pack(1), "Quarantine environment"; gitformat-loose(5).
    """
    if any((quarantine / "pack").glob("*.idx")):
        return True
    for folder in quarantine.iterdir():
        if len(folder.name) == 2:
            for file in folder.iterdir():
                with file.open("rb") as stream:
                    content = zlib.decompressobj().decompress(stream.read(_LARGEST_BYTES), _LARGEST_BYTES)
                if content.startswith(b"blob ") and is_import(content.decode("utf-8", "replace")):
                    return True
    return False


def _imports(repository: Path, tips: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pointers that are new and may be imports: path and text."""
    output = git(repository, "rev-list", "--objects", *tips, "--not", "--all", quarantine=True)
    for line in output.decode("utf-8", "surrogateescape").split("\n"):
        oid, _, path = line.partition(" ")
        if path.endswith(_SUFFIX):
            code, content, _ = attempt(repository, "cat-file", "blob", oid, quarantine=True)
            text = content.decode("utf-8", "replace")
            if code == 0 and len(content) <= _LARGEST_BYTES and is_import(text):
                yield path, text
