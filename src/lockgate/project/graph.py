"""Which stage waits for which: needs matched with what other stages make."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from lockgate.errors import UserError
from lockgate.project.globs import compile_glob, fixed_folder, is_glob, may_hold
from lockgate.project.pipeline import Pipeline, Stage


def upstream(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """Return for every stage those whose makes it needs, in the order written.

    A need is met by a path that is the same, lies under it, or lies around it; a pattern by a path it
    takes, or by a folder that may hold what it takes. A need that merely lies around what the stage itself
    makes, or a pattern that takes it, does not make it wait for itself.

    A stage without needs waits for all stages written above it but those that wait for it. Only the nearest
    of them are named: each other one is upstream of a named one.

    What needs a table that is checked waits for the check too. A stage without needs does so unless the check
    waits for it: of a table that it makes, or that is compared with one that it makes.
    """
    stages = pipeline.stages
    makes = _Makes(stages)
    edges: list[tuple[int, ...]] = [
        makes.needed_by(number, stage) if stage.needs is not None else ()
        for number, stage in enumerate(stages)
    ]
    if any(stage.needs is None for stage in stages):
        _Order(stages, edges).fill()
    if any(stage.checks is not None for stage in stages):
        _Checks(stages, edges).fill()
    names = [stage.name for stage in stages]
    return {names[at]: tuple([names[other] for other in found]) for at, found in enumerate(edges)}


def topological(pipeline: Pipeline, upstream: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return every stage after those it waits for; the one written first among those that are ready.

    Raises `UserError` (`pipeline-circle`) where stages wait for each other.
    """
    ring = find_circle(upstream)
    if ring:
        raise UserError(
            f"stages wait for each other: {' → '.join(ring)}",
            f"Take out one of the needs on the way from {ring[0]} back to {ring[0]}.",
            code="pipeline-circle",
        )
    numbers = {stage.name: number for number, stage in enumerate(pipeline.stages)}
    waiting, downstream = _turned(upstream)
    ready = [numbers[name] for name, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = pipeline.stages[heapq.heappop(ready)].name
        order.append(name)
        for other in downstream[name]:
            waiting[other] -= 1
            if waiting[other] == 0:
                heapq.heappush(ready, numbers[other])
    return tuple(order)


def find_circle(upstream: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return one ring of stages that wait for each other, its first name repeated at its end; () if none."""
    waiting, downstream = _turned(upstream)
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        for other in downstream[ready.pop()]:
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    left = [name for name, count in waiting.items() if count]
    if not left:
        return ()
    seen: dict[str, int] = {}
    walk: list[str] = []
    name = left[0]
    while name not in seen:
        seen[name] = len(walk)
        walk.append(name)
        name = next(other for other in upstream[name] if waiting[other])
    ring = walk[seen[name] :]
    written = {name: number for number, name in enumerate(upstream)}
    first = ring.index(min(ring, key=written.__getitem__))
    return (*ring[first:], *ring[: first + 1])


def _turned(upstream: Mapping[str, Sequence[str]]) -> tuple[dict[str, int], dict[str, list[str]]]:
    downstream: dict[str, list[str]] = {name: [] for name in upstream}
    for name, found in upstream.items():
        for other in found:
            downstream[other].append(name)
    return {name: len(found) for name, found in upstream.items()}, downstream


class _Makes:
    """Every path made, looked up by itself, by the folders around it, by patterns."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.maker: dict[str, int] = {}
        self.under: dict[str, list[str]] = {}
        for number, stage in enumerate(stages):
            for path in stage.makes:
                self.maker.setdefault(path, number)
        for path in self.maker:
            for folder in _around(path):
                self.under.setdefault(folder, []).append(path)
        self.matches: dict[str, frozenset[int]] = {}

    def needed_by(self, number: int, stage: Stage) -> tuple[int, ...]:
        needs: tuple[str, ...] = stage.needs or ()
        needs = (*needs, *(path for path in (stage.notebook, stage.spark) if path is not None))
        if stage.params_files:
            needs = (*needs, *stage.params_files)
        found: set[int] = set()
        for need in needs:
            inside = self.at_or_around(need)
            if inside is not None:
                found.add(inside)
            elif is_glob(need) or need in self.under:
                found |= self.met_by(need) - {number}
        return tuple(sorted(found))

    def at_or_around(self, need: str) -> int | None:
        maker = self.maker.get(need)
        if maker is not None:
            return maker
        for folder in _around(need):
            if folder in self.maker and not is_glob(need):
                return self.maker[folder]
        return None

    def met_by(self, need: str) -> frozenset[int]:
        found = self.matches.get(need)
        if found is None:
            found = self.matches[need] = frozenset(
                self.maker[path] for path in (self.taken(need) if is_glob(need) else self.under[need])
            )
        return found

    def taken(self, pattern: str) -> Iterable[str]:
        folder = fixed_folder(pattern)
        candidates = self.under.get(folder) if folder else self.maker
        if candidates:
            is_match = compile_glob(pattern)
            yield from (path for path in candidates if is_match(path) or may_hold(pattern, path))
        for path in (folder, *_around(folder)):
            if path in self.maker:
                yield path


class _Checks:
    """Lets stages wait for the checks of what they need."""

    def __init__(self, stages: Sequence[Stage], edges: list[tuple[int, ...]]) -> None:
        self.stages = stages
        self.edges = edges
        self.checks = [number for number, stage in enumerate(stages) if stage.checks is not None]
        self.taken: dict[str, tuple[int, ...]] = {}

    def fill(self) -> None:
        for number, stage in enumerate(self.stages):
            if stage.checks is None and stage.needs is not None:
                found = {check for need in stage.needs for check in self.of_need(need)}
                self.edges[number] = tuple(sorted({*self.edges[number], *found}))
        whole = [at for at, stage in enumerate(self.stages) if stage.checks is None and stage.needs is None]
        for check in self.checks:
            above = self.above(check)
            makers = set(self.edges[check])
            for number in whole:
                if number not in above and makers <= self.above(number):
                    self.edges[number] = (*self.edges[number], check)

    def of_need(self, need: str) -> tuple[int, ...]:
        """Return the checks of what a need takes, lies in, or lies around."""
        if need not in self.taken:
            is_match = compile_glob(need) if is_glob(need) else None
            self.taken[need] = tuple(
                check
                for check in self.checks
                if _meets(need, self.stages[check].checks or "")
                or (is_match is not None and is_match(self.stages[check].checks or ""))
            )
        return self.taken[need]

    def above(self, number: int) -> set[int]:
        found: set[int] = set()
        pending = list(self.edges[number])
        while pending:
            other = pending.pop()
            if other not in found:
                found.add(other)
                pending += self.edges[other]
        return found


def _meets(need: str, path: str) -> bool:
    if is_glob(need):
        return may_hold(need, path)
    return need == path or path.startswith(f"{need}/") or need.startswith(f"{path}/")


def _around(path: str) -> Iterable[str]:
    """Return the folders a path lies in, the nearest first."""
    at = path.rfind("/")
    while at > 0:
        path = path[:at]
        yield path
        at = path.rfind("/")


class _Order:
    """Gives stages without needs their place: below all written above them, as far as no circle comes of it.

    The frontier is the stages so far that no other one so far waits for: who waits for them waits for all.
    """

    def __init__(self, stages: Sequence[Stage], edges: list[tuple[int, ...]]) -> None:
        self.stages = stages
        self.edges = edges
        self.downstream: list[list[int]] = [[] for _ in stages]
        for number, found in enumerate(edges):
            for other in found:
                self.downstream[other].append(number)

    def fill(self) -> None:
        frontier: dict[int, None] = {}
        for members in self.groups():
            above = members[0]
            shared = tuple(frontier)
            for number in members:
                if self.stages[number].needs is None:
                    self.place(number, above, shared)
            for number in members:
                for other in self.edges[number]:
                    frontier.pop(other, None)
            for number in members:
                if not any(other < members[-1] for other in self.downstream[number]):
                    frontier[number] = None

    def groups(self) -> Iterable[range]:
        """Yield the members of one matrix together: none is written above another."""
        start = 0
        for number in range(1, len(self.stages) + 1):
            if number == len(self.stages) or self.stages[number].group != self.stages[start].group:
                yield range(start, number)
                start = number

    def place(self, number: int, above: int, frontier: tuple[int, ...]) -> None:
        below = self.waiting_for(number)
        if any(other < above for other in below):
            free = [other for other in range(above) if other not in below]
            allowed = set(free)
            frontier = tuple(other for other in free if allowed.isdisjoint(self.downstream[other]))
        self.edges[number] = tuple(sorted({*frontier, *self.edges[number]}))
        for other in frontier:
            self.downstream[other].append(number)

    def waiting_for(self, number: int) -> set[int]:
        found: set[int] = set()
        pending = list(self.downstream[number])
        while pending:
            other = pending.pop()
            if other not in found:
                found.add(other)
                pending += self.downstream[other]
        return found
