"""Whether jobs can be isolated here; else what needs it is skipped, and that is told."""

from __future__ import annotations

import pytest

from lockgate.hub.isolation import isolation_fault


def require_isolation() -> None:
    """Skip the test where bubblewrap does not work on this host."""
    fault = isolation_fault()
    if fault is not None:
        pytest.skip(f"NOT TESTED: isolated jobs: {fault}")
