"""A hub that nobody serves takes the pushes of a Jupyter server by hooks that have started already."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from e2e_place import ONE_STAGE, Place, WorkTree, until

from lockgate.hub.directory import HOOKS, open_hub
from lockgate.hub.hook import SOCKET
from lockgate.hub.pushing.hookserver import hook_server
from lockgate.jupyter.hook_servers import HookServers, is_served


@pytest.fixture
def tree(place: Place, request: pytest.FixtureRequest) -> WorkTree:
    return place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"}, name=re.sub(r"\W", "-", request.node.name))


@pytest.fixture
def servers() -> Iterator[HookServers]:
    made = HookServers()
    yield made
    made.close()


def test_a_hub_of_ones_own_is_stood_by_until_the_end(
    place: Place, tree: WorkTree, servers: HookServers
) -> None:
    hub = open_hub(place.hub)
    servers.stand_by(tree.path)
    until(lambda: is_served(hub), "the hub is served")
    first = (hub.root / SOCKET).stat().st_ino
    servers.stand_by(tree.path)
    assert (hub.root / SOCKET).stat().st_ino == first, "one is enough"
    assert "in the work tree: o" in tree.lockgate("run").said
    servers.close()
    assert not (hub.root / SOCKET).exists()
    servers.stand_by(tree.path)
    assert not is_served(hub), "the end is the end"
    tree.write({"i": "2\n"})
    assert "in the work tree: o" in tree.lockgate("run").said


def test_a_run_has_a_line_to_the_server(place: Place, tree: WorkTree, servers: HookServers) -> None:
    hub = open_hub(place.hub)
    servers.stand_by(tree.path)
    until(lambda: is_served(hub), "the hub is served")
    for hook in (hub.repository(name) / "hooks" / each for name in hub.projects() for each in HOOKS):
        hook.write_text(hook.read_text().partition("python=")[0] + "exit 77\n")
    assert "in the work tree: o" in tree.lockgate("run").said


def test_a_hub_that_is_served_is_let_be(place: Place, tree: WorkTree, servers: HookServers) -> None:
    hub = open_hub(place.hub)
    with hook_server(hub):
        until(lambda: is_served(hub), "the hub is served")
        theirs = (hub.root / SOCKET).stat().st_ino
        servers.stand_by(tree.path)
        servers.close()
        assert (hub.root / SOCKET).stat().st_ino == theirs
        assert is_served(hub)


@pytest.mark.parametrize(
    "url",
    ["", "ssh://nowhere.invalid/p.git", "https://nowhere.invalid/git/p.git", "/none"],
    ids=["none", "ssh", "http", "gone"],
)
def test_a_hub_elsewhere_or_none_is_none_of_ours(servers: HookServers, url: str, tree: WorkTree) -> None:
    tree.git("remote", "remove", "hub")
    if url:
        tree.git("remote", "add", "hub", url)
    servers.stand_by(tree.path)
    assert not is_served(open_hub(tree.place.hub))
