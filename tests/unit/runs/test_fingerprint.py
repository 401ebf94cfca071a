"""What decides a stage's outputs, and nothing else, is in its fingerprint."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.git.listing import EXECUTABLE, FILE, LINK, SUBMODULE, Entry
from lockgate.project.pipeline import Scalar
from lockgate.runs import fingerprint as module
from lockgate.runs.fingerprint import artifact_identity, fingerprint, source_identity

PARTS: dict[str, Any] = {
    "command": "python train.py --depth 4",
    "runtime": "r" * 64,
    "params": {"depth": 4, "rate": 0.1, "fast": True, "name": "é"},
    "needs": (("data/a.csv", "1" * 40), ("train.py", "2" * 40)),
    "makes": ("model", "metrics.json"),
}


def test_the_value_never_changes() -> None:
    """Raise FORMAT rather than change this: every project's cache hangs on it."""
    assert module.FORMAT == 1
    assert fingerprint(**PARTS) == "54a0a7c3d566ffde1dca6767bf5d635ee1859878025156131041016ecc7d0847"


@pytest.mark.parametrize(
    "change",
    [
        {"command": "python train.py --depth 5"},
        {"runtime": "s" * 64},
        {"params": {"depth": 5, "rate": 0.1, "fast": True, "name": "é"}},
        {"params": {"depth": 4.0, "rate": 0.1, "fast": True, "name": "é"}},
        {"params": {"depth": "4", "rate": 0.1, "fast": True, "name": "é"}},
        {"params": {"depth": True, "rate": 0.1, "fast": True, "name": "é"}},
        {"params": {"rate": 0.1, "fast": True, "name": "é"}},
        {"needs": (("data/a.csv", "3" * 40), ("train.py", "2" * 40))},
        {"needs": (("data/b.csv", "1" * 40), ("train.py", "2" * 40))},
        {"needs": (("train.py", "2" * 40),)},
        {"makes": ("model",)},
        {"makes": ("metrics.json", "model")},
        {"needs": (), "makes": ("data/a.csv", "1" * 40)},
    ],
)
def test_every_part_counts(change: dict[str, Any]) -> None:
    assert fingerprint(**PARTS) != fingerprint(**(PARTS | change))


def test_the_format_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(**PARTS)
    monkeypatch.setattr(module, "FORMAT", 2)
    assert fingerprint(**PARTS) != before


def test_resources_and_backend_have_no_part_in_it() -> None:
    assert set(inspect.signature(fingerprint).parameters) == set(PARTS)


@given(
    st.dictionaries(
        st.text(max_size=5), st.integers() | st.floats(allow_nan=False) | st.text() | st.booleans()
    ),
    st.randoms(),
)
def test_the_order_of_parameters_does_not_count(params: dict[str, Scalar], random: Any) -> None:
    turned = list(params.items())
    random.shuffle(turned)
    assert fingerprint(**(PARTS | {"params": dict(turned)})) == fingerprint(**(PARTS | {"params": params}))


def test_parts_do_not_run_into_each_other() -> None:
    def of(needs: list[tuple[str, str]], makes: list[str]) -> str:
        return fingerprint(**(PARTS | {"needs": needs, "makes": makes}))

    alike = [
        of([("ab", "c")], []),
        of([("a", "bc")], []),
        of([], ["ab", "c"]),
        of([], ["a", "bc"]),
        of([], ["abc"]),
    ]
    assert len(set(alike)) == len(alike)


def test_a_sources_identity_tells_its_mode_where_that_matters() -> None:
    oid = "a" * 40
    assert source_identity(Entry(FILE, oid)) == oid
    assert source_identity(Entry(EXECUTABLE, oid)) == f"{oid}:x"
    assert source_identity(Entry(LINK, oid)) == f"{oid}:link"
    assert source_identity(Entry(SUBMODULE, oid)) == f"{oid}:submodule"


def test_an_artifact_cannot_be_taken_for_a_source() -> None:
    assert artifact_identity("d" * 32) == f"md5:{'d' * 32}"
