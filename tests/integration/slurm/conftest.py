from __future__ import annotations

from collections.abc import Iterator

import pytest
import slurm_service
from slurm_service import Slurm


@pytest.fixture(scope="session")
def plain_slurm() -> Iterator[Slurm]:
    """Slurm without accounting, which forgets a job that ended two seconds ago."""
    with slurm_service.for_tests("--cpus", "8", "--min-job-age", "2") as slurm:
        yield slurm


@pytest.fixture(scope="session")
def accounting_slurm() -> Iterator[Slurm]:
    with slurm_service.for_tests("--cpus", "8", accounting=True) as slurm:
        yield slurm
