"""A place to run a page's blocks in: a fresh home, a hub of its own, a project where the page names one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
from docs_pages import ROOT, Block

from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import parse_manifest

PROJECTS = (ROOT / "tests" / "docs" / "projects", ROOT / "examples")
COMMAND_S = 150
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

_WRAP = """\
. "$DOCS_STATE/env"
cd "$(cat "$DOCS_STATE/cwd")" || exit 97
trap 'docs_code=$?; export -p >"$DOCS_STATE/env"; pwd >"$DOCS_STATE/cwd"; exit $docs_code' EXIT
set -e
"""


class Step(msgspec.Struct, frozen=True):
    """One command of a console block and what is shown below it."""

    command: str
    expected: tuple[str, ...]


class PageError(AssertionError):
    """A block did not do what the page says."""


def steps(text: str) -> list[Step]:
    """Split a console block: `$ ` begins a command, `> ` goes on with it, the rest is what it prints."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1][0].append(line[2:])
        elif found:
            found[-1][1].append(line)
        elif line.strip():
            raise PageError(f"a console block begins with {line!r}, not with a command after '$ '")
    return [Step("\n".join(command), _without_blank_end(expected)) for command, expected in found]


def _without_blank_end(lines: list[str]) -> tuple[str, ...]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return tuple(lines)


def is_shown(expected: tuple[str, ...], printed: str) -> bool:
    """Return whether `printed` is what the page shows; `…` stands for anything, alone in a line for lines."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[^\S\n]*\n"
    return re.fullmatch(pattern, printed) is not None


def plain(printed: str) -> str:
    """Return output as it stands on a screen at the end: no colour, lines overwritten by CR left out."""
    lines = _COLOUR.sub("", printed).replace("\r\n", "\n").split("\n")
    shown = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines]
    while shown and not shown[-1]:
        shown.pop()
    return "".join(line + "\n" for line in shown)


class Sandbox:
    """Runs blocks in order; folder and exported variables live on from one to the next."""

    def __init__(self, folder: Path, project: str | None = None) -> None:
        self.home = folder / "home"
        self.state = folder / "state"
        self.start = self.home / Path(project or "work").name
        self.state.mkdir(parents=True)
        self.home.mkdir()
        shutil.copy(Path.home() / ".gitconfig", self.home / ".gitconfig")
        if project:
            self._lay(project)
        else:
            self.start.mkdir()
        (self.state / "cwd").write_text(f"{self.start}\n", encoding="utf-8")
        (self.state / "env").write_text("", encoding="utf-8")

    def _lay(self, project: str) -> None:
        source = next((base / project for base in PROJECTS if (base / project).is_dir()), None)
        if source is None:
            raise PageError(f"the page names project {project!r}, which is in none of {PROJECTS}")
        shutil.copytree(source, self.start, ignore=shutil.ignore_patterns("__pycache__"))
        script = "git init -q && git add . && git commit -q -m 'The project'"
        subprocess.run(["sh", "-c", script], cwd=self.start, env=self.environment(), check=True)

    def environment(self) -> dict[str, str]:
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "LOCKGATE_"))
        }
        return own | {
            "HOME": str(self.home),
            "LOCKGATE_HUB": str(self.home / "hub"),
            "DOCS_STATE": str(self.state),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "COLUMNS": "100",
            "PAGER": "cat",
        }

    def run(self, block: Block) -> None:
        """Do what `block` says; raise `PageError` where something else happens than the page shows."""
        if block.title is not None:
            path = self.folder() / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if path.name == "lockgate.toml":
                build_pipeline(parse_manifest(block.text), {}, "page")
        elif block.language == "toml":
            check_fragment(block.text)
        elif block.language == "python":
            code, printed = self.call([sys.executable, "-c", block.text], self.folder())
            _expect_code(block, code, printed, "the block")
        elif block.language == "sh":
            code, printed = self.shell(block.text)
            _expect_code(block, code, printed, "the block")
        else:
            self.console(block)

    def console(self, block: Block) -> None:
        every = steps(block.text)
        for number, step in enumerate(every):
            code, printed = self.shell(step.command)
            is_last = number == len(every) - 1
            _expect_code(block, code, printed, step.command, block.exit_code if is_last else 0)
            if step.expected and not is_shown(step.expected, printed):
                shown = "\n".join(step.expected)
                raise PageError(
                    f"{block.place}: $ {step.command}\n-- the page shows\n{shown}\n-- it printed\n{printed}"
                )

    def folder(self) -> Path:
        return Path((self.state / "cwd").read_text(encoding="utf-8").removesuffix("\n"))

    def shell(self, script: str) -> tuple[int, str]:
        return self.call(["sh", "-c", _WRAP + script], self.start)

    def call(self, command: list[str], folder: Path) -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_S,
            check=False,
        )
        return done.returncode, plain(done.stdout.decode("utf-8", "replace"))


def _expect_code(block: Block, code: int, printed: str, what: str, wanted: int | None = None) -> None:
    wanted = block.exit_code if wanted is None else wanted
    if code != wanted:
        raise PageError(f"{block.place}: exit code {code}, not {wanted}: {what}\n{printed}")


def check_fragment(text: str) -> None:
    """Read a piece of a `lockgate.toml`; every key in it must be one that Lockgate knows."""
    parse_manifest(text)
