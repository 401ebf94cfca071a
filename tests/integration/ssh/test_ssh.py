"""A hub behind ssh, as on a cluster's login node: a real sshd on loopback, run by whoever runs the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_place import LINGER_S, ONE_STAGE, TWO_STAGES, Place, WorkTree, receipts, run_program, until
from ssh_server import SSHD, Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if SSHD is None or shutil.which("ssh") is None:
        warnings.warn("NOT TESTED: hubs over ssh; install openssh-server", stacklevel=1)
        pytest.skip("NOT TESTED: hubs over ssh, for want of sshd (apt-get install openssh-server)")
    started = Server(tmp_path_factory.mktemp("sshd"), f"SetEnv LOCKGATE_LINGER_S={LINGER_S}")
    try:
        until(lambda: started.is_up() or started.process.poll() is not None, "sshd answers", 10)
        assert started.process.poll() is None, (started.folder / "log").read_text()
        yield started
    finally:
        started.stop()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Iterator[Place]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    made = Place(tmp_path)
    made.env["GIT_SSH_COMMAND"] = server.ssh
    yield made
    made.close()


def behind_ssh(place: Place, server: Server, files: dict[str, str]) -> WorkTree:
    """Return a clone, made over ssh, of a project whose hub is only reached that way."""
    place.project(files).git("push", "-q", "-o", "skip", "hub", "main")
    tree = place.clone("far", "far@example.org", url=server.url(place.repository()))
    del place.env["LOCKGATE_HUB"]
    return tree


def test_a_push_over_ssh_is_run_and_its_results_are_pulled(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.commit({"i": "over ssh\n"})
    done = tree.push()
    assert len(receipts(done)) == 1
    assert "remote: shout  done in" in done.err
    tree.pull()
    assert tree.read("shouted") == "OVER SSH\n"


def test_a_member_with_git_and_ssh_alone_can_do_that_too(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": TWO_STAGES, "i": "1\n"})
    folder = place.root / "only-git"
    folder.mkdir()
    for name in ("git", "sh", "ssh"):
        (folder / name).symlink_to(shutil.which(name) or "")
    env = {"PATH": str(folder), "HOME": os.environ["HOME"], "GIT_SSH_COMMAND": server.ssh}
    run_program(["git", "commit", "--allow-empty", "-qm", "mine"], tree.path, env)
    assert "SUCCEEDED" in run_program(["git", "push", "-o", "wait", "hub", "main"], tree.path, env).err
    run_program(["git", "pull", "-q", "hub", "main"], tree.path, env)
    assert tree.read("shouted") == "1\n"


def test_the_command_line_speaks_to_a_hub_behind_ssh(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.write({"i": "uncommitted\n"})
    assert "SUCCEEDED" in tree.lockgate("run").said
    assert tree.read("shouted") == "UNCOMMITTED\n"
    listed = tree.lockgate("runs").out
    assert "succeeded" in listed
    assert "far@example.org" in listed
    view = tree.show()
    assert view["line"]["state"] == "succeeded"
    assert tree.lockgate("runs", "--json").out.startswith("[")
    assert "stage shout, shouted" in tree.lockgate("trace", "shouted").out
    assert tree.lockgate("show", "nosuchrun", code=2).err.startswith("error: there is no run nosuchrun")


def test_large_artifacts_come_over_ssh(place: Place, server: Server) -> None:
    text = (
        '[data]\nresult_limit = "100 B"\n[stages.s]\nrun = "seq 1000 > big; mkdir d; seq 999 > \'d/a b\'"\n'
        'needs = ["i"]\nmakes = ["big", "d"]\n'
    )
    tree = behind_ssh(place, server, {"lockgate.toml": text, "i": "1\n"})
    tree.lockgate("run")
    assert len(tree.read("big").splitlines()) == 1000
    assert len(tree.read("d/a b").splitlines()) == 999


def test_data_goes_and_comes_over_ssh(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": ONE_STAGE, "i": "1\n"})
    large = os.urandom(2_000_000)
    tree.write({"large.bin": large, **{f"many/{n}": f"{n}\n" for n in range(40)}})
    tree.lockgate("data", "add", "large.bin", "many")
    tree.commit()
    assert "sent to the hub: 42 objects" in tree.lockgate("hub", "send").out
    tree.push("-o", "skip", "main")
    other = place.clone("third", "third@example.org", url=server.url(place.repository()))
    assert "many: 40 files placed" in other.lockgate("data", "get").out
    assert (other.path / "large.bin").read_bytes() == large
    assert {path.name: path.read_text() for path in (other.path / "many").iterdir()} == {
        str(n): f"{n}\n" for n in range(40)
    }


def test_a_result_is_given_away_over_ssh(place: Place, server: Server) -> None:
    text = (
        '[data]\nresult_limit = "100 B"\n[stages.s]\nrun = "seq 1000 > big"\nneeds = ["i"]\nmakes = ["big"]\n'
    )
    tree = behind_ssh(place, server, {"lockgate.toml": text, "i": "1\n"})
    tree.lockgate("run")
    tree.lockgate("export", "latest", "-o", "../out.zip")
    place.env["LOCKGATE_HUB"] = str(place.root / "other-hub")
    tree.lockgate("import", "../out.zip", "../theirs")
    assert len((place.root / "theirs" / "big").read_text().splitlines()) == 1000


def test_logs_are_followed_and_runs_cancelled_over_ssh(place: Place, server: Server) -> None:
    text = '[stages.s]\nrun = "echo begun; sleep 600"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = behind_ssh(place, server, {"lockgate.toml": text, "i": "1\n"})
    tree.git("push", "hub", "main:other")
    following = subprocess.Popen(
        ["lockgate", "logs", "-f"],
        cwd=tree.path,
        env=place.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert following.stdout is not None
    assert b"s" in following.stdout.readline()
    assert following.stdout.readline() == b"begun\n"
    assert "is being cancelled" in tree.lockgate("cancel", place.runs()[-1].request.id[-8:]).out
    assert following.wait(30) == 1
    following.stdout.close()
    until(lambda: place.runs()[-1].state == "cancelled", "the run is cancelled")


def test_what_is_refused_over_ssh_is_said_as_it_is_at_home(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.write({"lockgate.toml": ONE_STAGE + "colour = 1\n"})
    far = tree.lockgate("run", code=2).err
    assert far.startswith("error: lockgate.toml:5")
    assert far.rstrip().endswith("]")


def test_a_hub_that_does_not_answer_is_said_so(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": ONE_STAGE, "i": "1\n"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tree.git("remote", "set-url", "hub", f"ssh://127.0.0.1:{port}/nowhere/repositories/p.git")
    began = time.monotonic()
    for words in (["runs"], ["run"]):
        done = tree.lockgate(*words, code=3)
        assert "error: " in done.err
    assert time.monotonic() - began < 20


def test_a_run_behind_ssh_is_foreseen_without_being_queued(place: Place, server: Server) -> None:
    tree = behind_ssh(place, server, {"lockgate.toml": TWO_STAGES, "i": "1\n"})
    tree.lockgate("run")
    refs = place.refs()
    tree.write({"i": "other\n"})
    said = tree.lockgate("run", "--dry-run").out
    assert "2 of 2 stages would run" in said
    assert "forecast: about" in said
    assert "data changed: i" in said
    assert place.refs() == refs
    assert len(place.runs()) == 1
