"""A job that wants everything: what it gets of the hub's secrets, with and without isolation."""

from __future__ import annotations

import html
import io
import json
import os
import shlex
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e_place import LINGER_S, ONE_STAGE, Place, WorkTree, run_program, until
from isolation import require_isolation
from ordinary_user import job_folder
from served_hub import ServedHub

from lockgate.runs.isolation import PROGRAMS, Isolation
from lockgate.runs.jobscript import job_script

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_isolation")]

#: What each attempt prints where it succeeds.
MARK = "s3cr3t-of-the-hub"

#: By name, what the thief tries. Each prints something of the secret itself.
ATTEMPTS = {
    "key": 'grep -h "PRIVATE KEY" {hub}/key',
    "key, by the way up": 'cat ../../../../../../key | grep "PRIVATE KEY"',
    "members": "cat {hub}/members/*.json",
    "settings": "cat {hub}/hub.toml",
    "database": "head -c 15 {hub}/index.sqlite",
    "sibling": "cat {hub}/runs/q/*/jobs/*/workspace/*",
    "repository": "cat {hub}/repositories/q.git/config",
    "environment": "tr '\\0' '\\n' </proc/{pid}/environ | grep {mark}",
    "any environment": "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep {mark}",
    "root": "cat /proc/{pid}/root/{hub}/key",
    "memory": "cat /proc/{pid}/maps",
    "signal": "kill -0 {pid} && echo it may be signalled",
    "ssh": "cat {home}/.ssh/id_ed25519",
    "netrc": "cat {home}/.netrc",
    "tokens": "cat {home}/.config/lockgate/hubs.json",
    "own": "cat {outside}/own-secret",
}


METADATA = "Metadata-Version: 2.1\nName: thief\nVersion: 1\n"


@pytest.fixture
def _isolation() -> None:
    require_isolation()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    home = tmp_path / "home"
    for name in (".ssh/id_ed25519", ".netrc", ".config/lockgate/hubs.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"{MARK}\n")
    (home / ".gitconfig").write_text((Path(os.environ["HOME"]) / ".gitconfig").read_text())
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    made = Place(tmp_path)
    (made.outside / "own-secret").write_text(f"{MARK}\n")
    yield made
    made.close()


def thief(place: Place, pid: int) -> dict[str, str]:
    """A project whose one stage tries everything, and says for each attempt what it got."""
    fill = {
        "hub": place.hub, "pid": pid, "mark": MARK, "home": os.environ["HOME"], "outside": place.outside,
    }  # fmt: skip
    show = "printf '%s\\t%s\\n'"
    lines = [
        f'got=$({command.format(**fill)}) 2>/dev/null; {show} {shlex.quote(name)} "$got" | head -n 1'
        for name, command in ATTEMPTS.items()
    ]
    stage = '[stages.steal]\nrun = "sh steal.sh > loot"\nneeds = ["steal.sh"]\nmakes = ["loot"]\n'
    return {
        "lockgate.toml": stage,
        "steal.sh": "\n".join([*lines, "echo bye"]),
    }


def loot(tree: WorkTree) -> dict[str, str]:
    tree.pull()
    *lines, last = tree.read("loot").splitlines()
    assert last == "bye"
    found = dict(line.split("\t", 1) for line in lines)
    assert found.keys() == ATTEMPTS.keys()
    return {name: got for name, got in found.items() if got}


def play(place: Place, settings: str) -> tuple[WorkTree, dict[str, str], str]:
    """Let the thief's project run on a hub with a member, a sibling's failed run and a service."""
    sibling = place.project({"lockgate.toml": ONE_STAGE.replace("cat i", "cat i; false"), "i": MARK}, "q")
    sibling.push()
    run_program(
        ["lockgate", "hub", "member", "add", "ann", "--operator", "--hub", place.hub], place.root, place.env
    )
    (place.hub / "hub.toml").write_text(settings)
    with ServedHub(place.hub, env={"ABOUT_THE_SERVICE": MARK}) as served:
        tree = place.project(thief(place, served.process.pid), "p")
        said = tree.push().err
        assert place.runs("p")[-1].state == "succeeded", said
        return tree, loot(tree), said


def test_a_job_sees_nothing_of_the_hub(place: Place) -> None:
    _, found, said = play(place, f'[jobs]\nhidden = ["{place.outside}/own-secret"]\n')
    assert found == {}
    assert "not isolated" not in said


def test_without_isolation_it_sees_everything(place: Place) -> None:
    _, found, _ = play(place, '[jobs]\nisolation = "off"\n')
    assert found.keys() == ATTEMPTS.keys()


def test_what_is_shown_is_seen(place: Place) -> None:
    ssh = Path(os.environ["HOME"]) / ".ssh"
    _, found, _ = play(place, f'[jobs]\nisolation = "required"\nshown = ["{ssh}"]\n')
    assert found == {"ssh": MARK, "own": MARK}


@pytest.mark.parametrize("is_isolated", [True, False])
def test_packages_that_are_built_see_nothing_either(place: Place, is_isolated: bool) -> None:
    build = (
        "import pathlib, os\n"
        f"hub = pathlib.Path({str(place.hub)!r})\n"
        f"seen = [name for name in ('key', 'members', 'repositories') if (hub / name).exists()]\n"
        f"seen += [n for n in os.environ if n.startswith('LOCKGATE_')]\n"
        f"pathlib.Path({str(place.outside / 'built')!r}).write_text(repr(seen))\n"
        "raise SystemExit('built so far')\n"
    )
    project = (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "thief"\nversion = "1"\ndynamic = ["dependencies"]\n'
    )
    with tarfile.open(place.outside / "thief-1.tar.gz", "w:gz") as archive:
        for name, text in {"backend.py": build, "pyproject.toml": project, "PKG-INFO": METADATA}.items():
            entry = tarfile.TarInfo(f"thief-1/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    run_program(["lockgate", "hub", "init", place.hub], place.root, place.env)
    run_program(
        ["lockgate", "hub", "member", "add", "ann", "--operator", "--hub", place.hub], place.root, place.env
    )
    if not is_isolated:
        (place.hub / "hub.toml").write_text('[jobs]\nisolation = "off"\n')
    files = {"lockgate.toml": ONE_STAGE, "i": "1\n", "requirements.txt": "thief==1\n"}
    tree = place.project(files, "p")
    env = {"LOCKGATE_DATABASE_URL": MARK, "UV_FIND_LINKS": str(place.outside), "UV_NO_INDEX": "1"}
    said = tree.push(code=1, env=env).err
    assert "Call to `backend" in said, said
    seen = (place.outside / "built").read_text()
    assert seen == ("[]" if is_isolated else "['key', 'members', 'repositories']")


def test_the_doctor_tells(place: Place) -> None:
    def found() -> tuple[str, str]:
        done = run_program(
            ["lockgate", "hub", "doctor", "--json", "--hub", place.hub], place.root, place.env, code=None
        )
        one = next(each for each in json.loads(done.out) if each["what"] == "isolation")
        return one["state"], one["detail"]

    run_program(["lockgate", "hub", "init", place.hub], place.root, place.env)
    assert found() == ("ok", "off: the hub has no members, whoever reaches it is its owner")
    run_program(
        ["lockgate", "hub", "member", "add", "ann", "--operator", "--hub", place.hub], place.root, place.env
    )
    state, detail = found()
    assert state == ("note" if os.geteuid() == 0 else "ok") and detail.startswith("on")
    (place.hub / "hub.toml").write_text('[jobs]\nisolation = "off"\n')
    assert found() == ("note", "off: jobs see the hub's key, its members' book, other projects")
    (place.hub / "hub.toml").write_text('[jobs]\nisolation = "perhaps"\n')
    state, detail = found()
    assert state == "problem" and "hub.toml cannot be used" in detail


@pytest.mark.parametrize("is_tried", [True, False])
def test_an_ordinary_users_job_sees_nothing_of_theirs(is_tried: bool) -> None:
    user = "daemon" if os.geteuid() == 0 else None
    with job_folder() as hub:
        hub.chmod(0o755)
        job = hub / "runs/p/r/jobs/0001-steal"
        for folder in (job / "workspace", job / "tmp", hub / "runtimes/d/venv/bin", hub / "elsewhere"):
            folder.mkdir(parents=True)
        (hub / "key").write_text(MARK)
        (hub / "runtimes/d/venv/bin/tool").write_text("the runtime's\n")
        isolation = Isolation(hub=str(hub), is_tried=is_tried, is_required=True)
        command = (
            f"cat {hub}/key; echo x > {hub}/runtimes/d/venv/bin/tool; cat {hub}/runtimes/d/venv/bin/tool; "
            f"umount -l {hub}; unshare -Urm umount -l {hub}; cat {hub}/key; ls {hub}; "
            "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c ABOUT_THE_SERVICE; echo x > made"
        )
        (job / "job.sh").write_text(
            job_script(
                command, {"PATH": "/usr/bin:/bin"}, isolation=isolation, inside_hub=["runtimes/d/venv"]
            )
        )
        if user is not None:
            subprocess.run(["chown", "-R", user, hub], check=True)
        service = subprocess.Popen(["sleep", "60"], env={"ABOUT_THE_SERVICE": MARK}, user=user)
        try:
            done = subprocess.run(
                ["/bin/sh", job / "job.sh"], env={"PATH": "/usr/bin:/bin"}, user=user, check=False
            )
        finally:
            service.kill()
            service.wait()
        log = (job / "output.log").read_text()
        assert done.returncode == 0, log
        assert MARK not in log
        assert log.splitlines()[-2:] == ["runtimes", "0"]
        assert "the runtime's\n" in log and "Read-only file system" in log
        assert (job / "workspace/made").read_text() == "x\n"


@pytest.mark.parametrize("has_runtime", [False, True])
def test_where_it_is_required_and_cannot_be_nothing_runs_and_everybody_is_told_why(
    place: Place, has_runtime: bool
) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE.replace("cat i", "date > ran; cat i"), "i": "1"})
    (place.hub / "hub.toml").write_text('[jobs]\nisolation = "required"\n')
    if has_runtime:
        tree.push()
        assert place.runs("p")[-1].state == "succeeded"
        tree.pull()
        tree.commit({"i": "2"})
    # Another view of this host, in which bubblewrap is not installed: the push starts the dispatcher there
    until(lambda: not place.is_dispatched(), "the dispatcher has ended")
    hide = [word for path in PROGRAMS if Path(path).exists() for word in ("--dev-bind", "/dev/null", path)]
    words = ["bwrap", "--dev-bind", "/", "/", *hide, "git", "push", "-o", "wait", "hub", "main"]
    said = run_program([*words], tree.path, place.env, code=None).err
    why = "jobs have to be isolated, and cannot be on this host: bubblewrap is not installed"
    run = place.runs("p")[-1]
    assert run.state == "failed", said
    assert why in " ".join(said.replace("remote:", " ").split())
    assert not list((place.hub / "runs/p" / run.request.id).rglob("ran"))
    shown = tree.lockgate("show").out
    assert why in " ".join(shown.split()) and "[isolation-missing]" in shown
    with ServedHub(place.hub) as served, httpx.Client(base_url=served.url, trust_env=False) as client:
        page = html.unescape(client.get(f"/p/p/runs/{run.request.id}").text)
        assert why in page and "[isolation-missing]" in page
    # Once it can be, the next push runs
    tree.commit({"i": "3"})
    tree.push()
    assert place.runs("p")[-1].state == "succeeded"


@pytest.mark.parametrize("own_shell", ["", "echo $$ >/dev/null; "])
def test_a_long_command_is_isolated_too(tmp_path: Path, own_shell: str) -> None:
    hub = tmp_path / "hub"
    job = hub / "job"
    (job / "workspace").mkdir(parents=True)
    (hub / "key").write_text(MARK)
    text = "it's long; " * 100_000
    command = (
        f"{own_shell}printf '%s' {shlex.quote(text)} | wc -c; cat {hub}/key; rm -f ../command; echo x > made"
    )
    isolation = Isolation(hub=str(hub), is_tried=True, is_required=True, is_root=os.geteuid() == 0)
    (job / "job.sh").write_text(job_script(command, {"PATH": "/usr/bin:/bin"}, isolation=isolation))
    done = subprocess.run(["/bin/sh", job / "job.sh"], check=False)
    log = (job / "output.log").read_text()
    assert done.returncode == 0, log
    assert log.splitlines()[0].strip() == str(len(text))
    assert MARK not in log
    assert (job / "workspace/made").read_text() == "x\n"
    assert (job / "command").exists()


def test_it_costs_little(tmp_path: Path) -> None:
    count, took = 20, {}
    for isolation in (None, Isolation(hub=str(tmp_path), is_tried=True, is_root=os.geteuid() == 0)):
        took[isolation is None] = 0.0
        for number in range(count):
            job = tmp_path / f"{number}-{isolation is None}"
            (job / "workspace").mkdir(parents=True)
            (job / "job.sh").write_text(job_script("true", {"PATH": "/usr/bin:/bin"}, isolation=isolation))
            began = time.perf_counter()
            subprocess.run(["/bin/sh", job / "job.sh"], check=True)
            took[isolation is None] += (time.perf_counter() - began) / count
    assert took[False] - took[True] < 0.1, took
