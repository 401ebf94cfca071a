"""What the host has to give."""

from __future__ import annotations

import os

import pytest

from lockgate.backends import host


def test_at_least_something() -> None:
    assert 1 <= host.cpus() <= (os.cpu_count() or 1)
    assert 10_000_000 < host.memory_bytes() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("0,3", ("0", "3")), ("", ()), ("-1", ()), ("GPU-8932f937", ("GPU-8932f937",))],
)
def test_gpus_as_the_hub_may_see_them(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert host.gpus() == expected
