"""What a remote's URL means, and what a private hub calls a project."""

from __future__ import annotations

import string
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.git.program import git
from lockgate.hub.directory import (
    HOOKS,
    Hub,
    add_project,
    create_hub,
    hub_of_repository,
    is_configured,
    open_hub,
    private_hub_root,
)
from lockgate.hub.reaching.address import HttpHub, LocalHub, RemoteHub, address, of_url
from lockgate.hub.worktree.home import free_name


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    hub, is_new = create_hub(tmp_path_factory.mktemp("place") / "a hub")
    assert is_new
    add_project(hub, "flights")
    return hub


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("ssh://login/hub/repositories/p.git", "login", None, "/hub/repositories/p.git"),
        ("ssh://ana@login:2222/~/hub/repositories/p.git", "ana@login", "2222", "~/hub/repositories/p.git"),
        ("ssh://login/~ana/hub/p.git", "login", None, "~ana/hub/p.git"),
        ("git+ssh://login/p.git", "login", None, "/p.git"),
        ("login:hub/repositories/p.git", "login", None, "hub/repositories/p.git"),
        ("ana@login:/hub/p.git", "ana@login", None, "/hub/p.git"),
        ("[::1]:hub/p.git", "::1", None, "hub/p.git"),
        ("ana@[::1]:hub/p.git", "ana@::1", None, "hub/p.git"),
        ("ssh://ana@[::1]:22/hub/p.git", "ana@::1", "22", "/hub/p.git"),
        ("ssh://[::1]/hub/p.git", "::1", None, "/hub/p.git"),
    ],
)
def test_ssh(tmp_path: Path, url: str, host: str, port: str | None, path: str) -> None:
    assert of_url(url, tmp_path) == RemoteHub(host, port, path)


@pytest.mark.parametrize(
    ("url", "base", "project"),
    [
        ("https://hub.example.org/git/flights.git", "https://hub.example.org", "flights"),
        ("https://hub.example.org/git/flights", "https://hub.example.org", "flights"),
        ("https://HUB.example.org:443/git/flights.git/", "https://hub.example.org", "flights"),
        ("http://127.0.0.1:8321/a/git/b/git/flights.git", "http://127.0.0.1:8321/a/git/b", "flights"),
        ("https://ada:secret@hub.example.org/git/flights.git", "https://hub.example.org", "flights"),
        ("http://[::1]:80/git/p.git", "http://[::1]", "p"),
    ],
)
def test_services(tmp_path: Path, url: str, base: str, project: str) -> None:
    assert of_url(url, tmp_path) == HttpHub(base, project)


@pytest.mark.parametrize(
    "url",
    ["https://", "https:///git/p.git", "https://h/p.git", "https://h/git/", "https://h/git/a/b.git",
     "https://h:port/git/p.git", "https://[::1/git/p.git", "http://h:99999/git/p.git"],
)  # fmt: skip
def test_no_service(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError) as caught:
        of_url(url, tmp_path)
    assert caught.value.code == "hub-url"


@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_paths(hub: Hub, tmp_path: Path, url: str) -> None:
    found = of_url(url.format(hub.repository("flights")), tmp_path)
    assert isinstance(found, LocalHub)
    assert (found.hub.root, found.project) == (hub.root, "flights")


def test_relative_paths(hub: Hub) -> None:
    for url in ("../a hub/repositories/flights.git", "./../a hub/repositories/./flights.git/"):
        found = of_url(url, hub.root.parent / "work")
        assert isinstance(found, LocalHub)
        assert (found.hub.root, found.project) == (hub.root, "flights")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/p.git", "hub-url"),
        ("git://example.org/p.git", "hub-url"),
        ("ssh://example.org", "hub-url"),
        ("ssh://-oProxyCommand=x/hub/p.git", "hub-url"),
        ("-oProxyCommand=x:hub/p.git", "hub-url"),
        ("/nowhere/p.git", "no-hub"),
        ("../p.git", "no-hub"),
        ("p.git", "no-hub"),
    ],
)
def test_what_is_no_hub(tmp_path: Path, url: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        of_url(url, tmp_path)
    assert caught.value.code == code


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_any_url_is_an_address_or_an_error(url: str) -> None:
    try:
        found = of_url(url, Path("/nowhere"))
    except LockgateError:
        return
    assert isinstance(found, RemoteHub)
    assert found.host and not found.host.startswith("-")


def test_by_options(hub: Hub, tmp_path: Path) -> None:
    found = address(hub.root, None, tmp_path)
    assert isinstance(found, LocalHub)
    assert found.project == "flights"
    with pytest.raises(UserError) as caught:
        address(hub.root, "fligths", tmp_path)
    assert caught.value.code == "project-unknown"
    assert "flights" in caught.value.hint


def test_by_the_work_trees_remote(hub: Hub, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(UserError) as caught:
        address(None, None, tmp_path)
    assert caught.value.code == "no-hub"
    assert "rename" not in (caught.value.hint or "")
    git(tmp_path, "remote", "add", "origin", str(hub.repository("flights")))
    with pytest.raises(UserError) as caught:
        address(None, None, tmp_path)
    assert "git remote rename origin hub" in (caught.value.hint or "")
    git(tmp_path, "remote", "add", "hub", str(hub.repository("flights")))
    (tmp_path / "sub").mkdir()
    assert isinstance(address(None, None, tmp_path / "sub"), LocalHub)


# The hub's directory


def test_a_hub_is_made_once(hub: Hub) -> None:
    again, is_new = create_hub(hub.root)
    assert not is_new
    assert again.root == open_hub(hub.root).root == hub.root
    assert hub.projects() == ["flights"]
    assert hub_of_repository(hub.root / "elsewhere" / "p.git") is None


def test_a_project_is_set_up_and_set_up_again(hub: Hub) -> None:
    path, is_new = add_project(hub, "weather")
    assert is_new
    assert is_configured(hub, "weather")
    for hook in HOOKS:
        assert (path / "hooks" / hook).stat().st_mode & 0o111
        subprocess.run(["sh", "-n", path / "hooks" / hook], check=True)
    (path / "hooks" / HOOKS[0]).write_text("#!/bin/sh\n")
    git(path, "config", "gc.auto", "1")
    assert not is_configured(hub, "weather")
    assert add_project(hub, "weather") == (path, False)
    assert is_configured(hub, "weather")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a..b", "-a", ".a", "a/b", "a b", "a.git", "a.lock", "é", "a" * 101, "a\n"]
)
def test_no_name_of_a_project(hub: Hub, name: str) -> None:
    with pytest.raises(UserError) as caught:
        add_project(hub, name)
    assert caught.value.code == "project-name"


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "not-a-hub"), ("", "hub-format"), ("[]", "hub-format"), ('{"lockgate_hub": 2}', "hub-format")],
)
def test_a_directory_that_is_no_hub(tmp_path: Path, content: str | None, code: str) -> None:
    if content is not None:
        (tmp_path / "hub.json").write_text(content)
    with pytest.raises(UserError) as caught:
        open_hub(tmp_path)
    assert caught.value.code == code


def test_a_directory_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError) as caught:
        create_hub(tmp_path)
    assert caught.value.code == "hub-not-empty"
    with pytest.raises(OutsideError) as outside:
        create_hub(tmp_path / "thesis.tex")
    assert outside.value.code == "hub-unwritable"


@pytest.mark.parametrize("is_missing", ["hub.json", "wake", "bin/lockgate", "key", "key.pub"])
def test_a_hub_half_made_is_made_whole(tmp_path: Path, is_missing: str) -> None:
    hub, _ = create_hub(tmp_path / "hub")
    key = hub.key.read_bytes()
    for name in {"hub.json", is_missing}:
        (hub.root / name).unlink()
    again, is_new = create_hub(hub.root)
    assert is_new
    assert (hub.root / is_missing).exists() or is_missing == "key.pub"
    assert (again.key.read_bytes() == key) == (is_missing != "key")
    assert not create_hub(hub.root)[1]


def test_the_private_hubs_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert private_hub_root() == tmp_path / "lockgate" / "hub"
    monkeypatch.setenv("LOCKGATE_HUB", "~/mine")
    assert private_hub_root() == Path.home() / "mine"


# What a private hub calls a project


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("flights", "flights"),
        ("My Thesis (final)", "My-Thesis-final"),
        ("été", "t"),
        ("...", "project"),
        ("", "project"),
        ("日本", "project"),
        ("a..b", "a.b"),
        ("p.git", "p"),
        ("p.git.lock", "p"),
        ("p.git.git.", "p"),
        ("x" * 76 + ".git" + "y", "x" * 76),
        ("-rf", "rf"),
    ],
)
def testfree_names(tmp_path: Path, folder: str, name: str) -> None:
    assert free_name(Hub(tmp_path), Path("/home") / folder if folder else Path("/")) == name


names = st.text(st.sampled_from(string.ascii_letters + ".-_ é()") | st.characters(exclude_characters="/\0"))


@settings(max_examples=30, deadline=None)
@given(names | st.lists(st.sampled_from([".git", ".lock", ".", "a", "-", "x" * 40])).map("".join))
def test_any_folders_name_becomes_a_projects(name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        hub = Hub(Path(place))
        hub.repositories.mkdir()
        found = free_name(hub, Path("/home") / f"./{name}")
        hub.repository(found).mkdir()
        assert hub.projects() == [found]
        try:
            add_project(hub, found)
        except OutsideError:
            return  # the name was taken, git did not take the empty folder


def test_two_folders_of_one_name_are_two_projects(hub: Hub) -> None:
    other = free_name(hub, Path("/home/ana/flights"))
    assert other.startswith("flights-")
    assert other == free_name(hub, Path("/home/ana/flights")) != free_name(hub, Path("/srv/flights"))
    git(hub.repository("flights"), "config", "lockgate.worktree", "/home/ana/flights")
    assert free_name(hub, Path("/home/ana/flights")) == "flights"
