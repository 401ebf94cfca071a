"""Stages in layers from left to right, each right of all it waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def layers_of(names: Sequence[str], upstream: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the stages in layers: each stands right of all it waits for, as near as possible.

    Inside a layer they are ordered by where those they wait for stand. What is in a circle comes last.
    """
    known = set(names)
    depth: dict[str, int] = {}
    pending = list(names)
    while pending:
        ready = [name for name in pending if all(n in depth for n in upstream.get(name, ()) if n in known)]
        for name in ready or pending:
            depth[name] = 1 + max(
                (depth.get(n, -1) for n in upstream.get(name, ()) if n in known), default=-1
            )
        pending = [name for name in pending if name not in depth]
    layers: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name in names:
        layers[depth[name]].append(name)
    place: dict[str, float] = {}
    for layer in layers:
        layer.sort(key=lambda name: _centre(name, upstream, place))
        for at, name in enumerate(layer):
            place[name] = at - len(layer) / 2
    return layers


def _centre(name: str, upstream: Mapping[str, Sequence[str]], place: Mapping[str, float]) -> float:
    found = [place[other] for other in upstream.get(name, ()) if other in place]
    return sum(found) / len(found) if found else 0.0
