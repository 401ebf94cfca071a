"""The pointers of a work tree, and the outputs they stand for."""

from __future__ import annotations

import os
import posixpath

from lockgate.data.clone import Clone

_SUFFIX = ".dvc"


class Pointed:
    """One output of one pointer, with as much as is needed to compare and place it."""

    __slots__ = (
        "file",
        "file_count",
        "is_cached",
        "is_executable",
        "is_legacy",
        "md5",
        "path",
        "size_bytes",
        "text",
    )

    def __init__(self, file: str, text: str, path: str, md5: str | None):
        self.file = file
        self.text = text
        self.path = path
        self.md5 = md5
        self.size_bytes: int | None = None
        self.file_count: int | None = None
        self.is_cached = True
        self.is_executable = False
        self.is_legacy = False

    @property
    def is_folder(self) -> bool:
        return self.md5 is not None and self.md5.endswith(".dir")


def outputs_of(text: str, file: str) -> list[Pointed]:
    """Return the outputs of a `.dvc` file's text. Raises `UserError` (`pointer-invalid`)."""
    simple = _plain(text, file)
    if simple is not None:
        return [simple]
    from lockgate.data.pointer import parse_pointer  # noqa: PLC0415  (where it is no plain one)

    found = []
    for output in parse_pointer(text, file).outputs:
        each = Pointed(file, text, output.path, output.md5)
        each.size_bytes, each.file_count = output.size_bytes, output.file_count
        each.is_cached, each.is_executable = output.is_cached, output.is_executable
        each.is_legacy = output.is_legacy
        found.append(each)
    return found


_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
#: What YAML, in any of its versions, takes for something other than text.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_PLAIN = _LETTERS | frozenset("0123456789_.-")


def _plain(text: str, file: str) -> Pointed | None:
    """Read a pointer as `dvc add` writes it for a plain name beside it, without a YAML library."""
    lines = text.split("\n")
    if len(lines) not in (6, 7) or lines[0] != "outs:" or lines[-1] or lines[-3] != "  hash: md5":
        return None
    name = lines[-2].removeprefix("  path: ")
    md5 = lines[1].removeprefix("- md5: ")
    size = lines[2].removeprefix("  size: ")
    count = lines[3].removeprefix("  nfiles: ") if len(lines) == 7 else None
    stands = f"outs:\n- md5: {md5}\n  size: {size}\n"
    stands += f"  nfiles: {count}\n" if count is not None else ""
    if stands + f"  hash: md5\n  path: {name}\n" != text or file.rpartition("/")[2] != name + _SUFFIX:
        return None
    digits = md5.removesuffix(".dir")
    is_plain: object = (
        len(digits) == 32 and not digits.strip("0123456789abcdef") and digits.strip("0123456789be")
    )
    is_plain = is_plain and size.isdecimal() and (count is None or count.isdecimal())
    # A name with a letter that no number has, and that is none of YAML's words
    has_letter = any(letter in "ghijklmnpqrstuvwyzGHIJKLMNPQRSTUVWYZ" for letter in name)
    if (
        not is_plain
        or not has_letter
        or not _PLAIN.issuperset(name)
        or name[0] in ".-_"
        or name.lower() in _WORDS
    ):
        return None
    found = Pointed(file, text, posixpath.join(posixpath.dirname(file), name), md5)
    found.size_bytes, found.file_count = int(size), int(count) if count is not None else None
    return found


def plain_text(file: str, path: str, md5: str, size_bytes: int, file_count: int | None) -> str | None:
    """Return the text of a pointer to what lies beside it; None: its name needs a YAML library."""
    count = "" if file_count is None else f"  nfiles: {file_count}\n"
    text = (
        f"outs:\n- md5: {md5}\n  size: {size_bytes}\n{count}  hash: md5\n  path: {posixpath.basename(path)}\n"
    )
    written = _plain(text, file)
    return text if written is not None and written.path == path else None


def find_outputs(clone: Clone) -> list[Pointed]:
    """Return the outputs of all pointers in the work tree, by path.

    Data is not looked through for pointers, nor are other repositories inside this one.
    Raises `UserError` (`pointer-invalid`).
    """
    found: dict[str, Pointed] = {}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        pointers: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(f"{clone.root}/{folder}") as entries:
                for entry in entries:
                    name = entry.name
                    if name.endswith(_SUFFIX) and name != _SUFFIX and entry.is_file():
                        pointers.append(folder + name)
                    elif entry.is_dir(follow_symlinks=False) and name not in (".git", ".dvc", ".hg"):
                        folders.append(folder + name)
                    elif name == ".git" and folder:
                        folders = []
                        pointers = []
                        break
        except (FileNotFoundError, PermissionError):
            continue
        for pointer in pointers:
            for output in outputs_of(read_text(f"{clone.root}/{pointer}"), pointer):
                found[output.path] = output
        waiting += [each + "/" for each in folders if each not in found]
    return [found[path] for path in sorted(found)]


def read_text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()
