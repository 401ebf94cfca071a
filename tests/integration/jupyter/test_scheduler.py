"""A job of jupyter-scheduler, over its own REST API in a real Jupyter server: run on the hub, files back."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from e2e_place import Place, until
from lab_notebook import notebook
from lab_server import TOKEN, Lab, served_lab
from playwright.sync_api import Browser

pytestmark = [pytest.mark.lab, pytest.mark.slow]

STAGE = '[stages.look]\nnotebook = "look.ipynb"\nmakes = ["late.txt"]\n'
CLASS = "lockgate.jupyter.scheduler.ProjectScheduler"


@pytest.fixture(scope="module")
def lab(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("jupyter")
    with served_lab(place.root, home, place.env, f"--SchedulerApp.scheduler_class={CLASS}") as made:
        yield made


def asked(lab: Lab, end: str, body: object = None, method: str | None = None) -> Any:
    request = urllib.request.Request(
        f"{lab.url}/scheduler/{end}",
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def job(lab: Lab, path: str) -> dict[str, Any]:
    """Send a job, and wait for its end."""
    wanted = {
        "name": "nightly",
        "input_uri": path,
        "runtime_environment_name": "any",
        "output_formats": ["ipynb", "html"],
    }
    return ended(lab, asked(lab, "jobs", wanted)["job_id"])


def ended(lab: Lab, job_id: str) -> dict[str, Any]:
    end = time.monotonic() + 90
    while True:
        found: dict[str, Any] = asked(lab, f"jobs/{job_id}")
        if found["status"] not in ("CREATED", "QUEUED", "IN_PROGRESS", "STOPPED"):
            return found
        assert time.monotonic() < end, lab.log[-3000:]
        time.sleep(0.2)


def test_a_stage_runs_on_the_hub_and_its_files_come_back(lab: Lab, place: Place) -> None:
    source = "open('late.txt', 'w').write('AA'); print(6 * 7)"
    tree = place.project({"lockgate.toml": STAGE, "look.ipynb": notebook(source)}, name="stage")
    done = job(lab, "stage/look.ipynb")
    assert done["status"] == "COMPLETED", (done["status_message"], lab.log[-3000:])
    (run,) = place.runs("stage")
    assert run.state == "succeeded"
    assert tree.read("late.txt") == "AA"
    urllib.request.urlopen(
        urllib.request.Request(
            f"{lab.url}/scheduler/jobs/{done['job_id']}/download_files",
            headers={"Authorization": f"token {TOKEN}"},
        ),
        timeout=30,
    ).close()
    end = time.monotonic() + 30
    while not (kept := list(place.root.glob("jobs/*/look-*.ipynb"))) or not kept[0].read_text():
        assert time.monotonic() < end, lab.log[-3000:]
        time.sleep(0.1)
    assert json.loads(kept[0].read_text())["cells"][0]["outputs"][0]["text"] == ["42\n"]


def test_a_failed_run_is_told_in_words(lab: Lab, place: Place) -> None:
    place.project({"lockgate.toml": STAGE, "look.ipynb": notebook("1 / 0")}, name="failing")
    done = job(lab, "failing/look.ipynb")
    assert done["status"] == "FAILED"
    assert "of look ended: failed" in done["status_message"]
    assert "lockgate show" in done["status_message"]


def test_a_schedule_runs_its_notebook_with_its_parameters_and_no_other(lab: Lab, place: Place) -> None:
    stage = '[stages.look]\nnotebook = "look.ipynb"\nmakes = ["depth.txt"]\nparams = { depth = 1 }\n'
    look = json.loads(notebook("depth = 1", "open('depth.txt', 'w').write(str(depth))"))
    look["cells"][0]["metadata"]["tags"] = ["parameters"]
    files = {"lockgate.toml": stage, "look.ipynb": json.dumps(look), "other.ipynb": notebook("1")}
    tree = place.project(files, name="scheduled")
    wanted = {
        "name": "nightly",
        "input_uri": "scheduled/look.ipynb",
        "runtime_environment_name": "any",
        "output_formats": ["ipynb"],
        "parameters": {"depth": "7"},
        "schedule": "0 3 * * *",
        "timezone": "UTC",
    }
    schedule = asked(lab, "job_definitions", wanted)["job_definition_id"]
    first = asked(lab, f"job_definitions/{schedule}/jobs", {})["job_id"]
    assert ended(lab, first)["status"] == "COMPLETED", lab.log[-3000:]
    assert tree.read("depth.txt") == "7"
    asked(lab, f"job_definitions/{schedule}", {"input_uri": "scheduled/other.ipynb"}, "PATCH")
    second = ended(lab, asked(lab, f"job_definitions/{schedule}/jobs", {})["job_id"])
    assert second["status"] == "FAILED"
    assert "made for scheduled/look.ipynb" in second["status_message"]


def test_the_dialog_of_the_notebook_makes_a_run_on_the_hub(lab: Lab, browser: Browser, place: Place) -> None:
    source = "open('late.txt', 'w').write('BB')"
    tree = place.project({"lockgate.toml": STAGE, "look.ipynb": notebook(source)}, name="dialog")
    with lab.open(browser, "dialog/look.ipynb") as bench:
        bench.page.locator("[data-command='scheduling:create-from-notebook']:visible").click()
        bench.page.get_by_role("button", name="Create", exact=True).click()
        until(lambda: place.finished("dialog"), "the run of the job", 90)
        place.settle("dialog")
        until(lambda: tree.has("late.txt"), "what the run made")
    assert tree.read("late.txt") == "BB"


def test_a_notebook_that_is_no_stage_runs_as_without_us(lab: Lab, place: Place) -> None:
    (place.root / "plain").mkdir()
    (place.root / "plain/n.ipynb").write_text(notebook("print(1)"))
    assert job(lab, "plain/n.ipynb")["status"] == "COMPLETED", lab.log[-3000:]
