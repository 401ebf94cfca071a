"""Which commands of which projects the member has confirmed: a file of Jupyter's data folder for each."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

import msgspec

from lockgate.errors import OutsideError
from lockgate.project.tool import Tool


def digest_of(project: Path, tool: Tool) -> str:
    """Return what a confirmation is bound to: the project's folder and every word of the command."""
    return hashlib.sha256(msgspec.json.encode([os.fsdecode(project), *tool.command])).hexdigest()


class Confirmations:
    """What was confirmed on this account; never in a repository, where others would write it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, digest: str) -> bool:
        return (self._folder / digest).is_file()

    def put(self, digest: str, project: Path, tool: Tool) -> None:
        """Keep it, with its words for who looks there. Raises `OutsideError` (`tool-confirmation`)."""
        content = msgspec.json.encode({"project": os.fsdecode(project), "command": tool.command}) + b"\n"
        draft = self._folder / f".{digest}.{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            draft.replace(self._folder / digest)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise OutsideError(
                f"that the command is confirmed cannot be kept in {self._folder}: {error.strerror or error}",
                "Make room or give yourself the right to write there, and confirm it again.",
                code="tool-confirmation",
            ) from None
