"""The image of deploy/Containerfile: built, run as compose.yaml runs it, pushed to, started again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import container_engine
import pytest
from container_engine import Engine
from pushing_team import MANIFEST

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "deploy" / "Containerfile"
pytestmark = [pytest.mark.container, pytest.mark.timeout(1500)]
IMAGE, NAME = "localhost/lockgate-hub", "hub"
#: As compose.yaml has it. No network is needed: what talks to the hub is run beside it.
RUN = ("--network", "none", "--cap-drop", "all", "--security-opt", "no-new-privileges")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with container_engine.running() as engine:
        (base,) = set(re.findall(r"^FROM (\S+)", FILE.read_text(), re.MULTILINE))
        engine.make_base(base)
        engine.build(ROOT, FILE, IMAGE, timeout_s=1200)
        yield engine


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    yield engine.call("volume", "create").strip()
    engine.attempt("rm", "--force", "--time", "5", NAME)


def once(engine: Engine, volume: str, *words: str) -> str:
    return engine.call("run", "--rm", *RUN, "--volume", f"{volume}:/srv/hub", IMAGE, *words)


def start(engine: Engine, volume: str, *options: str) -> None:
    engine.call("run", "--detach", "--name", NAME, *RUN, *options, "--volume", f"{volume}:/srv/hub", IMAGE)
    until_healthy(engine)


def until_healthy(engine: Engine) -> None:
    """Wait as an engine does: by the check that the image brings."""
    ends_at = time.monotonic() + 60
    while engine.attempt("healthcheck", "run", NAME).returncode != 0:
        assert time.monotonic() < ends_at, engine.call("logs", NAME)
        time.sleep(0.2)


def push(engine: Engine, token: str, content: str) -> str:
    """Change the project, push it over HTTP and wait; return what came back."""
    script = f"""
        set -e
        cd ~
        [ -d p ] || git clone -q http://ada:{token}@127.0.0.1:8321/git/flights.git p 2>&1
        cd p
        git config user.email ada@example.org
        git config user.name Ada
        printf %s '{MANIFEST}' >lockgate.toml
        printf %s '{content}' >i
        git add -A
        git commit -qm change
        git push -o wait origin HEAD:main 2>&1
        git pull -q origin main
        cat o
    """
    return engine.call("exec", NAME, "sh", "-c", script)


@pytest.mark.parametrize("is_isolated", [False, True])
def test_a_hub_in_a_container(engine: Engine, volume: str, is_isolated: bool) -> None:
    assert "made the hub /srv/hub" in once(engine, volume, "hub", "init", "/srv/hub")
    once(engine, volume, "hub", "add-project", "flights")
    once(engine, volume, "hub", "member", "add", "ada", "--role", "lead", "--project", "flights")
    words = ("hub", "member", "token", "ada", "--name", "push", "--scope", "admin", "--days", "1")
    token = once(engine, volume, *words).split()[-1]
    start(engine, volume, *(("--security-opt", "unmask=ALL") if is_isolated else ()))
    assert engine.call("exec", NAME, "id", "-u").strip() == "10001"

    said = push(engine, token, "first")
    assert said.endswith("first") and "SUCCEEDED" in said
    assert ("jobs are not isolated" in said) != is_isolated
    doctor = engine.attempt("exec", NAME, "lockgate", "hub", "doctor")
    assert ("isolation: on" in doctor.stdout) == is_isolated == (doctor.returncode == 0)

    began = time.monotonic()
    engine.call("stop", "--time", "60", NAME)
    assert time.monotonic() - began < 30
    assert engine.call("inspect", "--format", "{{.State.ExitCode}}", NAME).strip() == "0"
    engine.call("start", NAME)
    until_healthy(engine)
    said = push(engine, token, "second")
    assert said.endswith("second")
    assert (
        engine.call("exec", NAME, "git", "-C", "/srv/hub/repositories/flights.git", "fsck", "--no-dangling")
        == ""
    )


def test_a_container_that_is_begun_anew_has_what_was_there(engine: Engine, volume: str) -> None:
    once(engine, volume, "hub", "init", "/srv/hub")
    once(engine, volume, "hub", "add-project", "flights")
    once(engine, volume, "hub", "member", "add", "ada", "--role", "lead", "--project", "flights")
    words = ("hub", "member", "token", "ada", "--name", "push", "--scope", "admin", "--days", "1")
    token = once(engine, volume, *words).split()[-1]
    start(engine, volume)
    push(engine, token, "first")
    engine.call("rm", "--force", "--time", "60", NAME)
    start(engine, volume)
    assert "first" in engine.call(
        "exec", NAME, "git", "-C", "/srv/hub/repositories/flights.git", "show", "main:o"
    )
    assert push(engine, token, "second").endswith("second")


def test_compose_understands_its_file(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    assert uv is not None
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    env = dict(os.environ) | {"VIRTUAL_ENV": str(tmp_path / "venv")}
    words = [uv, "pip", "install", "--quiet", "podman-compose>=1.2,<2"]
    if subprocess.run(words, env=env, capture_output=True, check=False, timeout=240).returncode:
        pytest.skip("NOT TESTED: the compose file (podman-compose cannot be installed)")
    known = {"LOCKGATE_HOST": "hub.example.org", "POSTGRES_PASSWORD": "s3cr3t"}
    words = [str(tmp_path / "venv/bin/podman-compose"), "--file", str(ROOT / "deploy/compose.yaml"), "config"]
    done = subprocess.run(words, env=env | known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "postgresql://lockgate:s3cr3t@database/lockgate" in done.stdout
    assert "https://hub.example.org" in done.stdout
    assert subprocess.run(words, env=env, capture_output=True, check=False).returncode != 0
