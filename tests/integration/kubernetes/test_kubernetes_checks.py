"""Tables are checked on a real node in an image of their own, where the stages' image has no Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_place import LINGER_S, Place
from kubernetes_cluster import IMAGE, PLAIN_IMAGE, cluster_for_tests

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(900)]

_MANIFEST = """\
[batch]
backend = "kubernetes"
[batch.kubernetes]
kubeconfig = "%s"
namespace = "%s"
image = "%s"
checks_image = "%s"
image_pull_policy = "Never"
runtime = "image"
shared = [{ path = "%s", host_path = "%s" }]

[stages.use]
run = "! command -v python3 && wc -l < flights.csv > used"
needs = ["flights.csv"]
makes = ["used"]

[checks."flights.csv".columns]
id = { type = "integer", max = 3 }
"""


def test_a_check_runs_in_its_image_and_stops_what_needs_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    place = Place(tmp_path)
    with cluster_for_tests() as cluster, cluster.namespace() as namespace:

        def images() -> set[str]:
            pods = cluster.get("pods", "--namespace", namespace)["items"]
            return {each["image"] for pod in pods for each in pod["spec"]["containers"]}

        try:
            words = (cluster.kubeconfig, namespace, PLAIN_IMAGE, IMAGE, tmp_path, tmp_path)
            tree = place.project({"lockgate.toml": _MANIFEST % words, "flights.csv": "id\n1\n5\n"})
            tree.lockgate("run", "--detach")
            place.settle(deadline_s=400)
            jobs = place.jobs(place.runs()[-1].request.id)
            assert jobs["check@flights.csv"].cause == "column id: row 2: 5 is above 3", jobs
            assert jobs["use"].state == "blocked"
            assert images() == {IMAGE}

            tree.write({"flights.csv": "id\n1\n3\n"})
            tree.lockgate("run", "--detach")
            place.settle(deadline_s=400)
            states = place.states(place.runs()[-1].request.id)
            assert states == {"check@flights.csv": "succeeded", "use": "succeeded"}
            assert images() == {IMAGE, PLAIN_IMAGE}
        finally:
            place.close()
