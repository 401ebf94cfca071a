"""What a clone keeps in its git folder to save time: a value in one file, which nobody needs.

Written whole or not at all, and taken for nothing where it is damaged, or of another form.
"""

from __future__ import annotations

import binascii
import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_remembered(path: str, form: bytes) -> Any:
    """Return the value that was written in this form; None: there is none."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        head = len(form) + 4
        if content[: len(form)] == form and binascii.crc32(content[head:]) == int.from_bytes(
            content[len(form) : head], "big"
        ):
            return marshal.loads(content[head:])
    except (OSError, ValueError, EOFError, TypeError):
        pass
    return None


def write_remembered(path: str, form: bytes, value: Any) -> None:
    """Write it. That it cannot be written is no failure: only time is lost."""
    body = marshal.dumps(value, 4)
    draft = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(draft, "wb") as file:
            file.write(form + binascii.crc32(body).to_bytes(4, "big") + body)
        os.replace(draft, path)
    except OSError:
        if os.path.exists(draft):
            os.unlink(draft)
