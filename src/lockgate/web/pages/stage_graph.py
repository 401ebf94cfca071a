"""The stages of a run as a picture: layers from left to right, who waits for whom as lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import msgspec
from markupsafe import Markup

from lockgate.hub.showing.stage_layers import layers_of
from lockgate.web.words import state_word

_TALL = 52
#: Pixels of a letter in the widest of the usual fonts: of a name, and of the line below it.
_NAME_LETTER, _NOTE_LETTER = 8.6, 7.1
#: What of a box's width is not for letters: the mark and the edges.
_MARGIN = 42
#: The longest name of a run makes its boxes so wide, in letters of a name.
_LETTERS_AT_LEAST, _LETTERS_AT_MOST = 22, 36
_GAP_X, _GAP_Y = 44, 14
_EDGE = 8
#: A picture of more stages than this helps nobody; the list does.
SHOWN_AT_MOST = 150

#: State → the path of its mark, in a box of 12 by 12.
_MARKS = {
    "succeeded": "M1 6.5 4.5 10 11 2.5",
    "cached": "M2 6a4 4 0 1 1 1.2 2.9M2 11V8.5h2.5",
    "failed": "M2 2l8 8M10 2l-8 8",
    "running": "M6 1a5 5 0 1 1-5 5",
    "submitted": "M6 1a5 5 0 1 0 0 10 5 5 0 0 0 0-10M6 3.5V6l2 1.5",
    "waiting": "M6 1a5 5 0 1 0 0 10 5 5 0 0 0 0-10M6 3.5V6l2 1.5",
    "cancelled": "M6 1a5 5 0 1 0 0 10 5 5 0 0 0 0-10M2.5 2.5l7 7",
    "blocked": "M2 6h8",
}


class Node(msgspec.Struct, frozen=True):
    """One stage: `note` is its reason or cause in words, `href` where a click on it leads."""

    name: str
    state: str
    note: str
    href: str


def draw(nodes: Sequence[Node], upstream: Mapping[str, Sequence[str]]) -> Markup:
    """Return the picture; nothing for no stages or too many."""
    if not nodes or len(nodes) > SHOWN_AT_MOST:
        return Markup("")
    layers = layers_of([node.name for node in nodes], upstream)
    tallest = max(len(layer) for layer in layers)
    height = tallest * (_TALL + _GAP_Y) - _GAP_Y + 2 * _EDGE
    wide = _wide(nodes)
    width = len(layers) * (wide + _GAP_X) - _GAP_X + 2 * _EDGE
    places: dict[str, tuple[float, float]] = {}
    for column, layer in enumerate(layers):
        top = (height - (len(layer) * (_TALL + _GAP_Y) - _GAP_Y)) / 2
        for row, name in enumerate(layer):
            places[name] = (_EDGE + column * (wide + _GAP_X), top + row * (_TALL + _GAP_Y))
    edges = [
        _edge(places[other], places[node.name], wide)
        for node in nodes
        for other in upstream.get(node.name, ())
        if other in places
    ]
    boxes = [_box(node, *places[node.name], wide) for node in nodes]
    return Markup(
        '<svg class="graph" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="group"'
        ' aria-label="Stages of the run and what they wait for">{2}{3}</svg>'
    ).format(width, int(height), Markup("").join(edges), Markup("").join(boxes))


def _wide(nodes: Sequence[Node]) -> int:
    longest = max(len(node.name) for node in nodes)
    return ceil(_MARGIN + _NAME_LETTER * min(max(longest, _LETTERS_AT_LEAST), _LETTERS_AT_MOST))


def _edge(start: tuple[float, float], end: tuple[float, float], wide: int) -> Markup:
    x1, y1, x2, y2 = start[0] + wide, start[1] + _TALL / 2, end[0], end[1] + _TALL / 2
    bend = (x2 - x1) / 2
    return Markup('<path class="edge" d="M{:.0f} {:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>').format(
        x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2
    )


def _box(node: Node, x: float, y: float, wide: int) -> Markup:
    word = state_word(node.state)
    told = f"{node.name}: {word}" + (f", {node.note}" if node.note else "")
    is_plain = node.state.isalpha() and node.state.isascii()
    mark = _MARKS.get(node.state, _MARKS["running"])
    return Markup(
        '<a href="{href}" aria-label="{told}"><g class="node {state}" transform="translate({x:.0f} {y:.0f})">'
        "<title>{told}</title>"
        '<rect class="box" width="{wide}" height="{tall}" rx="6"/>'
        '<rect class="stripe" x="0" y="8" width="4" height="{stripe}" rx="2"/>'
        '<g transform="translate(14 12)"><path class="mark{spin}" d="{mark}"/></g>'
        '<text class="title" x="34" y="22">{name}</text>'
        '<text class="sub" x="34" y="40">{sub}</text></g></a>'
    ).format(
        href=node.href,
        told=told,
        state=node.state if is_plain else "",
        x=x,
        y=y,
        wide=wide,
        tall=_TALL,
        stripe=_TALL - 16,
        spin=" spin" if node.state == "running" else "",
        mark=mark,
        name=_without_middle(node.name, int((wide - _MARGIN) / _NAME_LETTER)),
        sub=_fit(f"{word} · {node.note}" if node.note else word, int((wide - _MARGIN) / _NOTE_LETTER)),
    )


def _without_middle(name: str, length: int) -> str:
    """Stages of a matrix differ at the end of their names."""
    if len(name) <= length:
        return name
    end = (length - 1) * 2 // 3
    return f"{name[: length - 1 - end]}…{name[-end:]}"


def _fit(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
