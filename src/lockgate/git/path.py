"""Which paths may stand in a tree: what git itself would refuse to check out, we refuse to write."""

from __future__ import annotations

from lockgate.errors import UserError

MAX_DEPTH = 256


def check_path(path: str) -> tuple[str, ...]:
    """Return the components of a tree path.

    Raises `UserError` (`path-unsafe`) for an empty, absolute or upward path, and for any spelling of `.git`
    that some file system takes for the folder itself (git's `verify_path`, fsck's `hasDotgit`).
    """
    parts = tuple(path.split("/"))
    if len(parts) > MAX_DEPTH or not _is_encodable(path) or any(_is_unsafe(part) for part in parts):
        shown = path if len(path) <= 80 else f"{path[:77]}…"
        raise UserError(
            f"the path {shown!r} cannot stand in a git tree",
            "Use a relative path without `..`, empty parts or `.git`.",
            code="path-unsafe",
        )
    return parts


#: Code points HFS+ ignores in names: git's utf8.c, `next_hfs_char`.
_HFS_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


def _is_encodable(path: str) -> bool:
    try:
        return b"\0" not in path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _is_unsafe(part: str) -> bool:
    if part in ("", ".", ".."):
        return True
    plain = part.translate(_HFS_IGNORED).casefold().split(":")[0].rstrip(". ")
    return plain in (".git", "git~1")
