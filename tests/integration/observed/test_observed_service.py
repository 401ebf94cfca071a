"""What a service tells those who watch over it: health, numbers, its log, traces and logs by OTLP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from otlp_receiver import OtlpReceiver
from prometheus_client.parser import text_string_to_metric_families
from served_hub import ServedHub

from lockgate.hub.directory import Hub, create_hub
from lockgate.hub.indexing.index import Index
from lockgate.hub.indexing.rows import Request
from lockgate.hub.worktree.admission import admit

pytestmark = pytest.mark.slow
RUN = "01KBA00000000000000000000A"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    made = create_hub(tmp_path_factory.mktemp("observed") / "hub")[0]
    admit(made, "flights")
    (made.store / "files").mkdir()
    (made.store / "files" / "x").write_bytes(b"12345")
    index = Index(made.index)
    index.add_run(
        Request(id=RUN, project="flights", ref="refs/heads/main", commit="0" * 40, member="ada"),
        "received",
        0.0,
    )
    index.queue_run(RUN)
    index.add_jobs(RUN, [("train", "never run")])
    index.close()
    token = sha256(b"scrape-me").hexdigest()
    (made.root / "hub.toml").write_text(f'[service]\nmetrics_token_sha256 = "{token}"\n')
    return made


@pytest.fixture(scope="module")
def served(hub: Hub) -> Iterator[ServedHub]:
    with ServedHub(hub.root) as place:
        yield place


def ask(served: ServedHub, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    request = urllib.request.Request(
        served.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def numbers(served: ServedHub) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    _, text, _ = ask(served, "/metrics")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def until(served: ServedHub, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    import time

    end = time.monotonic() + 20
    while time.monotonic() < end:
        for line in served.lines("request"):
            if condition(line):
                return line
        time.sleep(0.02)
    raise AssertionError(served.log_path.read_text())


def test_it_lives_and_is_ready(served: ServedHub) -> None:
    assert ask(served, "/healthz")[:2] == (200, "ok\n")
    status, text, _ = ask(served, "/readyz")
    found = json.loads(text)
    assert (status, found["is_ready"]) == (200, True)
    assert [each["name"] for each in found["checks"]] == ["index", "git", "disk", "dispatcher"]


def test_what_is_wrong_is_named_and_told_to_this_machine_alone(served: ServedHub, hub: Hub) -> None:
    hub.wake.rename(hub.root / "gone")
    try:
        status, text, _ = ask(served, "/readyz")
        assert status == 503
        assert "the pipe that wakes it is missing" in text
        status, text, _ = ask(served, "/readyz", X_Forwarded_For="203.0.113.9")
        wrong = [each for each in json.loads(text)["checks"] if not each["is_ok"]]
        assert (status, wrong) == (503, [{"name": "dispatcher", "is_ok": False, "detail": ""}])
    finally:
        (hub.root / "gone").rename(hub.wake)


def test_the_numbers_of_service_and_hub(served: ServedHub) -> None:
    for _ in range(3):
        ask(served, "/no/such/page")
    found = numbers(served)
    count = (
        "lockgate_request_duration_seconds_count",
        (("method", "GET"), ("route", "other"), ("status", "404")),
    )
    assert found[count] >= 3
    assert found["lockgate_runs", (("state", "queued"),)] == 1
    assert found["lockgate_jobs", (("backend", "local"), ("state", "waiting"))] == 1
    assert found["lockgate_queue_length", ()] == 1
    assert found["lockgate_queue_oldest_seconds", ()] > 1e9
    assert (
        "lockgate_dispatcher_up",
        (),
    ) in found  # the service woke one for the queued run; it may have ended
    assert found["lockgate_index_up", ()] == 1
    assert found["lockgate_disk_free_bytes", ()] > 0
    assert found["lockgate_event_streams", ()] == 0
    assert numbers(served)["lockgate_store_bytes", ()] == 5


def test_paths_and_methods_make_no_new_labels(served: ServedHub) -> None:
    before = {key for key in numbers(served) if key[0].endswith("_count")}
    for number in range(20):
        ask(served, f"/nothing/{number}")
        ask(served, f"/git/p{number}.git/info/{number}")
        request = urllib.request.Request(served.url + "/x", method=f"ODD{number}")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30)
    assert len({key for key in numbers(served) if key[0].endswith("_count")} - before) <= 6


def test_the_numbers_are_not_for_everybody(served: ServedHub) -> None:
    behind = {"X_Forwarded_For": "203.0.113.9"}
    assert ask(served, "/metrics", **behind)[0] == 403
    assert ask(served, "/metrics", Authorization="Bearer wrong", **behind)[0] == 403
    assert ask(served, "/metrics", Authorization="Bearer scrape-me", **behind)[0] == 200


def test_a_request_is_a_line_of_the_log(served: ServedHub) -> None:
    _, _, headers = ask(served, "/nothing?code=s3cr3t", X_Request_ID="from-the-proxy-1")
    assert headers["x-request-id"] == "from-the-proxy-1"
    line = until(served, lambda each: each["request"] == "from-the-proxy-1")
    assert (line["method"], line["status"], line["route"], line["address"]) == (
        "GET",
        404,
        "other",
        "127.0.0.1",
    )
    assert line["ms"] >= 0
    assert line["bytes"] > 0


def test_the_log_has_no_secret_and_no_forged_line(served: ServedHub) -> None:
    secret = "lgt_abcdef_" + "s3cr3t" * 7
    ask(served, f"/nothing/{secret}", Authorization=f"Bearer {secret}", Cookie=f"session={secret}")
    ask(served, '/nothing/%0a{"action":"request","status":200}%1b[2J', X_Request_ID="bad id\tx")
    until(served, lambda each: "%0a" in each["message"] or "\\n" in each["message"])
    text = served.log_path.read_text()
    assert "s3cr3t" not in text
    assert "\x1b" not in text
    for line in text.splitlines():
        assert json.loads(line)["at"]


def test_traces_and_logs_by_otlp(tmp_path: Path) -> None:
    made = create_hub(tmp_path / "hub")[0]
    trace = "0af7651916cd43dd8448eb211c80319c"
    with OtlpReceiver() as receiver:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SERVICE_NAME": "our-hub"}
        with ServedHub(made.root, env=environment) as served:
            ask(served, "/healthz", traceparent=f"00-{trace}-b7ad6b7169203331-01")
            ask(served, "/nothing/lgt_abcdef_s3cr3ts3cr3t")
            served.kill()
        spans = {span.name: span for span in receiver.spans}
        assert receiver.services == {"our-hub"}
        assert spans["GET /healthz"].trace_id.hex() == trace
        facts = {each.key: each.value for each in spans["GET other"].attributes}
        assert facts["http.response.status_code"].int_value == 404
        bodies = [line.body.string_value for line in receiver.lines]
        assert "GET /nothing/lgt_abcdef_*** 404" in bodies
        assert "s3cr3t" not in str(receiver.lines) + str(receiver.spans)


def test_an_endpoint_that_is_away_disturbs_nobody(tmp_path: Path) -> None:
    made = create_hub(tmp_path / "hub")[0]
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with ServedHub(made.root, env=environment) as served:
        assert ask(served, "/healthz")[0] == 200
        served.process.terminate()
        assert served.process.wait(30) == 0
