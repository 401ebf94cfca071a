"""A parameter's value as text: in a command, in a stage's name."""

from __future__ import annotations

import hashlib
import re

from lockgate.project.pipeline import Scalar

_UNSAFE = re.compile(r"[^\w.+\-]")
_LONGEST_LABEL = 40


def scalar_text(value: Scalar) -> str:
    """Return a value as it stands in a command: `true`, `4`, `0.5`, `rf`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def value_label(value: Scalar) -> str:
    """Return a value as it stands in a stage's name, fit for a file's name: `a b` as `a%20b`.

    A long one is cut and ends in a digest of the whole, so that no two are the same.
    """
    text = scalar_text(value)
    label = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in _bytes(found[0])), text)
    if len(label) > _LONGEST_LABEL:
        digest = hashlib.sha256(_bytes(text)).hexdigest()[:8]
        label = f"{label[: _LONGEST_LABEL - 9]}~{digest}"
    return label


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
