"""`lockgate init`: everything a folder lacks to be a project, and nothing it has already."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.exclude import JUPYTER, exclude_named
from lockgate.git.hooks import has_earlier, install_hook
from lockgate.git.program import git
from lockgate.git.worktree import find_root, remotes
from lockgate.hub.notebooks.clone import ATTRIBUTES as NOTEBOOK_ATTRIBUTES
from lockgate.hub.notebooks.clone import prepare
from lockgate.hub.reaching.address import REMOTE
from lockgate.hub.worktree.home import ensure_remote
from lockgate.project.pipeline import LOCK_FILE, MANIFEST_FILE
from lockgate.project.proposal import propose
from lockgate.project.snapshot import WorktreeSource

#: Two results merge line by line: each line of the lock stands alone.
_LOCK_ATTRIBUTES = f"{LOCK_FILE} merge=union linguist-generated"
_ATTRIBUTES = (
    (LOCK_FILE, _LOCK_ATTRIBUTES, f"git merges {LOCK_FILE} line by line"),
    ("*.ipynb", NOTEBOOK_ATTRIBUTES, "git merges notebooks cell by cell"),
)


class SetUp(msgspec.Struct, frozen=True):
    root: str
    hub: str
    lines: tuple[str, ...]
    """What was done, for a reader."""


def set_up(folder: Path) -> SetUp:
    """Make a folder a project: repository, `lockgate.toml`, merge rule, hub, remote."""
    lines: list[str] = []
    root = _repository(folder, lines)
    source = WorktreeSource(root)
    paths = sorted(source.files())
    if MANIFEST_FILE in paths or (root / MANIFEST_FILE).exists():
        lines.append(f"{MANIFEST_FILE} is there already")
    else:
        text = propose(paths, lambda path: (root / path).read_bytes(), root.name)
        if text is None:
            lines.append("dvc.yaml is the pipeline; no lockgate.toml is needed")
        else:
            (root / MANIFEST_FILE).write_text(text, "utf-8")
            lines.append(f"wrote {MANIFEST_FILE}, proposed from what is here")
    lines += _attributes(root)
    lines += install_hooks(root)
    prepared = prepare(root)
    lines += [prepared.note] if prepared.note else []
    exclude_named(root, JUPYTER)
    had_remote = REMOTE in remotes(root)
    url = ensure_remote(root)
    lines.append(f"remote `{REMOTE}` {'is' if had_remote else 'now is'} {url}")
    return SetUp(str(root), url, tuple(lines))


def _attributes(root: Path) -> list[str]:
    """Have every clone of the project know what to do with notebooks and the lock file."""
    place = root / ".gitattributes"
    before = place.read_text("utf-8", "surrogateescape") if place.exists() else ""
    lacking = [(line, words) for pattern, line, words in _ATTRIBUTES if pattern not in before]
    if lacking:
        gap = "" if not before or before.endswith("\n") else "\n"
        text = before + gap + "".join(f"{line}\n" for line, _ in lacking)
        place.write_text(text, "utf-8", "surrogateescape")
    return [f"wrote .gitattributes: {words}" for _, words in lacking]


def install_hooks(root: Path) -> list[str]:
    """Have git stop commits of too large files, and send data with a push; hooks that are there stay."""
    lines = []
    for name in ("pre-commit", "pre-push"):
        outcome, place = install_hook(root, name, sys.executable)
        if outcome == "written":
            earlier = "; the one that was there is called first" if has_earlier(place) else ""
            lines.append(f"wrote the hook {name}{earlier}")
        elif outcome != "there":
            lines.append(f'the hook {place} is not touched; to have it: lockgate hook {name} "$@"')
    return lines


def _repository(folder: Path, lines: list[str]) -> Path:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", f"Make it first: mkdir {folder}", code="no-folder")
    try:
        return find_root(folder)
    except UserError as error:
        if error.code != "not-a-repository":
            raise
    git(folder, "init", "--quiet")
    lines.append(f"made {folder} a git repository")
    return find_root(folder)
