"""Large data: adding, looking again, changing one of many, going to another version.

The floors are Python's own md5 of the same bytes, git on the same files, and DVC where it is on PATH.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

from measure import LOCKGATE, Row, environment, paired, paired_times, program, sh, timed

_HASH = "import hashlib, sys; hashlib.file_digest(open(sys.argv[1], 'rb'), 'md5')"
_PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); \
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def data(scratch: Path, quick: bool) -> list[Row]:
    env = environment(scratch)
    rows = _one_large(scratch, env, 64 << 20 if quick else 2 << 30, 1 if quick else 3)
    for count, size, bar in [(500, 1000, 0.5)] if quick else [(10_000, 10_240, 0.5), (100_000, 1024, 0.35)]:
        rows += _many_small(scratch, env, count, size, bar, 2 if quick else 7)
    return rows


def _one_large(scratch: Path, env: dict[str, str], size: int, rounds: int) -> list[Row]:
    rows = []
    for kind, bar in (("hardlink", 1.1), ("copy", 1.5)):
        folder = scratch / kind
        folder.mkdir()
        sh(f"git init -q && mkdir .dvc && printf '[cache]\\n type = {kind}\\n' > .dvc/config", folder, env)
        sh(f"head -c {size} /dev/urandom > big.bin", folder, env)
        rows.append(
            paired(
                f"add a file of {size / 2**30:.2g} GiB, {kind}",
                "hashlib's md5 of it",
                program([sys.executable, "-c", _HASH, "big.bin"], folder, env),
                program([LOCKGATE, "data", "add", "big.bin"], folder, env),
                bar,
                rounds,
                before=lambda folder=folder: sh(
                    "chmod u+w big.bin; rm -rf .dvc/cache .git/lockgate big.bin.dvc", folder, env
                ),
            )
        )
        shutil.rmtree(folder)
    return rows


def _many_small(
    scratch: Path, env: dict[str, str], count: int, size: int, bar: float, rounds: int
) -> list[Row]:
    what = f"{count:,} files of {size / 1024:.2g} KiB"
    source = scratch / f"source-{count}"
    for number in range(count):
        folder = source / f"{number // 1000:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.bin").write_bytes(random.randbytes(size))
    ours, git = (scratch / f"{name}-{count}" for name in ("ours", "git"))
    for place in (ours, git):
        place.mkdir()
        sh("git init -q && git config gc.auto 0 && git commit -q --allow-empty -m init", place, env)
        shutil.copytree(source, place / "data")
    rows = _beside_dvc(scratch, env, source, what, bar)
    sh(f"{LOCKGATE} data add data && git add -A && git commit -qm one", ours, env)
    sh("git add -A && git commit -qm one", git, env)
    # Once more, so that no file is as young as the last look at it
    sh(f"{LOCKGATE} data status", ours, env)
    commands = {
        "look again": (f"{LOCKGATE} data status", "git status --porcelain", lambda: None),
        "one changed, added again, committed": (
            f"{LOCKGATE} data add data && git add -A && git commit -qm two",
            "git add -A && git commit -qm two",
            lambda: [_change(place) for place in (ours, git)],
        ),
    }
    for name, (our_words, floor_words, before) in commands.items():
        rows.append(
            paired(
                f"{name}: {what}",
                floor_words,
                program(["sh", "-c", floor_words], git, env),
                program(["sh", "-c", our_words], ours, env),
                3,
                rounds,
                before=before,
            )
        )
    commands["one changed, added again, committed"][2]()
    sh(f"{LOCKGATE} data add data && git add -A && git commit -q --allow-empty -m three", ours, env)
    sh("git add -A && git commit -q --allow-empty -m three", git, env)
    forth = f"git checkout -q main 2>/dev/null || git checkout -q master; {LOCKGATE} data get"
    rows.append(
        paired(
            f"another version, one file differs: {what}",
            "git checkout",
            program(["sh", "-c", "git checkout -q HEAD~1"], git, env),
            program(["sh", "-c", f"git checkout -q HEAD~1 && {LOCKGATE} data get"], ours, env),
            3,
            rounds,
            before=lambda: (
                sh(forth, ours, env),
                sh("git checkout -q main 2>/dev/null || git checkout -q master", git, env),
            ),
        )
    )
    for place in (ours, git, source):
        shutil.rmtree(place)
    return rows


def _change(place: Path) -> None:
    file = place / "data/000/0.bin"
    file.unlink()
    file.write_bytes(random.randbytes(64))


def _beside_dvc(scratch: Path, env: dict[str, str], source: Path, what: str, bar: float) -> list[Row]:
    """Add them once with each, in fresh folders; and how much memory ours took."""
    ours = scratch / "add-ours"
    _fresh(ours, source, env, "true")
    peak_kb = int(sh(f"{sys.executable} -c '{_PEAK}' {LOCKGATE} data add data", ours, env))
    memory = Row(
        f"memory while adding {what}", "—", None, peak_kb / 1000, None, "≤ 200 MB", peak_kb <= 200_000,
        f"{peak_kb / 1000:.0f} MB (not ms)",
    )  # fmt: skip
    shutil.rmtree(ours)
    dvc = shutil.which("dvc")
    if dvc is None:
        return [memory]
    theirs = scratch / "add-theirs"
    times: list[tuple[float, float]] = []
    quiet = env | {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(scratch / "dvc-site")}
    for _ in range(2):
        _fresh(ours, source, env, "true")
        _fresh(theirs, source, quiet, f"{dvc} init -q")
        their_ms = timed(program([dvc, "add", "-q", "data"], theirs, quiet))
        times.append((their_ms, timed(program([LOCKGATE, "data", "add", "data"], ours, env))))
        shutil.rmtree(ours)
        shutil.rmtree(theirs)
    return [paired_times(f"add {what}", "dvc add", times, bar), memory]


def _fresh(folder: Path, source: Path, env: dict[str, str], begin: str) -> None:
    folder.mkdir()
    sh(f"git init -q && {begin}", folder, env)
    shutil.copytree(source, folder / "data")
    os.sync()
