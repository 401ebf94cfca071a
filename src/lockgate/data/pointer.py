"""Pointers: DVC's `.dvc` files, which stand in git for the bytes that do not.

Keys and their order are those of DVC 3.67: `dvc/schema.py` (`SINGLE_STAGE_SCHEMA`), `dvc/output.py`
(`SCHEMA`, `Output.dumpd`), `dvc/annotations.py`, `dvc/stage/utils.py` (`get_dump`) and
`dvc_data/hashfile/meta.py` (`Meta.to_dict`).
"""

from __future__ import annotations

import posixpath
import re

from lockgate.data.output import Output as Output
from lockgate.data.output import Pointer as Pointer
from lockgate.data.output import relative, resolve

SUFFIX = ".dvc"


def pointer_file(path: str) -> str:
    """Return where the pointer of a data path stands."""
    return path + SUFFIX


def simple_pointer(path: str, md5: str, size_bytes: int, file_count: int | None = None) -> Pointer:
    """Return the pointer that `dvc add` makes for one path."""
    return Pointer(pointer_file(path), (Output(path, md5, size_bytes, file_count),))


#: A pointer as `dvc add` writes it, with nothing that YAML could read as anything but the text it looks like.
_PLAIN_PATH = r"(?=[A-Za-z0-9./-]*[g-np-wyzG-NP-WYZ])[A-Za-z0-9][A-Za-z0-9_./-]*"
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_SIMPLE = re.compile(
    r"outs:\n- md5: ((?=[0-9]*[acdf])[0-9a-f]{32}|(?=[0-9a-f]{32}\.dir\n)[0-9a-f]{32}\.dir)\n"
    r"  size: (0|[1-9][0-9]{0,17})\n"
    r"(?:  nfiles: (0|[1-9][0-9]{0,17})\n)?"
    r"  hash: md5\n"
    rf"  path: ({_PLAIN_PATH})\n"
)


def parse_pointer(text: str, file: str) -> Pointer:
    """Read the `.dvc` file that stands at `file` in the repository.

    Raises `UserError` (`pointer-invalid`), which names file and line.
    """
    simple = _SIMPLE.fullmatch(text)
    if simple and simple[4].lower() not in _WORDS:
        md5, size, count, path = simple.groups()
        place = resolve(file, ".", path)
        if place is not None:
            return Pointer(file, (Output(place, md5, int(size), int(count) if count else None),))
    from lockgate.data.pointer_reading import read_pointer  # noqa: PLC0415  (YAML is slow to import)

    return read_pointer(text, file)


def write_pointer(pointer: Pointer, old_text: str | None = None) -> str:
    """Return the text of a `.dvc` file.

    A file that is there already keeps its comments, its order and every key that says the same as before,
    as it does with DVC; a new one is, byte for byte, what DVC would write.
    """
    if old_text is not None and _SIMPLE.fullmatch(old_text):
        old_text = None
    if old_text is None and (text := _simple_text(pointer)) is not None:
        return text
    from lockgate.data.pointer_writing import rewrite_pointer  # noqa: PLC0415  (YAML is slow to import)

    return rewrite_pointer(pointer, old_text)


def _simple_text(pointer: Pointer) -> str | None:
    """Return the text of a pointer with one plain output, None where more is to be said."""
    if len(pointer.outputs) != 1:
        return None
    output = pointer.outputs[0]
    simplest = Output(output.path, output.md5, output.size_bytes, output.file_count)
    if pointer != Pointer(pointer.file, (simplest,)):
        return None
    lines = [
        f"outs:\n- md5: {output.md5}\n  size: {output.size_bytes}\n",
        "" if output.file_count is None else f"  nfiles: {output.file_count}\n",
        f"  hash: md5\n  path: {relative(output.path, posixpath.dirname(pointer.file))}\n",
    ]
    found = _SIMPLE.fullmatch("".join(lines))
    return found[0] if found and found[4].lower() not in _WORDS else None
