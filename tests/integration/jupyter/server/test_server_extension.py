"""What the server extension answers, without a browser: standing, runs, mistakes in words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_place import ONE_STAGE, Place, WorkTree
from tornado.httpclient import HTTPClientError, HTTPResponse

from lockgate.activity.execution import Execution, Picture
from lockgate.hub.worktree.journal import Journal

Fetch = Callable[..., Awaitable[HTTPResponse]]


@pytest.fixture
def jp_root_dir(place: Place) -> Path:
    return place.root


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"lockgate.jupyter": True}}}


@pytest.fixture
def tree(place: Place, request: pytest.FixtureRequest) -> WorkTree:
    return place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"}, name=str(request.node.name))


async def asked(fetch: Fetch, end: str, body: object = None, **query: str) -> Any:
    more = {"method": "POST", "body": json.dumps(body)} if body is not None else {}
    return json.loads((await fetch("lockgate", *end.split("/"), params=query, **more)).body)


async def refused(fetch: Fetch, end: str, body: object = None, **query: str) -> tuple[int, dict[str, str]]:
    with pytest.raises(HTTPClientError) as caught:
        await asked(fetch, end, body, **query)
    assert caught.value.response is not None
    return caught.value.code, json.loads(caught.value.response.body)


async def test_a_folder_in_no_repository_is_no_project(jp_fetch: Fetch, place: Place) -> None:
    (place.root / "plain").mkdir()
    found = await asked(jp_fetch, "standing", path="plain/x.ipynb")
    assert found["state"] == "no-project"
    begun = await asked(jp_fetch, "project", {"path": "plain"})
    assert any("lockgate.toml" in line for line in begun["lines"])
    assert (await asked(jp_fetch, "standing", path="plain/x.ipynb"))["root"] == "plain"


async def test_a_run_makes_what_would_run_known(jp_fetch: Fetch, tree: WorkTree) -> None:
    name = tree.path.name
    before = await asked(jp_fetch, "standing", path=f"{name}/i")
    assert (before["state"], before["path"], before["words"]) == ("would-run", "i", "copy: never run")
    receipt = await asked(jp_fetch, "runs", {"path": f"{name}/i"})
    tree.place.settle(name)
    listed = (await asked(jp_fetch, "runs", path=name))["runs"]
    assert [line["id"] for line in listed] == [receipt["run"]]
    one = await asked(jp_fetch, f"runs/{receipt['run']}", path=name)
    assert one["line"]["state"] == "succeeded"


async def test_a_forecast_starts_nothing(jp_fetch: Fetch, tree: WorkTree) -> None:
    name = tree.path.name
    foreseen = await asked(jp_fetch, "runs", {"path": name, "is_dry_run": True})
    assert [stage["stage"] for stage in foreseen["stages"]] == ["copy"]
    assert (await asked(jp_fetch, "runs", path=name))["runs"] == []


async def test_a_broken_manifest_is_told_with_its_line(jp_fetch: Fetch, tree: WorkTree) -> None:
    tree.write({"lockgate.toml": ONE_STAGE + "tpyo = 1\n"})
    found = await asked(jp_fetch, "standing", path=f"{tree.path.name}/i")
    assert found["state"] == "broken"
    assert "lockgate.toml:5" in found["words"]
    code, told = await refused(jp_fetch, "runs", {"path": f"{tree.path.name}/i"})
    assert code == 400
    assert told["hint"]
    assert told["code"]


async def test_mistakes_are_told_in_words(jp_fetch: Fetch, tree: WorkTree) -> None:
    assert (await refused(jp_fetch, "standing", path="../x"))[1]["code"] == "path-outside"
    assert (await refused(jp_fetch, "runs", {"pth": "x"}))[1]["code"] == "request-unreadable"
    assert (await refused(jp_fetch, "runs/ZZZZZZZZ", path=tree.path.name))[1]["code"] == "run-unknown"
    asked_for = {"path": tree.path.name, "only": ["nothing"]}
    assert (await refused(jp_fetch, "runs", asked_for))[1]["code"] == "stage-unknown"


async def test_who_has_no_token_is_not_answered(jp_fetch: Fetch, tree: WorkTree) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(
            "lockgate", "standing", params={"path": tree.path.name}, headers={"Authorization": "token no"}
        )
    assert caught.value.code == 403


async def test_the_feed_tells_of_cells_their_pictures_and_states(jp_fetch: Fetch, tree: WorkTree) -> None:
    name = tree.path.name
    tree.write({"i": "as the cell ran\n", "n.ipynb": '{"cells": []}'})
    drawing = Picture("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    done = Execution(code="plot()", started_at=1_780_000_000.0, notebook="n.ipynb", pictures=(drawing,))
    (entry,) = Journal(tree.path).note([done], [])
    tree.write({"i": "later\n"})
    page = await asked(jp_fetch, "activity", path=f"{name}/i", kinds="figure")
    assert page["root"] == name
    assert [line["id"] for line in page["lines"]] == [entry]
    shown = await asked(jp_fetch, f"activity/{entry}", path=name)
    assert shown["code"] == "plot()"
    seen = await jp_fetch(
        "lockgate", "activity", entry, "picture", params={"path": name, "file": "pictures/0.svg"}
    )
    assert seen.body == drawing.content
    assert seen.headers["Content-Type"] == "image/svg+xml"
    assert "sandbox" in seen.headers["Content-Security-Policy"]
    then = await asked(jp_fetch, f"states/{shown['commit']}/{name}/i")
    assert (then["content"], then["writable"], then["type"]) == ("as the cell ran\n", False, "file")
    notebook = await asked(jp_fetch, f"states/{shown['commit']}/{name}/n.ipynb")
    assert (notebook["content"], notebook["type"]) == ({"cells": []}, "notebook")
    foreseen = await asked(jp_fetch, f"activity/{entry}/back", {"is_dry_run": True}, path=name)
    assert foreseen["changed"] == ["i"]
    assert tree.read("i") == "later\n"
    assert (await refused(jp_fetch, "activity", path=name, kinds="all"))[1]["code"] == "request-unreadable"
    assert (await refused(jp_fetch, f"activity/{'0' * 40}", path=name))[1]["code"] == "entry-unknown"
    gone = await refused(jp_fetch, f"states/{shown['commit']}/{name}/none")
    assert gone[1]["code"] == "state-file-absent"
    assert (await refused(jp_fetch, f"states/main/{name}/i"))[1]["code"] == "state-file-absent"
