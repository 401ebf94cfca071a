"""The file `lockgate.toml` of a work tree, read to be edited and written anew."""

from __future__ import annotations

from pathlib import Path

from lockgate.data.writing import write_whole
from lockgate.errors import OutsideError
from lockgate.project.pipeline import MANIFEST_FILE


def manifest_text(root: Path) -> str | None:
    """Return its text as it stands, ends of lines too; None: there is none.

    Raises `OutsideError` (`manifest-unwritable`).
    """
    try:
        return (root / MANIFEST_FILE).read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(root, "read", error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise _unusable(root, "read", "it is not UTF-8") from None


def write_manifest(root: Path, text: str) -> None:
    """Write it, whole or not at all. Raises `OutsideError` (`manifest-unwritable`)."""
    try:
        write_whole(str(root / MANIFEST_FILE), text.encode("utf-8"))
    except OSError as error:
        raise _unusable(root, "changed", error.strerror or str(error)) from None


def _unusable(root: Path, doing: str, words: str) -> OutsideError:
    return OutsideError(
        f"{root / MANIFEST_FILE} cannot be {doing}: {words}",
        "Look at the disk (df -h), and make it a file that can be read and written; then again.",
        code="manifest-unwritable",
    )
