"""Streams of events: what happens is told while it happens, to any number of watchers."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from web_site import PASSWORD, PROJECT, Site, served

from lockgate.hub.indexing.index import Index
from lockgate.hub.members.authenticate import set_password
from lockgate.hub.members.book import open_book
from lockgate.hub.members.tokens import revoke

#: Prints for a second and a half, as much as the test waits for.
TALKATIVE = PROJECT | {
    "count.py": PROJECT["count.py"]
    + "import time\nfor n in range(30):\n    print('line', n, 'é', flush=True)\n    time.sleep(0.05)\n"
}


class Event(dict[str, Any]):
    """One event: its data, with its name and id."""

    name: str
    id: str
    at: float


def events(answer: httpx.Response) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            event = Event(json.loads(fields["data"]))
            event.name, event.id, event.at = fields["event"], fields.get("id", ""), time.monotonic()
            fields = {}
            yield event


class Listener(threading.Thread):
    """Hears one stream to its end, or until stopped."""

    def __init__(self, site: Site, path: str, **headers: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[Event] = []
        self._client = site.client(headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.path = path
        self.is_open = threading.Event()
        self.start()
        assert self.is_open.wait(30)

    def run(self) -> None:
        with self._client, self._client.stream("GET", "/api/v1" + self.path) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            self.is_open.set()
            for event in events(answer):
                self.heard.append(event)

    def names(self) -> list[str]:
        return [event.name for event in self.heard]

    def wait_for(self, what: str, deadline_s: float = 60.0) -> None:
        end = time.monotonic() + deadline_s
        while what not in self.names():
            assert time.monotonic() < end, f"no {what} in {self.heard}"
            time.sleep(0.02)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path) as made:
        made.project(files=TALKATIVE, has_run=False)
        made.start()
        yield made


def start(site: Site) -> str:
    with site.client() as client:
        answer = client.post("/api/v1/projects/flights/runs", json={"commit": "main"})
        assert answer.status_code == 201, answer.text
        run: str = answer.json()["run"]
        return run


def test_a_run_its_log_and_its_project_are_told_live(live: Site) -> None:
    hub = Listener(live, "/events")
    project = Listener(live, "/projects/flights/events")
    run = start(live)
    progress = Listener(live, f"/projects/flights/runs/{run}/events")
    end = time.monotonic() + 60
    with live.client() as client:
        while not client.get(f"/api/v1/projects/flights/runs/{run}").json()["stages"]:
            assert time.monotonic() < end
    tail = Listener(live, f"/projects/flights/runs/{run}/logs/stream?stage=count")
    progress.join(60)
    tail.join(60)
    kinds = [event["kind"] for event in progress.heard]
    assert kinds[-1] == "ended"
    assert kinds.count("done") == 2
    assert progress.heard[-1].name == "end"
    assert progress.heard[-1]["state"] == "succeeded"
    printed = "".join(event["text"] for event in tail.heard if event.name == "log")
    assert printed.splitlines()[0] == "counted 4 flights"
    assert printed.splitlines()[-1] == "line 29 é"
    assert len([event for event in tail.heard if event.name == "log"]) > 3  # while it was printed
    assert tail.names()[-1] == "end"

    def is_told(listener: Listener) -> bool:
        states = [event.get("state") for event in listener.heard if event["kind"] == "run"]
        return states[-1:] == ["succeeded"] and "activity" in [event["kind"] for event in listener.heard]

    until_told = time.monotonic() + 10
    while not (is_told(project) and is_told(hub) and len(hub.heard) == len(project.heard)):
        assert time.monotonic() < until_told, (project.heard, hub.heard)
        time.sleep(0.05)
    assert [event["kind"] for event in hub.heard] == [event["kind"] for event in project.heard]


def test_one_that_lost_the_stream_goes_on_where_it_was(live: Site) -> None:
    run = start(live)
    path = f"/projects/flights/runs/{run}"
    whole = Listener(live, f"{path}/events")
    whole.join(60)
    middle = whole.heard[len(whole.heard) // 2]
    rest = Listener(live, f"{path}/events", last_event_id=middle.id)
    rest.join(60)
    later = [event for event in whole.heard if event.id and int(event.id) > int(middle.id)]
    assert [dict(event) for event in rest.heard] == [dict(event) for event in later]
    log = Listener(live, f"{path}/logs/stream?stage=count")
    log.join(60)
    again = Listener(live, f"{path}/logs/stream?stage=count&offset=0", last_event_id="8")
    again.join(60)
    text = "".join(event["text"] for event in log.heard if event.name == "log")
    assert "".join(event["text"] for event in again.heard if event.name == "log") == text[8:]
    lost = Listener(live, "/projects/flights/events", last_event_id="gone-17")
    lost.wait_for("news")
    assert lost.heard[0]["kind"] == "missed"


def test_streams_end_when_the_service_does(live: Site) -> None:
    project = Listener(live, "/projects/flights/events")
    started = time.monotonic()
    live.stop()
    project.join(10)
    assert not project.is_alive()
    assert time.monotonic() - started < 10


#: Prints for longer than the test takes.
ENDLESS = PROJECT | {
    "count.py": "import time\nfor n in range(1200):\n    print('line', n, flush=True)\n    time.sleep(0.1)\n"
}


def session_of(site: Site, name: str) -> str:
    """Log in with a browser; return the header with its cookies."""
    with site.client() as browser:
        (csrf,) = re.findall(r'name="csrf" value="([^"]*)"', browser.get("/login").text)
        form = {"name": name, "password": PASSWORD, "csrf": csrf}
        answer = browser.post("/login", data=form, headers={"origin": site.url})
        assert answer.status_code == 303, answer.text
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)


@pytest.mark.slow
def test_streams_end_with_what_let_them_in_whatever_they_tell(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        site.project(files=ENDLESS, has_run=False)
        names = ("changed", "removed", "demoted", "revoked", "stays")
        tokens = {name: site.member(name) for name in names}
        site.start()
        with site.client(headers={"authorization": f"Bearer {tokens['stays']}"}) as client:
            run = client.post("/api/v1/projects/flights/runs", json={"commit": "main"}).json()["run"]
            end = time.monotonic() + 60
            while not client.get(f"/api/v1/projects/flights/runs/{run}").json()["stages"]:
                assert time.monotonic() < end
        paths = (
            "/events",
            "/projects/flights/events",
            f"/projects/flights/runs/{run}/events",
            f"/projects/flights/runs/{run}/logs/stream?stage=count",
        )
        ways = {name: {"cookie": session_of(site, name)} for name in names if name != "revoked"}
        ways["revoked"] = {"authorization": f"Bearer {tokens['revoked']}"}
        streams = {name: [Listener(site, path, **way) for path in paths] for name, way in ways.items()}
        for listeners in streams.values():
            listeners[-1].wait_for("log")
        book = open_book(site.hub)
        set_password(book, "changed", "nine eels in the millpond")
        book.change("removed", lambda member: replace(member, is_active=False))
        book.change("demoted", lambda member: replace(member, roles={}))
        revoke(book, "revoked", "test")
        ended = [listener for name in names[:-1] for listener in streams[name]]
        for listener in ended:
            listener.join(30)
        assert [listener.path for listener in ended if listener.is_alive()] == []
        assert all(listener.is_alive() for listener in streams["stays"])
        said = len(streams["stays"][-1].heard)
        until = time.monotonic() + 30
        while len(streams["stays"][-1].heard) == said:
            assert time.monotonic() < until, "nothing is told any more"
            time.sleep(0.05)


@pytest.mark.slow
def test_two_hundred_watchers_of_one_run_take_a_quarter_of_a_core(tmp_path: Path) -> None:
    chatty = PROJECT | {
        "count.py": PROJECT["count.py"]
        + "import time\nfor n in range(99):\n  print('line', n, 'x' * 60, flush=1)\n  time.sleep(0.1)\n"
    }
    with served(tmp_path) as site:
        site.project(files=chatty, has_run=False)
        site.start()
        run = start(site)
        index = Index(site.hub.index, is_read_only=True)
        end = time.monotonic() + 60
        while not any(job.state == "running" for job in index.jobs(run)):
            assert time.monotonic() < end
            time.sleep(0.05)
        index.close()
        watchers = []
        for number in range(200):
            raw = socket.create_connection(("127.0.0.1", site.port))
            kind = "events" if number % 2 else "logs/stream?stage=count"
            raw.sendall(
                f"GET /api/v1/projects/flights/runs/{run}/{kind} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            watchers.append(raw)
        time.sleep(1)
        before, at = cpu_s(site.pid), time.monotonic()
        time.sleep(6)
        share = (cpu_s(site.pid) - before) / (time.monotonic() - at)
        heard = 0
        for raw in watchers:
            raw.settimeout(5)
            heard += len(raw.recv(1 << 20))
            raw.close()
        print(f"200 watchers: {share:.0%} of a core, {heard / 200:.0f} bytes each")
        assert heard > 200 * 1000
        assert share <= 0.25


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
