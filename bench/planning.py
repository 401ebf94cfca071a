"""What planning 10,000 stages costs, from the manifest's text to every stage's reason.

Run: python bench/planning.py [--json] [stages]
Prints one row a shape, milliseconds a part, and the process's peak memory. Planning (inputs, graph,
fingerprints, reasons) is to take less than 1 s, the process less than 300 MB.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from lockgate.git.listing import FILE, Entry, blob_id
from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import parse_manifest
from lockgate.runs.inputs import Inputs
from lockgate.runs.plan import Known, Plan, Planner, command_of
from lockgate.runs.record import Artifact, StageRecord

RUNTIME = "r" * 64
T = TypeVar("T")


def chains(count: int) -> str:
    """Chains of ten stages, each with a script and a folder of data."""
    text = []
    for number in range(count):
        before = f', "out/{number - 1}.csv"' if number % 10 else ""
        text.append(
            f'[stages.s{number}]\nrun = "python s{number}.py"\n'
            f'needs = ["s{number}.py", "data/d{number % 100}"{before}]\nmakes = ["out/{number}.csv"]\n'
        )
    return "\n".join(text)


def matrix(count: int) -> str:
    """A matrix between one stage and one that takes all it makes by a pattern."""
    side = int((count - 2) ** 0.5)
    values = list(range(side))
    return (
        '[stages.prepare]\nrun = "python s0.py"\nneeds = ["s0.py", "data"]\nmakes = ["out/table"]\n\n'
        '[stages.train]\nrun = "python s1.py {a} {b}"\nneeds = ["s1.py", "out/table"]\n'
        f'makes = ["out/m-{{a}}-{{b}}"]\nmatrix = {{ a = {values}, b = {values} }}\n\n'
        '[stages.report]\nrun = "python s2.py"\nneeds = ["s2.py", "out/m-*"]\nmakes = ["report.html"]\n'
    )


def whole(count: int) -> str:
    """A matrix whose members declare no needs: each needs the whole repository."""
    return (
        f'[stages.it]\nrun = "python s1.py {{a}}"\nmakes = ["out/m-{{a}}"]\n'
        f"matrix = {{ a = {list(range(count))} }}\n"
    )


def bare(count: int) -> str:
    """A chain of stages that declare no needs: each needs the repository and all made above it."""
    count = min(count, 1000)
    return "\n".join(f'[stages.s{n}]\nrun = "python s{n}.py"\nmakes = ["out/{n}"]\n' for n in range(count))


SHAPES = {"chains": chains, "matrix": matrix, "no needs": whole, "bare chain": bare}


def files(count: int) -> dict[str, Entry]:
    names = [f"s{number}.py" for number in range(count)]
    names += [f"data/d{number % 100}/{number}.csv" for number in range(1000)]
    return {name: Entry(FILE, blob_id(name.encode())) for name in names}


def timed(call: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    value = call()
    return value, (time.perf_counter() - began) * 1000


def records(planner: Planner) -> dict[str, StageRecord]:
    """What a run of everything would have left, by fingerprint."""
    found: dict[str, StageRecord] = {}
    done: dict[str, StageRecord] = {}
    for planned in planner.plan().stages:
        name = planned.name
        stage, digest = planner.stage(name), planner.fingerprint_of(name, done) or ""
        found[digest] = done[name] = StageRecord(
            stage=name,
            fingerprint=digest,
            run="01ARZ3NDEKTSV4RRFFQ69G5FAV",
            commit="c" * 40,
            member="ana",
            ended_at="2026-01-01T00:00:00Z",
            command=command_of(stage),
            runtime=RUNTIME,
            params=stage.params,
            needs=planner.needs_of(name, done) or (),
            artifacts=tuple(Artifact(path=path, size_bytes=1, md5=digest[:32]) for path in stage.makes),
        )
    return found


def measure(shape: str, count: int, is_json: bool) -> None:
    text, listing = SHAPES[shape](count), files(count)
    manifest, parsing = timed(lambda: parse_manifest(text, "lockgate.toml"))
    pipeline, expanding = timed(lambda: build_pipeline(manifest, {}, "bench"))

    def plan(known: dict[str, StageRecord]) -> tuple[Planner, Plan]:
        by_name = {record.stage: record for record in known.values()}
        inputs = Inputs(pipeline, listing, {})
        planner = Planner(pipeline, inputs, RUNTIME, Known(known.get, by_name.get))
        return planner, planner.plan()

    (planner, first), fresh = timed(lambda: plan({}))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    known = records(planner)
    del planner
    gc.collect()
    (_, again), cached = timed(lambda: plan(known))
    assert again.is_nothing_to_do
    assert not first.is_nothing_to_do
    stages = len(pipeline.stages)
    if is_json:
        ours, note = expanding + fresh, f"{peak:.0f} MB of 300; parsing the text {parsing:.0f} ms more"
        what = f"planning {stages:,} stages, {shape}: expand, check, plan"
        print(json.dumps([what, "—", None, ours, None, "< 1 s, < 300 MB", ours < 1000 and peak < 300, note]))
        return
    print(
        f"| {shape:10} | {stages:6} | {parsing:8.0f} | {expanding:9.0f} | {fresh:10.0f} "
        f"| {cached:10.0f} | {peak:7.0f} |"
    )


def main() -> None:
    is_json = "--json" in sys.argv
    arguments = [word for word in sys.argv[1:] if word != "--json"]
    count = int(arguments[0]) if arguments else 10_000
    if not is_json:
        print("| shape      | stages | parse ms | expand ms | never run ms | all known ms | peak MB |")
        print("| ---------- | -----: | -------: | --------: | ---------: | ---------: | ------: |")
    sys.stdout.flush()
    for shape in SHAPES:
        # A process of its own: peak memory never falls again within one
        child = multiprocessing.get_context("spawn").Process(target=measure, args=(shape, count, is_json))
        child.start()
        child.join()
        if child.exitcode != 0:
            sys.exit(1)


if __name__ == "__main__":
    main()
