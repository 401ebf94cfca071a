"""The backend `spark` against the suite: plain commands as drivers, and as tasks of one application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from spark_cluster import Cluster, spark_cluster

from lockgate.backends.contract import Backend
from lockgate.backends.spark.application import Application
from lockgate.backends.spark.backend import SparkBackend
from lockgate.project.pipeline import Resources
from lockgate.testing.backends import BackendContract

__all__ = ["spark_cluster"]
pytestmark = pytest.mark.batch


class TestDrivers(BackendContract):
    cpus = 1
    many = 30
    # What a stage asks for in memory is for its executors.
    enforces_memory = False
    excess_resources = Resources(gpus=1)

    @pytest.fixture(autouse=True)
    def _cluster(self, spark_cluster: Cluster) -> None:
        self.options = spark_cluster.options()
        self.refused_options = spark_cluster.options(mater="spark://h:1")

    def backend(self) -> Backend:
        return SparkBackend(drivers=1)


@pytest.mark.timeout(600)
class TestSpread(BackendContract):
    # A worker of the cluster has one core: what asks for two would wait for ever.
    cpus = 1
    deadline_s = 120.0
    brief_s = 3.0
    many = 30
    excess_resources = Resources(cpus=3)

    @pytest.fixture(autouse=True)
    def _cluster(self, spark_cluster: Cluster, tmp_path: Path) -> Iterator[None]:
        self.options = spark_cluster.options(spread=True, total_cores=1)
        self.refused_options = spark_cluster.options(spread=True, executors="two")
        yield
        for folder in tmp_path.glob(".batches/*"):
            Application(str(folder)).end()

    def backend(self) -> Backend:
        return SparkBackend()
