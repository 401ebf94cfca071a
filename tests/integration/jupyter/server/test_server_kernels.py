"""Kernels of projects in a Jupyter server: which it offers, under which names, and how a start is told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, WorkTree
from tornado.httpclient import HTTPClientError, HTTPResponse

from lockgate.jupyter.kernels import ProjectKernels, names_of

Fetch = Callable[..., Awaitable[HTTPResponse]]


@pytest.fixture
def jp_root_dir(place: Place) -> Path:
    return place.root


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"lockgate.jupyter": True}}}


def project(place: Place, name: str, *kernels: str) -> WorkTree:
    made = place.project({"lockgate.toml": ""}, name=name)
    for kernel in kernels:
        made.lockgate("kernel", "add", kernel)
    return made


async def offered(fetch: Fetch) -> set[str]:
    return set(json.loads((await fetch("api", "kernelspecs")).body)["kernelspecs"])


async def look(fetch: Fetch, path: str) -> list[str]:
    body = (await fetch("lockgate", "kernels", params={"path": path}, method="POST", body="{}")).body
    changed: list[str] = json.loads(body)["changed"]
    return changed


async def test_a_kernel_added_later_is_offered_after_a_file_was_opened(jp_fetch: Fetch, place: Place) -> None:
    tree = project(place, "later")
    assert "later-py" not in await offered(jp_fetch)
    tree.lockgate("kernel", "add", "later-py")
    assert "later-py" in await look(jp_fetch, "later/x.ipynb")
    assert "later-py" in await offered(jp_fetch)
    assert await look(jp_fetch, "later/x.ipynb") == []
    (tree.path / "kernels/later-py/kernel.json").unlink()
    await look(jp_fetch, "later/x.ipynb")
    assert "later-py" not in await offered(jp_fetch)


async def test_a_kernel_that_cannot_start_is_told_in_words(jp_fetch: Fetch, place: Place) -> None:
    tree = project(place, "cannot", "cannot-py")
    tree.write({"requirements.txt": "tabulate==99.99\n"})
    await look(jp_fetch, "cannot/x.ipynb")
    session = {"path": "cannot/x.ipynb", "name": "x", "type": "notebook", "kernel": {"name": "cannot-py"}}
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("api", "sessions", method="POST", body=json.dumps(session))
    assert caught.value.response is not None
    told = json.loads(caught.value.response.body)["message"]
    assert "requirements.txt line 1" in told


def test_what_was_cloned_from_elsewhere_offers_nothing(place: Place, tmp_path: Path) -> None:
    """A kernel is a command, and who opens a notebook starts its kernel."""
    own = project(place, "own", "own-py")
    own.commit()
    elsewhere = tmp_path / "root" / "elsewhere"
    elsewhere.parent.mkdir()
    own.git("clone", "--quiet", str(own.path), str(elsewhere))
    kernels = ProjectKernels(elsewhere.parent)
    try:
        assert kernels.gather(elsewhere) == ()
        own.git("-C", str(elsewhere), "remote", "add", "hub", str(place.repository("own")))
        assert kernels.gather() == ("own-py",)
    finally:
        kernels.close()
    assert not kernels.folder.exists()


def test_kernels_of_one_name_have_their_project_in_front() -> None:
    root = Path("/srv")
    places = [root / "a/kernels/Py", root / "deep/b c/kernels/py", root / "a/kernels/r"]
    assert names_of(root, places) == {"a.py": places[0], "deep.b-c.py": places[1], "r": places[2]}
    assert names_of(root / "a", places[:1]) == {"py": places[0]}
