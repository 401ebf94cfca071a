"""Requirements files as pip and uv read them: which files one is made of, what may stand in it, is it a lock.

The form of a file: pip's "Requirements File Format". https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from lockgate.errors import UserError

#: Options that may stand in a file; they say where packages come from and which form of them is taken.
INDEX_OPTIONS = ("--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--no-index")
_CHOICE_OPTIONS = ("--no-binary", "--only-binary", "--prefer-binary", "--pre")
_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tar.bz2", ".tgz")
_VCS = ("git+", "hg+", "svn+", "bzr+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_PIN = re.compile(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*\(?={2,3}\s*[^\s,;*]+\)?\s*(?:;|--hash|$)"
)
_INCLUDES_AT_MOST = 50


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with the number they start at: no comments, no blank lines, continued ones joined."""
    started_at, pending = 0, ""
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        line = "" if raw.lstrip().startswith("#") else raw
        started_at = started_at or number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        joined = re.sub(r"(^|\s)#.*$", "", pending + line).strip()
        if joined:
            yield started_at, joined
        started_at, pending = 0, ""
    if pending.strip():
        yield started_at, pending.strip()


def normal_name(name: str) -> str:
    """Return a package's name as the packaging specification compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(line: str) -> str | None:
    """Return the normal name of the package a requirement line asks for; None: it is an option."""
    found = _NAME.match(line)
    return normal_name(found.group()) if found else None


def needs_lock(text: str) -> bool:
    """Return whether a requirements file leaves anything open: a version, a hash, another file."""
    for _, line in logical_lines(text):
        if line.startswith(_INCLUDES):
            return True
        if not line.startswith("-") and not (_PIN.match(line) and "--hash" in line):
            return True
    return False


def gather(main: str, read: Callable[[str], bytes | None]) -> dict[str, bytes]:
    """Return `main` and every file it includes, by path from the project's root.

    `read` gives a file's content, or None where there is none. Raises `UserError`: `requirements-missing`,
    `requirements-unsupported` (with file and line).
    """
    found: dict[str, bytes] = {}
    waiting: list[tuple[str, str]] = [(main, "")]
    while waiting:
        path, named_at = waiting.pop(0)
        if path in found:
            continue
        content = read(path)
        if content is None or len(found) >= _INCLUDES_AT_MOST:
            what = "is not in the project" if content is None else "is one file too many"
            raise UserError(
                f"{path} {what}{f', named at {named_at}' if named_at else ''}",
                f"Add {path} to the project with git add, or take out the line that names it.",
                code="requirements-missing",
            )
        found[path] = content
        waiting += [(name, f"{path} line {at}") for at, name in _included(path, decode(path, content))]
    return found


def decode(path: str, content: bytes) -> str:
    """Return a requirements file's text. Raises `UserError` (`requirements-unsupported`) if not UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(
            f"{path} is not UTF-8 text",
            "Save it as UTF-8; in PowerShell: pip freeze | Out-File -Encoding utf8 requirements.txt",
            code="requirements-unsupported",
        )
    return text


def index_lines(text: str) -> tuple[str, ...]:
    """Return the lines in which a project names package indexes of its own."""
    return tuple(line for _, line in logical_lines(text) if _option(line)[0] in INDEX_OPTIONS)


def line_of(files: dict[str, bytes], name: str) -> tuple[str, int] | None:
    """Return file and line that ask for a package; None: none does, or several do."""
    places = [
        (path, number)
        for path, content in files.items()
        for number, line in logical_lines(content.decode("utf-8-sig", "replace"))
        if name_of(line) == normal_name(name)
    ]
    return places[0] if len(places) == 1 else None


def _included(path: str, text: str) -> list[tuple[int, str]]:
    included = []
    for number, line in logical_lines(text):
        option, value = _option(line)
        if option in _INCLUDES:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), value))
            if not value or "://" in value or target.startswith(("/", "..")):
                raise _unsupported(
                    path, number, f"{line} leads out of the project", "Name a file of the project."
                )
            included.append((number, target))
        else:
            _check_line(path, number, line, option, value)
    return included


def _option(line: str) -> tuple[str, str]:
    if not line.startswith("-"):
        return "", ""
    short = re.match(r"(-[a-zA-Z])(?!-)\s*=?\s*(.*)", line)
    if short and not line.startswith("--"):
        return short.group(1), short.group(2).strip()
    option, _, value = line.replace("=", " ", 1).partition(" ")
    return option, value.strip()


def _check_line(path: str, number: int, line: str, option: str, value: str) -> None:
    if option in ("-e", "--editable"):
        raise _unsupported(
            path,
            number,
            f"{line}: code of the project cannot be installed into a runtime",
            "Take the line out: a stage finds the project's modules in its workspace, where it starts.",
        )
    if option in ("-f", "--find-links") and not value.startswith(("http://", "https://")):
        raise _unsupported(
            path, number, f"{line} is not an address", "Name an https:// address, or leave it out."
        )
    if option:
        if option not in INDEX_OPTIONS + _CHOICE_OPTIONS:
            raise _unsupported(path, number, f"the option {option} is not supported", "Take the line out.")
        return
    requirement, at, address = line.partition("@")
    address = address.strip() if at and "://" in address else ""
    if address.startswith(_VCS) or line.startswith(_VCS):
        raise _unsupported(
            path,
            number,
            f"{line}: a package from version control has no hash to check",
            "Name a release (name==1.2.3), or the address of an archive (name @ https://…/name-1.2.3.tar.gz).",
        )
    is_path = not address and (
        line.startswith((".", "/", "~", "file:")) or line.split(";")[0].strip().lower().endswith(_ARCHIVES)
    )
    if (
        is_path
        or (at and not address)
        or address.startswith("file:")
        or "/" in requirement.split(";")[0].split("--hash")[0]
    ):
        raise _unsupported(
            path,
            number,
            f"{line}: neither a path nor a bare address can be locked",
            "Name a release (name==1.2.3), or write name @ https://…",
        )
    if name_of(line) is None:
        raise _unsupported(path, number, f"{line} is no requirement", "Write it as name==1.2.3.")


def _unsupported(path: str, number: int, cause: str, hint: str) -> UserError:
    return UserError(f"{path} line {number}: {cause}", hint, code="requirements-unsupported")
