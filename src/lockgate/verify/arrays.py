"""Two arrays of numbers: NumPy's `.npy` and the tensors of `.safetensors`, value by value.

Nothing is unpickled: what is no plain array of numbers is compared by its bytes.
"""

from __future__ import annotations

import ast
import json
import math
import re
import struct
from collections.abc import Iterator

import msgspec

from lockgate.project.pipeline import Allowance
from lockgate.verify.closeness import agree, few
from lockgate.verify.report import Compared, worst

#: numpy/lib/format.py: magic, version, length of the header; then a Python literal.
_MAGIC = b"\x93NUMPY"
_DESCR = re.compile(r"([<>|=])(b1|[iu][1248]|f[248]|c8|c16)")
#: NumPy's type → the letter `struct` knows it by, and how many of those a value has.
_NUMPY = {
    "b1": ("?", 1), "i1": ("b", 1), "i2": ("h", 1), "i4": ("i", 1), "i8": ("q", 1), "u1": ("B", 1),
    "u2": ("H", 1), "u4": ("I", 1), "u8": ("Q", 1), "f2": ("e", 1), "f4": ("f", 1), "f8": ("d", 1),
    "c8": ("f", 2), "c16": ("d", 2),
}  # fmt: skip
#: https://huggingface.co/docs/safetensors: 8 bytes with the header's length, JSON, then the values.
_SAFETENSORS = {
    "BOOL": "?", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "U8": "B", "U16": "H", "U32": "I",
    "U64": "Q", "F16": "e", "F32": "f", "F64": "d",
}  # fmt: skip
_LONGEST_HEADER = 100_000_000
_STEP = 1 << 16


class Array(msgspec.Struct, frozen=True):
    """Numbers in a row, and how they are laid out."""

    kind: str
    """The type as its format names it."""
    shape: tuple[int, ...]
    is_by_column: bool
    layout: str
    """One value, for `struct`: `<f`; of complex numbers, one half."""
    parts: int
    values: memoryview


def compare_npy(left: bytes, right: bytes, tolerance: float) -> Compared | None:
    """Compare two `.npy` files; None: one holds something else than plain numbers."""
    ours, theirs = _npy(left), _npy(right)
    return _compare(ours, theirs, tolerance) if ours is not None and theirs is not None else None


def compare_safetensors(left: bytes, right: bytes, allowed: Allowance) -> Compared | None:
    """Compare two `.safetensors` files, tensor by tensor; metadata does not count; None: one is none."""
    ours, theirs = _tensors(left), _tensors(right)
    if ours is None or theirs is None:
        return None
    told, verdicts = [], []
    for name in sorted({*ours, *theirs}):
        if name in allowed.ignore:
            continue
        if name not in ours or name not in theirs:
            told.append(f"tensor {name} is {'new' if name not in ours else 'missing'}")
            continue
        found = _compare(ours[name], theirs[name], allowed.columns.get(name, allowed.tolerance))
        verdicts.append(found.verdict)
        if found.verdict == "differs":
            told.append(f"tensor {name}: {found.words}")
    if told:
        return Compared("differs", few(told, 1))
    is_same = worst(verdicts) == "identical"
    return Compared("within-tolerance", "the same tensors" if is_same else "tensors within tolerance")


def _compare(left: Array, right: Array, tolerance: float) -> Compared:
    if left.shape != right.shape:
        return Compared("differs", f"shape {_shape(left)}, and {_shape(right)}")
    if left.kind != right.kind:
        return Compared("differs", f"type {left.kind}, and {right.kind}")
    if left.is_by_column != right.is_by_column:
        return Compared("differs", "the order of its axes")
    differing, first, is_same = 0, -1, True
    for at, one, other in _pairs(left, right):
        is_same = False
        if not agree(one, other, tolerance):
            differing += 1
            first = at if first < 0 else first
    if is_same:
        return Compared("identical")
    if not differing:
        return Compared("within-tolerance")
    where = f"first: [{', '.join(map(str, _place(first // left.parts, left)))}]"
    return Compared("differs", f"{differing:,} of {math.prod(left.shape) * left.parts:,} values ({where})")


def _pairs(left: Array, right: Array) -> Iterator[tuple[int, float, float]]:
    """Yield the values that are not the same, with their number."""
    size = struct.calcsize(left.layout)
    for start in range(0, len(left.values), _STEP):
        one, other = left.values[start : start + _STEP], right.values[start : start + _STEP]
        if one == other:
            continue
        count = len(one) // size
        ours = struct.unpack(f"{left.layout[0]}{count}{left.layout[1]}", one)
        theirs = struct.unpack(f"{right.layout[0]}{count}{right.layout[1]}", other)
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            if pair[0] != pair[1]:
                yield start // size + number, *pair


def _place(number: int, about: Array) -> list[int]:
    place = []
    for length in about.shape if about.is_by_column else reversed(about.shape):
        place.append(number % length)
        number //= length
    return place if about.is_by_column else place[::-1]


def _shape(array: Array) -> str:
    return " × ".join(map(str, array.shape)) or "of one value"


def _npy(content: bytes) -> Array | None:
    if not content.startswith(_MAGIC) or len(content) < 12:
        return None
    length, start = (
        (struct.unpack("<H", content[8:10])[0], 10)
        if content[6] == 1
        else (struct.unpack("<I", content[8:12])[0], 12)
    )
    try:
        header = ast.literal_eval(content[start : start + min(length, 10_000)].decode("utf-8").strip())
        found = _DESCR.fullmatch(header["descr"])
        shape = tuple(int(each) for each in header["shape"])
        is_by_column = bool(header["fortran_order"]) and len(shape) > 1
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError, AttributeError):
        return None
    if found is None:
        return None
    letter, parts = _NUMPY[found[2]]
    order = ">" if found[1] == ">" else "<"
    return _array(
        found[2], shape, f"{order}{letter}", parts, memoryview(content)[start + length :], is_by_column
    )


def _tensors(content: bytes) -> dict[str, Array] | None:
    if len(content) < 10:
        return None
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(_LONGEST_HEADER, len(content) - 8):
        return None
    values = memoryview(content)[8 + length :]
    found: dict[str, Array] = {}
    try:
        for name, about in json.loads(content[8 : 8 + length]).items():
            if name == "__metadata__":
                continue
            begin, end = about["data_offsets"]
            letter = _SAFETENSORS[about["dtype"]]
            shape = tuple(int(each) for each in about["shape"])
            array = _array(about["dtype"], shape, f"<{letter}", 1, values[begin:end])
            if array is None:
                return None
            found[name] = array
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found


def _array(
    kind: str,
    shape: tuple[int, ...],
    layout: str,
    parts: int,
    values: memoryview,
    is_by_column: bool = False,
) -> Array | None:
    if any(each < 0 for each in shape):
        return None
    if len(values) != math.prod(shape) * parts * struct.calcsize(layout):
        return None
    return Array(kind, shape, is_by_column, layout, parts, values)
