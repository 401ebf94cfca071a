"""The API, asked as a program asks it, on a hub with members and real runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from journals import AT, cell, forged, write_journal
from web_site import PASSWORD, PROJECT, Site, served

from lockgate.activity.entry import Activity
from lockgate.activity.execution import KIND, Picture
from lockgate.git.worktree import snapshot
from lockgate.hub.comparison import compare_runs
from lockgate.hub.indexing.queries import show_run

ASKED = "/projects/flights/runs"


class Caller:
    """Asks as one member."""

    def __init__(self, site: Site, token: str) -> None:
        self.http = site.client(headers={"authorization": f"Bearer {token}"})

    def get(self, path: str, status: int = 200, **options: Any) -> Any:
        return self._told(self.http.get("/api/v1" + path, **options), status)

    def post(self, path: str, body: object = None, status: int = 201) -> Any:
        return self._told(self.http.post("/api/v1" + path, json=body), status)

    def raw(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get("/api/v1" + path, **options)

    def _told(self, answer: httpx.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("api")) as site:
        site.project()
        site.project("secret", PROJECT | {"note.txt": "nobody's business"})
        site.start()
        yield site


@pytest.fixture(scope="module")
def team(hub: Site) -> Iterator[dict[str, Caller]]:
    roles = {"lea": "lead", "max": "member", "vera": "viewer"}
    team = {name: Caller(hub, hub.member(name, role)) for name, role in roles.items()}  # type: ignore[arg-type]
    team["olga"] = Caller(hub, hub.member("olga", None, is_operator=True))
    yield team
    for caller in team.values():
        caller.http.close()


def until(condition: Callable[[], object], what: str, deadline_s: float = 60.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited {deadline_s:.0f} s in vain: {what}"
        time.sleep(0.05)


def test_projects_are_those_one_may_read(team: dict[str, Caller]) -> None:
    assert [each["name"] for each in team["vera"].get("/projects")] == ["flights"]
    shown = team["vera"].get("/projects/flights")
    assert (shown["default_branch"], shown["leads"]) == ("main", ["lea"])
    assert shown["project"]["role"] == "viewer"
    assert team["vera"].get("/projects/secret", 404) == team["vera"].get("/projects/secret", 404)
    assert "secret" in team["vera"].get("/projects/secret", 404)["error"]["message"]


def test_a_run_is_shown_as_the_command_line_shows_it(team: dict[str, Caller], hub: Site) -> None:
    shown = team["vera"].get(f"{ASKED}/latest")
    known = show_run(hub.hub, "flights", "latest")
    assert shown["line"]["id"] == known.line.id
    assert [each["stage"] for each in shown["stages"]] == ["count", "draw"]
    assert shown["metrics"]["metrics.json:rows"] == 4


def test_artifacts_come_as_what_they_are_and_can_do_nothing(team: dict[str, Caller]) -> None:
    made = {each["path"] for each in team["vera"].get(f"{ASKED}/latest/artifacts")}
    assert made == {"counts.csv", "metrics.json", "counts.svg"}
    table = team["vera"].raw(f"{ASKED}/latest/artifacts/counts.csv")
    assert table.text.splitlines()[0] == "carrier,flights"
    assert table.headers["content-type"] == "text/plain; charset=utf-8"
    figure = team["vera"].raw(f"{ASKED}/latest/artifacts/counts.svg")
    assert figure.headers["content-type"] == "image/svg+xml"
    assert figure.headers["content-security-policy"].startswith("sandbox;")
    assert figure.headers["x-content-type-options"] == "nosniff"
    again = team["vera"].raw(
        f"{ASKED}/latest/artifacts/counts.svg", headers={"if-none-match": figure.headers["etag"]}
    )
    assert again.status_code == 304
    for path in ("nothing.csv", "../../secret", "%2e%2e/%2e%2e/hub.json", "/etc/passwd"):
        assert team["vera"].raw(f"{ASKED}/latest/artifacts/{path}").status_code == 404


def test_an_object_is_given_to_the_project_that_made_it_only(team: dict[str, Caller], hub: Site) -> None:
    from lockgate.data.store import Store

    store = Store(hub.hub.store)
    foreign = store.put_bytes(b"of nobody here")
    assert (
        team["vera"].get(f"/projects/flights/objects/{foreign}", 404)["error"]["code"] == "artifact-unknown"
    )
    mine = next(each["md5"] for each in team["vera"].get(f"{ASKED}/latest/artifacts"))
    store.put_bytes(team["vera"].raw(f"{ASKED}/latest/artifacts/counts.csv").content)
    assert team["vera"].raw(f"/projects/flights/objects/{mine}").content.startswith(b"carrier")


def test_cells_are_read_by_whom_the_project_lets_read(team: dict[str, Caller], hub: Site) -> None:
    vera, done = team["vera"], cell(1, AT, code="look()", pictures=(Picture("image/png", b"PNG"),))
    (entry,) = write_journal(hub.hub, "flights", "max", "desk", [done])
    (secret,) = write_journal(hub.hub, "secret", "max", "desk", [cell(2, AT, code="look_away()")])
    one = f"/projects/flights/cells/{entry}"
    until(lambda: vera.raw(one).status_code == 200, "it is indexed")
    shown = vera.get(one)
    assert (shown["code"], shown["line"]["title"], shown["sitting"]["by"]) == ("look()", "look()", "max")
    sitting = vera.get(f"/projects/flights/sittings/{entry}")
    assert [each["entry"] for each in sitting["cells"]] == [entry]
    assert vera.raw(f"{one}/pictures/0").content == b"PNG"
    assert vera.get(f"{one}/pictures/1", 404)["error"]["code"] == "entry-unknown"
    (told,) = vera.get("/projects/flights/activity?kind=cell")["entries"]
    assert told["detail"]["sitting"]["count"] == 1
    assert [hit["kind"] for hit in vera.get("/search?q=look")] == ["cell"]
    for path in (f"secret/cells/{secret}", f"flights/cells/{secret}", f"secret/sittings/{secret}"):
        assert vera.raw(f"/projects/{path}").status_code == 404


def test_logs_are_read_in_parts(team: dict[str, Caller]) -> None:
    whole = team["vera"].raw(f"{ASKED}/latest/logs?stage=count")
    assert whole.text == "counted 4 flights\n"
    assert whole.headers["x-lockgate-state"] == "succeeded"
    part = team["vera"].raw(f"{ASKED}/latest/logs?stage=count&offset=8&limit=4")
    assert (part.text, part.headers["x-lockgate-next"]) == ("4 fl", "12")
    assert team["vera"].raw(f"{ASKED}/latest/logs?stage=count&offset=-8").text == "flights\n"
    assert team["vera"].get(f"{ASKED}/latest/logs?stage=nothing", 404)["error"]["code"] == "stage-unknown"
    lines = team["vera"].raw(f"{ASKED}/latest/pieces").text.splitlines()
    assert len(lines) == 3


def test_why(team: dict[str, Caller]) -> None:
    why = team["vera"].get(f"{ASKED}/latest/why?path=counts.svg")
    assert why["record"]["stage"] == "draw"
    assert {step["path"] for step in why["steps"]} == {"draw.py", "counts.csv", "count.py", "flights.csv"}


def test_runs_are_started_compared_and_cancelled(team: dict[str, Caller], hub: Site) -> None:
    refusal = team["vera"].post(ASKED, {"commit": "main"}, 403)["error"]
    assert (refusal["code"], "vera" in refusal["message"]) == ("not-allowed", True)
    first = team["vera"].get(f"{ASKED}/latest")["line"]["id"]
    started = team["max"].post(ASKED, {"commit": "main", "force": ["draw"]})
    until(lambda: hub.runs()[0].ended_at, "the run has ended")
    row = hub.runs()[0]
    assert (row.request.id, row.request.member, row.state) == (started["run"], "max", "succeeded")
    assert not row.has_moved_branch
    told = team["vera"].get(f"{ASKED}/{first}/compare/{started['run']}")
    assert told["left"] == compare_runs(hub.hub, "flights", first, started["run"]).left
    again = team["max"].post(f"{ASKED}/{started['run']}/again")
    assert again["run"] != started["run"]
    ended = team["max"].post(f"{ASKED}/{first}/cancel", status=200)
    assert ended["was_running"] is False
    assert team["max"].post(ASKED, {"commit": "nothing"}, 404)["error"]["code"] == "commit-unknown"
    assert team["max"].post(ASKED, {"commit": "main", "params": {"no": "such"}}, 400)["error"]["code"] == (
        "parameter-unknown"
    )


def test_a_run_is_verified_by_who_may_run(team: dict[str, Caller], hub: Site) -> None:
    until(lambda: all(row.ended_at for row in hub.runs()), "all runs have ended")
    run = hub.runs()[-1].request.id
    assert team["vera"].post(f"{ASKED}/{run}/verify", {}, 403)["error"]["code"] == "not-allowed"
    started = team["max"].post(f"{ASKED}/{run}/verify", {"seeks_cause": False})
    until(lambda: all(row.ended_at for row in hub.runs()), "the verification has ended")
    (found,) = team["vera"].get(f"{ASKED}/{run}/verifications")
    assert (found["by_run"], found["run"], found["verdict"]) == (started["run"], run, "identical")
    assert team["vera"].get(f"{ASKED}/{started['run']}")["verifications"] == [found]
    again = team["max"].post(f"{ASKED}/{started['run']}/verify", {}, 400)["error"]
    assert again["code"] == "verify-twice"


def test_back_to_here_and_branch_from_here(team: dict[str, Caller], hub: Site) -> None:
    until(lambda: all(row.ended_at for row in hub.runs()), "all runs have ended")
    first = hub.runs()[-1].request.id
    tree = hub.root / "flights"
    hub.git(tree, "pull", "--quiet", "--ff-only", "hub", "main")
    (tree / "flights.csv").write_text("carrier,delay\nAA,3\n")
    hub.git(tree, "commit", "--quiet", "-am", "Fewer")
    hub.git(tree, "push", "--quiet", "-o", "wait", "hub", "main")
    assert team["vera"].post("/projects/flights/rollback", {"branch": "main", "state": first}, 403)
    moved = team["max"].post("/projects/flights/rollback", {"branch": "main", "state": first[-8:]})
    repository = hub.hub.repository("flights")
    assert "DL,12" in hub.git(repository, "show", f"{moved['commit']}:flights.csv")
    assert "max" in hub.git(repository, "show", "-s", "--format=%an", moved["commit"])
    until(lambda: all(row.ended_at for row in hub.runs()), "its run has ended")
    begun = team["max"].post("/projects/flights/branches", {"branch": "idea", "state": first[-8:]})
    assert begun["commit"] == hub.git(repository, "rev-parse", "refs/heads/idea").strip()
    twice = team["max"].post("/projects/flights/branches", {"branch": "idea", "state": first[-8:]}, 409)
    assert twice["error"]["code"] == "ref-conflict"
    bad = team["max"].post("/projects/flights/branches", {"branch": "a..b", "state": first[-8:]}, 400)
    assert bad["error"]["code"] == "ref-name"


def test_a_cell_is_gone_back_to_as_its_clone_was(team: dict[str, Caller], hub: Site) -> None:
    tree, repository = hub.root / "flights", hub.hub.repository("flights")
    (tree / "tried.py").write_text("print('not committed')\n")
    now = snapshot(tree, "The work tree as a cell ran")
    (tree / "tried.py").unlink()
    hub.git(tree, "push", "--quiet", "hub", f"{now}:refs/notes/any")
    (entry,) = write_journal(hub.hub, "flights", "max", "lap", [cell(7, AT, code="try_it()")], now)
    (bare,) = write_journal(hub.hub, "flights", "max", "lap", [cell(8, AT + 1)])
    forging = Activity(
        kind=KIND, at="2026-01-01T00:00:00Z\n", by="lea", title="Back\n\nLockgate-Run: 8F3KQ2ZD", commit=now
    )
    (forged_entry,) = forged(hub.hub, "flights", "lea", "lap", forging)
    begun = team["max"].post("/projects/flights/branches", {"branch": "tried", "state": entry[:12]})
    assert (begun["commit"], "run" in begun) == (now, False)
    moved = team["max"].post("/projects/flights/rollback", {"branch": "main", "state": entry})
    assert "not committed" in hub.git(repository, "show", "main:tried.py")
    said = hub.git(repository, "show", "-s", "--format=%an%n%B", moved["commit"]).split("\n")
    assert said[:2] == ["max", "Roll back to n.ipynb [7]: try_it(), 2026-05-28T12:00:00Z"]
    assert f"Lockgate-Rollback: {entry}" in said
    assert team["vera"].post("/projects/flights/branches", {"branch": "x", "state": entry}, 403)
    told = team["max"].post("/projects/flights/branches", {"branch": "x", "state": bare}, 400)
    assert told["error"]["code"] == "activity-no-state"
    until(lambda: all(row.ended_at for row in hub.runs()), "its run has ended")
    hub.git(repository, "update-ref", "refs/heads/behind", f"{now}~1")
    moved = team["max"].post("/projects/flights/rollback", {"branch": "behind", "state": forged_entry})
    trailers = hub.git(repository, "show", "-s", "--format=%(trailers:only)", moved["commit"])
    assert trailers.split() == ["Lockgate-Rollback:", forged_entry]
    until(lambda: all(row.ended_at for row in hub.runs()), "its run has ended")


def test_backends_are_listed_and_checked(team: dict[str, Caller]) -> None:
    assert "local" in {each["name"] for each in team["vera"].get("/projects/flights/backends")}
    found = team["max"].post("/projects/flights/backends/local/check", {"timeout_s": 30}, 200)
    assert found[-1]["state"] == "ok"
    assert team["max"].post("/projects/flights/backends/nothing/check", {}, 404)


def test_tokens_are_ones_own_and_no_wider_than_what_makes_them(team: dict[str, Caller], hub: Site) -> None:
    issued = team["max"].post("/tokens", {"name": "laptop", "scope": "read", "days": 7})
    narrow = Caller(hub, issued["secret"])
    assert narrow.get("/me")["scope"] == "read"
    assert narrow.post(ASKED, {"commit": "main"}, 403)
    assert narrow.post("/tokens", {"name": "wider", "scope": "write"}, 403)["error"]["code"] == "not-allowed"
    assert "laptop" in {each["name"] for each in team["max"].get("/tokens")}
    assert "laptop" not in {each["name"] for each in team["lea"].get("/tokens")}
    assert team["lea"].http.delete(f"/api/v1/tokens/{issued['token']['id']}").status_code == 404
    assert team["max"].http.delete(f"/api/v1/tokens/{issued['token']['id']}").status_code == 204
    assert narrow.get("/me", 401)["error"]["code"] == "login-failed"
    with hub.client(auth=("max", PASSWORD)) as client:  # as `lockgate login` asks
        made = client.post("/api/v1/tokens", json={"name": "by password", "scope": "write", "days": 30})
    assert made.status_code == 201
    narrow.http.close()


def test_the_operator_adds_a_project_that_others_may_not(team: dict[str, Caller]) -> None:
    assert team["lea"].post("/projects", {"name": "new"}, 403)
    assert team["olga"].post("/projects", {"name": "new"})["name"] == "new"
    assert team["olga"].post("/projects", {"name": "../new"}, 400)["error"]["code"] == "project-name"
    assert team["olga"].get("/projects/flights", 404)


def test_the_chain_is_told(team: dict[str, Caller]) -> None:
    kinds = [each["activity"]["kind"] for each in team["vera"].get("/projects/flights/chain?limit=1000")]
    assert "project.added" in kinds
    assert "run.finished" in kinds


def test_the_runs_table_is_filtered_and_sorted_in_words(team: dict[str, Caller], hub: Site) -> None:
    page = team["vera"].get(f"{ASKED}?limit=200")
    assert {row["id"] for row in page["rows"]} == {row.request.id for row in hub.runs()}
    assert team["vera"].get(f"{ASKED}?filter=rows > 3 and state = succeeded&sort=created")["rows"]
    assert team["vera"].get(f"{ASKED}?filter=rows > 1000")["rows"] == []
    assert team["vera"].get(f"{ASKED}?filter=rows >", 400)["error"]["code"] == "filter-invalid"
    table = team["vera"].raw("/projects/flights/runs.csv")
    assert len(table.text.splitlines()) == len(page["rows"]) + 1
    saved = team["vera"].post("/projects/flights/views", {"name": "large", "filter": "rows > 3"})
    assert saved["owner"] == "vera"
    assert [each["name"] for each in team["lea"].get("/projects/flights/views")] == ["large"]
    assert team["vera"].http.delete("/api/v1/projects/flights/views/large").status_code == 204


def test_a_run_is_listed_as_soon_as_it_is_queued(team: dict[str, Caller]) -> None:
    run = team["max"].post(ASKED, {"commit": "main"})["run"]
    assert run in [row["id"] for row in team["max"].get(ASKED)["rows"]]


def test_the_feed_and_the_search(team: dict[str, Caller]) -> None:
    feed = team["vera"].get("/projects/flights/activity?kind=run.finished")
    assert feed["entries"][0]["kind"] == "run.finished"
    found = team["vera"].get("/search?q=counted")
    assert found
    assert {each["project"] for each in found} == {"flights"}
    assert team["vera"].get("/search?q=nobody's business") == []  # it stands in a project of others
    assert team["vera"].get("/search?q=x&project=secret", 404)


def test_members_are_invited_and_changed_by_a_lead(team: dict[str, Caller], hub: Site) -> None:
    assert team["max"].post("/projects/flights/members", {"name": "new"}, 403)
    invited = team["lea"].post("/projects/flights/members", {"name": "new", "role": "viewer"})
    with hub.client(auth=("new", invited["password"])) as client:
        assert client.get("/api/v1/me").json()["roles"] == {"flights": "viewer"}
    changed = team["lea"].http.patch("/api/v1/projects/flights/members/new", json={"role": "member"})
    assert changed.json()["role"] == "member"
    assert "new" in {each["name"] for each in team["vera"].get("/projects/flights/members")}
    kinds = [each["activity"]["kind"] for each in team["vera"].get("/projects/flights/chain?limit=5")]
    assert kinds.count("member.invited") == 1
    assert team["lea"].post("/projects/secret/members", {"name": "new"}, 404)


def test_what_only_a_lead_may_change_waits_as_a_proposal(team: dict[str, Caller], hub: Site) -> None:
    tree = hub.root / "flights"
    hub.git(tree, "fetch", "--quiet", "hub")
    hub.git(tree, "checkout", "--quiet", "-B", "wish", "hub/main")
    (tree / "lockgate.toml").write_text(PROJECT["lockgate.toml"] + "# a wish\n")
    hub.git(tree, "commit", "--quiet", "-am", "A wish")
    hub.git(tree, "push", "--quiet", "-o", "skip", "hub", "wish")
    token = team["max"].http.headers["authorization"].partition(" ")[2]
    url = hub.git_url("flights", "max", token)
    with pytest.raises(AssertionError, match="proposal"):
        hub.git(tree, "push", url, "wish:main")
    waiting = team["vera"].get("/projects/flights/proposals")
    assert [(each["member"], each["paths"]) for each in waiting] == [("max", ["lockgate.toml"])]
    shown = team["vera"].get(f"/projects/flights/proposals/{waiting[0]['id']}")
    assert "+# a wish" in shown["difference"]
    path = f"/projects/flights/proposals/{waiting[0]['id']}/accept"
    assert team["max"].post(path, status=403)
    assert team["lea"].post(path, status=200)["commit"]
    assert team["vera"].get("/projects/flights/proposals") == []


def test_what_the_hub_takes_is_told_to_its_operator(team: dict[str, Caller]) -> None:
    assert team["olga"].get("/storage")["repositories_bytes"] > 0
    assert team["lea"].get("/storage", 403)
    told = team["vera"].get("/projects/flights/storage")
    assert told["git_bytes"] > 0 and told["runtimes_bytes"] > 0


def test_a_file_leads_back_to_its_run(team: dict[str, Caller], hub: Site) -> None:
    until(lambda: all(row.ended_at for row in hub.runs()), "all runs have ended")
    figure = team["vera"].raw(f"{ASKED}/latest/artifacts/counts.csv").content
    traced = team["vera"].http.post("/api/v1/trace", content=figure)
    assert traced.status_code == 200, traced.text
    assert {each["path"] for each in traced.json()["exact"]} == {"counts.csv"}
    assert {each["project"] for each in traced.json()["exact"]} == {"flights"}  # `secret` made it too
    md5 = traced.json()["exact"][0]["md5"]
    assert team["vera"].get(f"/trace?md5={md5}") == traced.json()["exact"]
    assert team["olga"].get(f"/trace?md5={md5}") == []
    assert team["vera"].get("/trace?md5=..", 400)
    assert team["vera"].http.post("/api/v1/trace", content=b"").json() == {
        "exact": [],
        "stamped": None,
        "alike": [],
    }
    assert team["vera"].http.post("/api/v1/trace", content=b"\x89PNG" + b"\0" * 100).status_code == 200
    assert team["vera"].http.post("/api/v1/trace", content=b"x" * 20_000_001).status_code == 413
