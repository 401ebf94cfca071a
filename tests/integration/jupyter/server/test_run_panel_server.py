"""What the panel of runs is told, without a browser: one run, its log, results, a file's origin, branches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, WorkTree
from tornado.httpclient import HTTPClientError, HTTPResponse

Fetch = Callable[..., Awaitable[HTTPResponse]]
PIPELINE = """\
[stages.sort]
run = "echo sorting && sort i > o.csv"
needs = ["i"]
makes = ["o.csv"]

[stages.draw]
run = "printf '\\\\033[31mred\\\\033[0m\\\\n'; cp dot.png seen.png; mkdir a; cp dot.png a/1.png"
needs = ["o.csv", "dot.png", "which"]
makes = ["seen.png", "a"]
"""
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000"
    "05000157a2a4d60000000049454e44ae426082"
)


@pytest.fixture
def jp_root_dir(place: Place) -> Path:
    return place.root


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"lockgate.jupyter": True}}}


@pytest.fixture
def tree(place: Place, request: pytest.FixtureRequest) -> WorkTree:
    files: dict[str, str | bytes] = {
        "lockgate.toml": PIPELINE,
        "i": "n,m\n2,b\n1,a\n",
        "dot.png": DOT,
        "which": "pictures/one.png\n",
    }
    return place.project(files, name=str(request.node.name).removeprefix("test_"))


async def asked(fetch: Fetch, end: str, body: object = None, **query: str) -> Any:
    more = {"method": "POST", "body": json.dumps(body)} if body is not None else {}
    return json.loads((await fetch("lockgate", *end.split("/"), params=query, **more)).body)


async def refused(fetch: Fetch, end: str, body: object = None, **query: str) -> str:
    with pytest.raises(HTTPClientError) as caught:
        await asked(fetch, end, body, **query)
    assert caught.value.response is not None
    return str(json.loads(caught.value.response.body)["code"])


async def test_run_shown(jp_fetch: Fetch, tree: WorkTree) -> None:
    path = tree.path.name
    run = (await asked(jp_fetch, "runs", {"path": path}))["run"]
    tree.place.settle(path)
    shown = await asked(jp_fetch, f"runs/{run}", path=path)
    assert shown["is_over"]
    assert [(each["name"], each["layer"], each["above"]) for each in shown["stages"]] == [
        ("sort", 0, []),
        ("draw", 1, ["sort"]),
    ]
    assert [each["path"] for each in shown["figures"]] == ["a/1.png", "seen.png"]
    table = await asked(jp_fetch, f"runs/{run}/table", path=path, file="o.csv", start="1", count="1")
    assert (table["total"], table["rows"]) == (2, [["n", "m"]])
    picture = await jp_fetch("lockgate", "runs", run, "file", params={"path": path, "file": "seen.png"})
    assert picture.body == DOT
    assert "sandbox" in picture.headers["Content-Security-Policy"]
    assert await refused(jp_fetch, f"runs/{run}/file", path=path, file="o.csv") == "not-a-picture"
    assert await refused(jp_fetch, f"runs/{run}/table", path=path, file="seen.png") == "not-a-table"
    assert await refused(jp_fetch, f"runs/{run}/table", path=path, file="none.csv") == "artifact-unknown"


async def test_log_told(jp_fetch: Fetch, tree: WorkTree) -> None:
    path = tree.path.name
    run = (await asked(jp_fetch, "runs", {"path": path}))["run"]
    tree.place.settle(path)
    part: dict[str, Any] = {"is_over": False}
    async with asyncio.timeout(30):
        while not part["is_over"]:
            part = await asked(jp_fetch, f"runs/{run}/log", path=path, stage="draw", at="0")
    assert part["lines"][0] == ["f1", "red"]
    rest = await asked(jp_fetch, f"runs/{run}/log", path=path, stage="draw", at=str(part["end"]))
    assert rest["lines"] == []


async def test_stage_opened(jp_fetch: Fetch, tree: WorkTree) -> None:
    path = tree.path.name
    run = (await asked(jp_fetch, "runs", {"path": path}))["run"]
    tree.place.settle(path)
    tree.write({"which": "edited since\n"})
    opened = await asked(jp_fetch, f"runs/{run}/open", {"stage": "draw"}, path=path)
    folder = tree.path / opened["folder"]
    assert opened["is_new"]
    assert sorted(each.name for each in folder.iterdir()) == ["dot.png", "o.csv", "which"]
    assert (folder / "which").read_text() == "pictures/one.png\n"
    assert (folder / "o.csv").read_text() == "1,a\n2,b\nn,m\n"
    (folder / "o.csv").write_text("tried")
    assert "lockgate.open" not in tree.git("status", "--porcelain").out
    again = json.loads(tree.lockgate("open", run[-8:], "draw", "--json").out)
    assert (again["is_new"], again["folder"]) == (False, opened["folder"])
    assert (folder / "o.csv").read_text() == "tried"
    assert await refused(jp_fetch, f"runs/{run}/open", {"stage": "none"}, path=path) == "stage-unknown"


async def test_file_origin(jp_fetch: Fetch, tree: WorkTree) -> None:
    path = tree.path.name
    assert await refused(jp_fetch, "why", path=f"{path}/o.csv") == "not-recorded"
    run = (await asked(jp_fetch, "runs", {"path": path}))["run"]
    tree.place.settle(path)
    tree.lockgate("fetch", run)
    why = await asked(jp_fetch, "why", path=f"{path}/seen.png")
    assert (why["run"], why["stage"], why["words"]) == (run, "draw", "Made by stage draw")
    read = [step["path"] for step in why["steps"] if step["depth"] == 0]
    assert sorted(read) == ["dot.png", "o.csv", "which"]
    source = await asked(jp_fetch, "why", path=f"{path}/i")
    assert source["run"] is None
    assert ["needed by", "sort"] in source["facts"]
    history = await asked(jp_fetch, "history", path=f"{path}/i")
    assert {each["kind"] for each in history["happenings"]} == {"commit", "activity"}
    times = [each["at"] for each in history["happenings"]]
    assert times == sorted(times, reverse=True)


async def test_branches(jp_fetch: Fetch, tree: WorkTree) -> None:
    path = tree.path.name
    first = (await asked(jp_fetch, "branches", path=path))["current"]
    begun = await asked(jp_fetch, "branches", {"name": "trial", "is_new": True}, path=path)
    assert begun["current"] == "trial"
    tree.commit({"i": "9\n"})
    tree.write({"i": "edited\n"})
    assert await refused(jp_fetch, "branches", {"name": first}, path=path) == "edits-in-the-way"
    assert tree.read("i") == "edited\n"
    tree.commit()
    tree.write({"notes": "not committed\n"})
    assert (await asked(jp_fetch, "branches", {"name": first}, path=path))["current"] == first
    assert (tree.read("i"), tree.read("notes")) == ("n,m\n2,b\n1,a\n", "not committed\n")
    assert await refused(jp_fetch, "branches", {"name": "none"}, path=path) == "branch-unknown"
    assert await refused(jp_fetch, "branches", {"name": "-x y", "is_new": True}, path=path) == "branch-name"
    assert await refused(jp_fetch, "branches", {"name": "trial", "is_new": True}, path=path) == "branch-there"
