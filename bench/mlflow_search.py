"""MLflow's own search over runs in a SQLite file, a question a line. Run by a Python that has MLflow.

Run: python bench/mlflow_search.py FILE; each line of its input is a filter and an order, parted by a tab.
Prints MLflow's version, and the experiment that it made and the run in it; then for each question the
milliseconds it took and what each run has of the metric that they are in order of.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def main() -> None:
    import mlflow
    from mlflow.entities import Metric

    client: Any = mlflow.MlflowClient(f"sqlite:///{sys.argv[1]}")
    experiment = client.create_experiment("bench")
    run = client.create_run(experiment).info.run_id
    client.log_batch(run, metrics=[Metric("first", 1.0, 0, 0)])
    client.set_terminated(run)
    print(mlflow.__version__, experiment, run, flush=True)
    for line in sys.stdin:
        wanted, order = line.rstrip("\n").split("\t")
        start = time.perf_counter()
        found = client.search_runs([experiment], wanted, max_results=50, order_by=[order])
        took_ms = (time.perf_counter() - start) * 1000
        name = order.split()[0].removeprefix("metrics.")
        print(took_ms, *(each.data.metrics[name] for each in found), flush=True)


if __name__ == "__main__":
    main()
