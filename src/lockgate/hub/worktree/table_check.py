"""Checking tables at home: the program that jobs run, on the files of the work tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lockgate.data.acceptance import reference
from lockgate.data.manifest_file import manifest_text, write_manifest
from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import read_many
from lockgate.git.program import attempt
from lockgate.hub.directory import create_hub, private_hub_root
from lockgate.hub.planning.checking import build_check_runtime, program
from lockgate.hub.software.runtimes import Runtimes
from lockgate.hub.worktree.known_entries import known_acceptances
from lockgate.project.check import rules_json
from lockgate.project.check_text import with_check
from lockgate.project.pipeline import Check
from lockgate.project.snapshot import WorktreeSource
from lockgate.runs.checked import report_path
from lockgate.runs.load import load
from lockgate.runs.verdict import last_line


class Checked(msgspec.Struct, frozen=True):
    """What came of one table."""

    path: str
    has_passed: bool
    lines: tuple[str, ...]
    """All that is to be said, the last line in short."""
    report: dict[str, Any]
    """As it is kept in `checks/PATH.json` by a run."""


class Tables(msgspec.Struct, frozen=True):
    """The tables of a work tree that have checks."""

    here: dict[str, Check]
    lacking: tuple[str, ...]
    """Those whose file is not here: not brought, or not made yet."""


def tables(root: Path, paths: Sequence[str]) -> Tables:
    """Return the tables at or below some paths, or all.

    Raises `UserError`: `check-none`, `check-not-here`.
    """
    loaded = load(WorktreeSource(root), {}, root.name)
    every = {stage.checks: stage.check for stage in loaded.pipeline.stages if stage.checks and stage.check}
    wanted = every
    for path in paths:
        if not any(_is_at(name, path) for name in every):
            raise UserError(
                f"no checks are declared for {path}",
                f"Let Lockgate suggest some: lockgate data check --suggest {path}",
                code="check-none",
            )
    if paths:
        wanted = {name: check for name, check in every.items() if any(_is_at(name, path) for path in paths)}
    lacking = tuple(name for name in wanted if not (root / name).exists())
    if paths and lacking:
        raise UserError(
            f"{lacking[0]} is not here",
            f"Bring it: lockgate data get {lacking[0]}; or let its stage make it: lockgate run",
            code="check-not-here",
        )
    return Tables({name: check for name, check in wanted.items() if name not in lacking}, lacking)


def _is_at(name: str, path: str) -> bool:
    return path in ("", name) or name.startswith(f"{path}/")


def check_here(root: Path, here: dict[str, Check]) -> Iterator[Checked]:
    """Check tables, one after the other. Raises `OutsideError` (`check-crashed`) and what building a runtime
    does."""
    python = check_python()
    for path, check in here.items():
        with tempfile.TemporaryDirectory(prefix="lockgate-check-") as folder:
            place = Path(folder)
            (place / "check.pyz").write_bytes(program())
            (place / "rules.json").write_bytes(rules_json(check))
            report = place / "report.json"
            accepted = _reference(root, path, place)
            words: list[str | Path] = [path, place / "rules.json", report, accepted]
            said = _run(root, [python, place / "check.pyz", "check", *words])
            if not report.exists():
                raise _crashed(path, said)
            found = msgspec.json.decode(report.read_bytes(), type=dict[str, Any])
            yield Checked(path, bool(found["has_passed"]), tuple(said.stdout.splitlines()), found)


def _reference(root: Path, path: str, place: Path) -> Path:
    """Return the report to compare with: the one that lies here, or what was accepted in its place."""
    own = root / report_path(path)
    code, output, _ = attempt(root, "hash-object", "--no-filters", "--", report_path(path))
    if code != 0:
        return own
    blob = output.decode().strip()
    meant = reference(known_acceptances(root, path), blob)
    (content,) = read_many(root, [meant]) if meant != blob else (None,)
    if content is None:
        return own
    accepted = place / "accepted.json"
    accepted.write_bytes(content.content)
    return accepted


def suggest_here(root: Path, path: str) -> dict[str, Any]:
    """Return rules that a table fits.

    Raises `UserError` (`check-not-here`, `check-unreadable`), `OutsideError`.
    """
    if not (root / path).exists():
        raise UserError(
            f"{path} is not here",
            "Look at it with `ls`. What a pointer stands for is brought by: lockgate data get",
            code="check-not-here",
        )
    python = check_python()
    with tempfile.TemporaryDirectory(prefix="lockgate-check-") as folder:
        place = Path(folder) / "check.pyz"
        place.write_bytes(program())
        said = _run(root, [python, place, "suggest", path])
    if said.returncode == 1 and "Traceback" not in said.stderr:
        raise UserError(
            last_line(said.stderr) or f"{path} cannot be read as a table",
            "Checks read CSV, TSV, JSON lines and Parquet, in UTF-8.",
            code="check-unreadable",
        )
    if said.returncode != 0:
        raise _crashed(path, said)
    return msgspec.json.decode(said.stdout, type=dict[str, Any])


def write_check(root: Path, path: str, rules: dict[str, Any]) -> None:
    """Put rules for a table into `lockgate.toml`.

    Raises `UserError` (`check-there`, what is wrong in that file), `OutsideError` (`manifest-unwritable`).
    """
    write_manifest(root, with_check(manifest_text(root) or "", path, rules))


def check_python() -> Path:
    """Return the interpreter of the runtime of checks, on this person's own hub."""
    hub, _ = create_hub(private_hub_root())
    return build_check_runtime(Runtimes(hub.runtimes))


def _run(root: Path, words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [words[0], "-B", *words[1:]],
        cwd=root,
        env=kept | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _crashed(path: str, said: subprocess.CompletedProcess[str]) -> OutsideError:
    cause = last_line(said.stderr) or f"it ended with {said.returncode}"
    return OutsideError(
        f"the check of {path} broke: {cause}",
        "Is there memory and room on the disk? If so, report it with this line.",
        code="check-crashed",
    )
