"""Objects of one repository, asked for one after another: a single git process answers all questions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from lockgate.errors import OutsideError, UserError
from lockgate.git.contents import AS_WRITTEN, Content
from lockgate.git.listing import FOLDER, Entry, parse_tree
from lockgate.git.program import QUARANTINE, clean_environment

#: So many bytes of questions are under way at a time: a pipe holds more, so neither side waits for the other.
_ASKED_BYTES = 16_000
#: What a listing holds at most; so deep are folders at most for git too (git-config(1), core.maxTreeDepth).
MOST_FILES, MOST_LEVELS = 2_000_000, 2_048
_KINDS = ("blob", "tree", "commit", "tag")


class Batch:
    """Answers of `git cat-file --batch`, begun at the first question; a context manager that ends it.

    For one thread. Every method raises `OutsideError` (`git-failed`, `git-missing`).
    """

    def __init__(self, repository: Path, *, is_quarantined: bool = False) -> None:
        """`is_quarantined`: objects of a push under way are found too."""
        self.repository = repository
        self._kept = QUARANTINE if is_quarantined else ()
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs.values():
            program.communicate()
        self._programs.clear()

    def read(self, expression: str) -> Content | None:
        """Return what an expression (`<id>`, `<commit>:<path>`, …) names; None where nothing is."""
        return next(self.read_many([expression]))

    def read_many(self, expressions: Sequence[str]) -> Iterator[Content | None]:
        """Yield what each expression names, in order. An expression holds no line break."""
        for count, output in self._asked("--batch", expressions):
            # All of a part at once: whoever goes through the answers may ask for something else between them
            yield from [self._content(output) for _ in range(count)]

    def sizes(self, expressions: Sequence[str]) -> Iterator[int | None]:
        """Yield how many bytes each object has, in order; None where there is none."""
        for count, output in self._asked("--batch-check", expressions):
            told = [self._told(output) for _ in range(count)]
            yield from [each[2] if each is not None else None for each in told]

    def listing(self, commit: str) -> dict[str, Entry]:
        """Return what `parse_ls_tree` reads of a commit, in the same order.

        Raises `UserError` (`tree-too-large`) too.
        """
        top = self.read(f"{commit}^{{tree}}")
        if top is None:
            raise self._broken()
        trees: dict[str, dict[bytes, Entry]] = {}
        new = [top]
        try:
            while new:
                trees |= {each.id: parse_tree(each.content) for each in new}
                inside = (entry for each in new for entry in trees[each.id].values() if entry.mode == FOLDER)
                asked = {entry.id: None for entry in inside if entry.id not in trees}
                new = [each for each in self.read_many(list(asked)) if each is not None]
                if len(new) != len(asked):
                    raise self._broken()
        except ValueError:
            raise self._broken() from None
        return _flat(trees, top.id)

    def _content(self, output: IO[bytes]) -> Content | None:
        told = self._told(output)
        if told is None:
            return None
        id, kind, size = told
        content = output.read(size + 1)
        if len(content) != size + 1:
            raise self._broken()
        return Content(id, kind, content[:-1])

    def _asked(self, mode: str, expressions: Sequence[str]) -> Iterator[tuple[int, IO[bytes]]]:
        """Send the questions part by part; each part's answers are to be read before the next one is sent."""
        lines = [f"{each}\n".encode("utf-8", "surrogateescape") for each in expressions]
        at = 0
        while at < len(lines):
            end, size = at, 0
            while end < len(lines) and (end == at or size + len(lines[end]) <= _ASKED_BYTES):
                size += len(lines[end])
                end += 1
            program = self._program(mode)
            assert program.stdin is not None and program.stdout is not None
            try:
                program.stdin.write(b"".join(lines[at:end]))
                program.stdin.flush()
            except OSError:
                raise self._broken() from None
            yield end - at, program.stdout
            at = end

    def _told(self, output: IO[bytes]) -> tuple[str, str, int] | None:
        """Read git-cat-file(1), Batch output: `<id> <kind> <size>`; else `… missing` and the like."""
        line = output.readline()
        if not line.endswith(b"\n"):
            raise self._broken()
        fields = line[:-1].decode("utf-8", "replace").rsplit(" ", 2)
        if len(fields) == 3 and fields[1] in _KINDS and fields[2].isdigit():
            return fields[0], fields[1], int(fields[2])
        return None

    def _program(self, mode: str) -> subprocess.Popen[bytes]:
        if mode not in self._programs:
            try:
                self._programs[mode] = subprocess.Popen(
                    ["git", "-C", os.fspath(self.repository), "cat-file", mode],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    env=clean_environment(self._kept) | AS_WRITTEN,
                )  # fmt: skip
            except FileNotFoundError:
                raise OutsideError(
                    "git is not installed, or not on PATH", "Install git 2.34 or newer.", code="git-missing"
                ) from None
        return self._programs[mode]

    def _broken(self) -> OutsideError:
        return OutsideError(
            f"git cat-file broke off in {self.repository}",
            f"Run: git -C {self.repository} fsck",
            code="git-failed",
        )


def _flat(trees: Mapping[str, Mapping[bytes, Entry]], top: str) -> dict[str, Entry]:
    """Return all but the folders of a tree by their paths, in git's order.

    A few folders that name each other many times over unfold into more files than memory holds.
    """
    listing: dict[str, Entry] = {}
    under = [("", iter(trees[top].items()))]
    while under:
        if len(under) > MOST_LEVELS:
            raise _too_large()
        folder, rows = under[-1]
        for name, entry in rows:
            path = folder + name.decode("utf-8", "surrogateescape")
            if entry.mode == FOLDER:
                under.append((f"{path}/", iter(trees[entry.id].items())))
                break
            listing[path] = entry
            if len(listing) > MOST_FILES:
                raise _too_large()
        else:
            under.pop()
    return listing


def _too_large() -> UserError:
    return UserError(
        f"the project has more than {MOST_FILES:,} files, or folders more than {MOST_LEVELS:,} deep",
        "Keep many small files as data: lockgate data add FOLDER",
        code="tree-too-large",
    )
