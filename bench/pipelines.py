"""Pipelines of N trivial stages, for Lockgate and for make: stage i is `cat in/i.txt > out/i.txt`."""

from __future__ import annotations

from pathlib import Path

from measure import sh


def fan(folder: Path, count: int, env: dict[str, str]) -> None:
    """Write a git repository with both, the files committed."""
    (folder / "in").mkdir(parents=True)
    for number in range(count):
        (folder / "in" / f"{number}.txt").write_text(f"{number}\n")
    (folder / "lockgate.toml").write_text(
        '[project]\nname = "fan"\n'
        + "".join(
            f'\n[stages.s{n}]\nrun = "cat in/{n}.txt > out/{n}.txt"\n'
            f'needs = ["in/{n}.txt"]\nmakes = ["out/{n}.txt"]\n'
            for n in range(count)
        )
    )
    targets = " ".join(f"out/{n}.txt" for n in range(count))
    (folder / "Makefile").write_text(
        f"all: {targets}\n"
        + "".join(f"out/{n}.txt: in/{n}.txt\n\t@cat in/{n}.txt > $@\n" for n in range(count))
    )
    (folder / ".gitignore").write_text("Makefile\n")
    sh("git init -q -b main && git add -A && git commit -qm pipeline", folder, env)
