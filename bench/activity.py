"""What one more activity costs at the start of a chain and at its hundred-thousandth entry.

Run: python bench/activity.py [--json] [entries]
Prints both medians in milliseconds and their ratio, which is to stay at or below 1.2.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lockgate.activity.chain import REF, append, compose_message, read, render
from lockgate.activity.entry import Activity
from lockgate.activity.key import Key, create_key
from lockgate.activity.verify import verify
from lockgate.git.objects import Repository

AT = 1_770_000_000
SAMPLES = 400


def activity(number: int) -> Activity:
    return Activity(
        kind="run.finished",
        at="2026-02-02T02:40:00Z",
        by="ana",
        title=f"Run {number} finished",
        run=f"01J{number:023d}",
        evidence={"number": number},
    )


def build(path: Path, key: Key, count: int) -> Repository:
    """Make a chain of `count` entries, all but the last unsigned: the cost of an append does not know."""
    subprocess.run(["git", "init", "-q", "--bare", path], check=True)
    repository = Repository(path)
    importer = subprocess.Popen(["git", "-C", path, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    assert importer.stdin is not None
    for number in range(count):
        content, message = render(activity(number)), compose_message(activity(number)).encode()
        importer.stdin.write(
            b"commit %s\ncommitter Hub <hub@localhost> %d +0000\ndata %d\n%s\n"
            b"M 100644 inline activity.json\ndata %d\n%s\n"
            % (REF.encode(), AT + number, len(message), message, len(content), content)
        )
    importer.stdin.close()
    if importer.wait() != 0:
        sys.exit("git fast-import failed")
    append(repository, activity(count), key, at_epoch_s=AT)
    return repository


def measure(repositories: list[Repository], key: Key) -> list[float]:
    """Median milliseconds of an append to each, in turns and in changing order: both see the same machine."""
    taken: dict[Path, list[float]] = {repository.path: [] for repository in repositories}
    # What building left to write would be waited for by the first appends' own flush to disk
    os.sync()
    for number in range(SAMPLES):
        for repository in repositories if number % 2 else reversed(repositories):
            began = time.perf_counter()
            append(
                repository, activity(number), key, {"logs/train.txt": b"epoch %d\n" % number}, at_epoch_s=AT
            )
            taken[repository.path].append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in taken.values()]


def main() -> None:
    arguments = [word for word in sys.argv[1:] if word != "--json"]
    count = int(arguments[0]) if arguments else 100_000
    with tempfile.TemporaryDirectory() as folder:
        key = create_key(Path(folder) / "key")
        began = time.perf_counter()
        short, long = (build(Path(folder) / f"{n}.git", key, n) for n in (100, count))
        print(f"built in {time.perf_counter() - began:.1f} s")
        at_start, at_end = measure([short, long], key)
        print(f"append at entry     100: {at_start:.2f} ms")
        print(f"append at entry {count:7d}: {at_end:.2f} ms")
        if "--json" in sys.argv:
            ratio = at_end / at_start
            what, floor = f"activity append at {count:,} entries", "append at 100 entries"
            print(json.dumps([what, floor, at_start, at_end, ratio, "≤ 1.2 ×", ratio <= 1.2]))
            return
        print(f"ratio: {at_end / at_start:.2f} (to stay at or below 1.2)")
        began = time.perf_counter()
        newest = list(read(long.path, 50))
        print(f"the newest {len(newest)} of {count}: {(time.perf_counter() - began) * 1000:.1f} ms")
        began = time.perf_counter()
        result = verify(short.path, key.public_line)
        print(f"verify: {(time.perf_counter() - began) * 1000 / result.count:.2f} ms an entry")


if __name__ == "__main__":
    main()
