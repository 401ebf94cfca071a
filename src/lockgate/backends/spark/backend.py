"""The backend `spark`."""

from __future__ import annotations

from lockgate.backends.spark.drivers import Drivers


class SparkBackend(Drivers):
    """Runs stages as Spark drivers."""
