"""Arrays as NumPy and safetensors write them, compared value by value."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.project.pipeline import Allowance
from lockgate.verify.compare import compare
from lockgate.verify.report import Compared


def npy(array: object, **options: bool) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(array), **options)
    return content.getvalue()


def npz(year: int = 1990, **arrays: object) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (year, 1, 1, 0, 0, 0)), npy(array))
    return content.getvalue()


def tensors(about: str = "", **arrays: list[float]) -> bytes:
    """What https://huggingface.co/docs/safetensors describes, of `F32` vectors."""
    header: dict[str, object] = {"__metadata__": {"made": about}} if about else {}
    values = b""
    for name, array in arrays.items():
        packed = struct.pack(f"<{len(array)}f", *array)
        header[name] = {
            "dtype": "F32",
            "shape": [len(array)],
            "data_offsets": [len(values), len(values) + len(packed)],
        }
        values += packed
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values


def said(left: bytes, right: bytes, path: str, **allowed: object) -> Compared:
    return compare(left, right, path, "file", Allowance("*", **allowed))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", "<f2", "<i8", ">i2", "u1", "?", "<c8", "<c16"])
def test_a_value_that_differs_is_found_in_every_plain_type(kind: str) -> None:
    left = np.zeros((3, 4), dtype=kind)
    right = left.copy()
    right[2, 1] = 1
    total = 24 if "c" in kind else 12
    words = f"1 of {total} values (first: [2, 1])"
    assert said(npy(left), npy(right), "a.npy") == Compared("differs", words)
    assert said(npy(left), npy(right), "a.npy", tolerance=1.0) == (
        Compared("differs", words) if kind == "?" else Compared("within-tolerance")
    )


def test_arrays_by_column_name_the_place_as_numpy_does() -> None:
    left = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    right = left.copy(order="F")
    right[1, 0] = 9
    assert said(npy(left), npy(right), "a.npy").words == "1 of 6 values (first: [1, 0])"


def test_shape_and_type_count() -> None:
    assert said(npy([1.0, 2.0]), npy([[1.0, 2.0]]), "a.npy").words == "shape 2, and 1 × 2"
    floats, wholes = npy(np.zeros(2)), npy(np.zeros(2, dtype="<i8"))
    assert said(floats, wholes, "a.npy").words == "type f8, and i8"


def test_an_archive_of_arrays_has_a_tolerance_for_each() -> None:
    left, right = npz(a=[1.0, 2.0], b=[5.0]), npz(1991, a=[1.0, 2.0001], b=[5.0])
    assert said(left, right, "x.npz").words == "a.npy: 1 of 2 values (first: [1])"
    assert said(left, right, "x.npz", tolerance=1e-3).verdict == "within-tolerance"
    assert said(left, right, "x.npz", columns={"a": 1e-3}).verdict == "within-tolerance"
    assert said(left, right, "x.npz", columns={"b": 1e-3}).verdict == "differs"


def test_objects_are_never_loaded() -> None:
    left, right = (npy(np.array([{"a": n}], dtype=object), allow_pickle=True) for n in (1, 2))
    assert said(left, right, "a.npy").words.startswith("byte ")


def test_tensors_are_compared_by_name() -> None:
    left, right = tensors("then", w=[1.0, 2.0], b=[0.5]), tensors("now", w=[1.0, 2.5], b=[0.5])
    assert said(left, right, "m.safetensors").words == "tensor w: 1 of 2 values (first: [1])"
    assert said(left, right, "m.safetensors", tolerance=0.5).verdict == "within-tolerance"
    assert said(tensors("a", w=[1.0]), tensors("b", w=[1.0]), "m.safetensors").words == "the same tensors"
    assert said(tensors(w=[1.0]), tensors(v=[1.0]), "m.safetensors").words == "tensor v is new, and 1 more"


@given(st.sampled_from([npy([1.5]), npz(a=[1.0]), tensors(w=[1.0])]), st.data())
def test_broken_files_differ_in_words(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content) - 1))
    other = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
    for path in ("a.npy", "a.npz", "a.safetensors"):
        found = said(content, other[: data.draw(st.integers(0, len(other)))], path)
        assert found.verdict in ("differs", "within-tolerance")
