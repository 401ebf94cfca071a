"""Where a clone keeps its data: the work tree, its git folder, the store, and how files are linked to it.

This file, and all that `lockgate data status` needs, imports no library: the whole command takes little
longer than Python's start.
"""

from __future__ import annotations

import os

from lockgate.data.dvc_sections import read_sections
from lockgate.errors import UserError

#: How the work tree may share bytes with the store, best first, where `.dvc/config` does not say otherwise.
LINK_KINDS = ("reflink", "hardlink", "copy")
_KNOWN_KINDS = ("reflink", "hardlink", "symlink", "copy")


class Clone:
    """One work tree and what belongs to it. Paths are absolute, without a `/` at the end."""

    __slots__ = ("git_dir", "is_shared", "link_kinds", "root", "store")

    def __init__(self, root: str, git_dir: str, store: str, link_kinds: tuple[str, ...], is_shared: bool):
        self.root = root
        self.git_dir = git_dir
        """The folder of this work tree's index."""
        self.store = store
        """DVC's cache folder; objects lie below `files/md5`."""
        self.link_kinds = link_kinds
        self.is_shared = is_shared
        """The store lies outside, so that other clones may use it too."""

    @property
    def drafts(self) -> str:
        """Where files of the work tree are made before they are moved to their place; git ignores it."""
        return f"{self.root}/.dvc/tmp"

    def object_path(self, md5: str) -> str:
        return f"{self.store}/files/md5/{md5[:2]}/{md5[2:]}"

    def has(self, md5: str) -> bool:
        return os.path.exists(self.object_path(md5))


def open_clone(folder: str) -> Clone:
    """Return the clone that a folder lies in.

    Raises `UserError`: `not-a-repository`, `dvc-config-invalid`.
    """
    root = os.path.realpath(folder)
    while not os.path.lexists(f"{root}/.git"):
        above = os.path.dirname(root)
        if above == root:
            raise UserError(
                f"{folder} is not in a git repository",
                "Type `git init` (or `lockgate init`, which does it too) in the project's folder.",
                code="not-a-repository",
            )
        root = above
    git_dir = f"{root}/.git"
    if os.path.isfile(git_dir):
        with open(git_dir, "rb") as file:
            git_dir = os.path.join(root, os.fsdecode(file.read()).removeprefix("gitdir: ").rstrip("\n"))
    options: dict[str, str] = {}
    for path in config_files(root):
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as text:
                options |= read_sections(text.read(), path).get("cache", {})
        except (FileNotFoundError, NotADirectoryError):
            continue
    own = f"{root}/.dvc/cache"
    store = os.path.normpath(os.path.join(f"{root}/.dvc", os.path.expanduser(options.get("dir", own))))
    return Clone(root, git_dir, store, _kinds(options.get("type")), store != own)


def config_files(root: str) -> tuple[str, ...]:
    """Return the files that count for a clone, those that go before the others last: the member's own,
    the project's, the clone's."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return (f"{home}/dvc/config", f"{root}/.dvc/config", f"{root}/.dvc/config.local")


def _kinds(text: str | None) -> tuple[str, ...]:
    if not text:
        return LINK_KINDS
    kinds = tuple(kind.strip(" \"'") for kind in text.split(",") if kind.strip(" \"'"))
    for kind in kinds:
        if kind not in _KNOWN_KINDS:
            raise UserError(
                f".dvc/config: the cache type {kind!r} is unknown",
                f"DVC knows {', '.join(_KNOWN_KINDS)}.",
                code="dvc-config-invalid",
            )
    return kinds if "copy" in kinds else (*kinds, "copy")
