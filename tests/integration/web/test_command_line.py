"""The command line of a member's machine, and their git, against a hub behind its service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from dvc_program import Dvc, dvc_program
from web_site import PASSWORD, Site, served

from lockgate.hub.members.book import open_book
from lockgate.hub.members.tokens import issue
from lockgate.hub.members.values import Role

PROGRAM = str(Path(sys.executable).with_name("lockgate"))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served hub with a project that has run, a lead, a member and a viewer."""
    with served(tmp_path_factory.mktemp("team")) as made:
        made.project()
        made.member("ada", "lead")
        made.member("bob", "member")
        made.member("eve", "viewer")
        made.start()
        yield made


class Machine:
    """A member's machine: a home of its own, nothing of the hub's in its environment."""

    def __init__(self, home: Path, site: Site) -> None:
        self.home = home
        self.site = site
        home.mkdir()
        hidden = ("LOCKGATE_HUB", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "GIT_CONFIG_GLOBAL")
        self.env = {name: value for name, value in os.environ.items() if name not in hidden}
        self.env |= {"HOME": str(home), "GIT_TERMINAL_PROMPT": "0"}
        self.tree = home / "flights"

    def run(self, *words: str, code: int = 0, stdin: str = "", folder: Path | None = None) -> str:
        done = subprocess.run(
            words,
            cwd=folder or (self.tree if self.tree.exists() else self.home),
            env=self.env,
            input=stdin.encode(),
            capture_output=True,
            timeout=110,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert "Traceback" not in said, said
        assert done.returncode == code, f"{words}: {said}"
        return said

    def lockgate(self, *words: str, code: int = 0, stdin: str = "") -> str:
        return self.run(PROGRAM, *words, code=code, stdin=stdin)

    def log_in(self, name: str) -> str:
        said = self.lockgate("login", self.site.url, "--member", name, stdin=f"{PASSWORD}\n")
        self.run("git", "config", "--global", "user.name", name)
        self.run("git", "config", "--global", "user.email", f"{name}@example.org")
        return said

    def clone(self) -> None:
        self.run("git", "clone", "-q", "-o", "hub", f"{self.site.url}/git/flights.git", "flights")


@pytest.fixture
def machine(team: Site, tmp_path: Path) -> Machine:
    return Machine(tmp_path / "home", team)


def first_run(machine: Machine) -> str:
    """The run of the project's first push, whatever other tests ran since."""
    return str(json.loads(machine.lockgate("runs", "--json"))[-1]["id"])


def test_without_a_login_nobody_is_let_in(machine: Machine, team: Site) -> None:
    url = f"{team.url}/git/flights.git"
    assert "could not read Username" in machine.run("git", "clone", url, code=128)
    machine.run("git", "init", "-q", "flights")
    machine.run("git", "remote", "add", "hub", url)
    said = machine.lockgate("runs", code=2)
    assert f"lockgate login {team.url}" in said and "[login-needed]" in said


def test_a_wrong_password(machine: Machine, team: Site) -> None:
    said = machine.lockgate("login", team.url, "--member", "ada", stdin="not this one\n", code=2)
    assert "[login-failed]" in said
    assert not (machine.home / ".config/lockgate/hubs.json").exists()


def test_a_day_of_a_member(machine: Machine, team: Site) -> None:
    said = machine.log_in("bob")
    assert f"logged in to {team.url} as bob" in said
    kept = machine.home / ".config/lockgate/hubs.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    machine.clone()
    (machine.tree / "flights.csv").write_text("carrier,delay\nAA,3\nUA,1\n")
    assert "SUCCEEDED" in machine.lockgate("run")
    assert (machine.tree / "counts.csv").read_text().split() == ["carrier,flights", "AA,1", "UA,1"]
    machine.run("git", "checkout", "-q", "-b", "fewer")
    machine.run("git", "commit", "-q", "-am", "Fewer flights")
    assert "SUCCEEDED" in machine.run("git", "push", "-q", "-o", "wait", "hub", "fewer")
    machine.run("git", "pull", "-q", "hub", "fewer")
    runs = json.loads(machine.lockgate("runs", "--json"))
    assert runs[0]["member"] == "bob" and runs[0]["where"] == "fewer"
    assert "fewer" in machine.lockgate("runs")
    assert "count" in machine.lockgate("show")
    assert "counted 2 flights" in machine.lockgate("logs", runs[1]["id"])
    compared = machine.lockgate("compare", runs[-1]["id"], "latest")
    assert "metrics.json:rows" in compared
    assert "local" in machine.lockgate("backends")
    assert "made by stage count" in machine.lockgate("why", "counts.csv")
    assert "stage count, counts.csv" in machine.lockgate("trace", "counts.csv")
    assert "no run is known" in machine.lockgate("trace", "flights.csv", code=1)
    assert "all signed by the hub's key" in machine.lockgate("log", "--verify")
    assert "had ended: succeeded" in machine.lockgate("cancel", runs[0]["id"])


def test_a_run_is_followed_and_cancelled(machine: Machine) -> None:
    machine.log_in("bob")
    machine.clone()
    (machine.tree / "count.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(600)\n")
    said = machine.lockgate("run", "--detach", "--json")
    run = json.loads(said)["run"]
    following = subprocess.Popen(
        [PROGRAM, "logs", run, "-f"], cwd=machine.tree, env=machine.env, stdout=subprocess.PIPE
    )
    assert following.stdout is not None
    for line in following.stdout:
        if b"begun" in line:
            break
    assert "is being cancelled" in machine.lockgate("cancel", run)
    assert following.wait(60) == 1
    following.stdout.close()


def test_a_backend_is_checked_by_who_may_run(machine: Machine) -> None:
    machine.log_in("bob")
    machine.clone()
    assert "results" in machine.lockgate("backends", "check", "local")
    machine.log_in("eve")
    assert "[not-allowed]" in machine.lockgate("backends", "check", "local", code=2)


def test_a_viewer_reads(machine: Machine) -> None:
    machine.log_in("eve")
    machine.clone()
    assert "count" in machine.lockgate("show", first_run(machine))
    machine.run("git", "commit", "-q", "--allow-empty", "-m", "Nothing")
    said = machine.run("git", "push", "hub", "HEAD:try", code=128)
    assert "eve may not push to flights" in said
    assert "[not-allowed]" in machine.lockgate("cancel", "latest", code=2)


def test_what_git_does_not_hold_comes_too(machine: Machine) -> None:
    machine.log_in("ada")
    machine.clone()
    (machine.tree / "count.py").write_text(
        "import json\nopen('counts.csv', 'wb').write(b'carrier,flights\\n' + b'AA,1\\n' * 400_000)\n"
        "json.dump({'rows': 1}, open('metrics.json', 'w'))\n"
    )
    machine.lockgate("run", "count")
    assert (machine.tree / "counts.csv").stat().st_size == 16 + 5 * 400_000


def test_a_result_is_given_away_from_afar(machine: Machine) -> None:
    machine.log_in("eve")
    machine.clone()
    machine.lockgate("export", first_run(machine), "-o", "../out.zip")
    machine.env["LOCKGATE_HUB"] = str(machine.home / "hub")
    machine.lockgate("import", "../out.zip", "../theirs")
    machine.tree = machine.home / "theirs"
    assert "nothing to do" in machine.lockgate("status")


def test_data_goes_to_the_hub_and_comes_back(machine: Machine) -> None:
    machine.log_in("bob")
    machine.clone()
    large = os.urandom(3_000_000)
    manifest = (
        '[stages.copy]\nrun = "cp x.bin o"\nneeds = ["x.bin"]\nmakes = ["o"]\n[data]\ngit_limit = "1 MB"\n'
    )
    (machine.tree / "lockgate.toml").write_text(manifest)
    (machine.tree / "x.bin").write_bytes(large)
    assert "sent to the hub: 1 object, 3.0 MB" in machine.lockgate("run")
    assert (machine.tree / "o").read_bytes() == large
    assert "sent to the hub" not in machine.lockgate("run")

    machine.lockgate("data", "add", "x.bin")
    (machine.tree / "x.bin").unlink()
    shutil.rmtree(machine.tree / ".dvc" / "cache")
    machine.lockgate("data", "get", "x.bin")
    assert (machine.tree / "x.bin").read_bytes() == large
    # A viewer has it too, who may send nothing
    machine.log_in("eve")
    (machine.tree / "x.bin").unlink()
    shutil.rmtree(machine.tree / ".dvc" / "cache")
    machine.lockgate("data", "get", "x.bin")
    assert (machine.tree / "x.bin").read_bytes() == large


def test_a_viewer_may_not_ask_what_the_hub_lacks_nor_send(machine: Machine, team: Site) -> None:
    machine.log_in("eve")
    machine.clone()
    (machine.tree / "x.bin").write_bytes(b"x")
    machine.lockgate("data", "add", "x.bin")
    machine.run("git", "add", "--all")
    machine.run("git", "commit", "-qm", "data")
    assert "[not-allowed]" in machine.lockgate("hub", "send", code=2)


def test_data_of_another_project_is_taken_by_who_may_read_it(machine: Machine, team: Site) -> None:
    team.project("weather", {"stations.csv": "id,name\n1,Oslo\n"}, has_run=False)
    book = open_book(team.hub)
    machine.log_in("bob")
    machine.clone()
    said = machine.lockgate("data", "import", "hub://weather/stations.csv", code=2)
    assert said == machine.lockgate("data", "import", "hub://nobody/stations.csv", code=2).replace(
        "nobody", "weather"
    )
    assert "[project-unknown]" in said

    roles: dict[str, Role] = {"flights": "member", "weather": "viewer"}
    book.change("bob", lambda bob: msgspec.structs.replace(bob, roles=roles))
    machine.lockgate("data", "import", "hub://weather/stations.csv@main")
    assert (machine.tree / "stations.csv").read_text() == "id,name\n1,Oslo\n"
    assert f"{team.url}/git/weather.git" in (machine.tree / "stations.csv.dvc").read_text()
    assert machine.lockgate("data", "status") == "the data is as its pointers say\n"

    # Real DVC reads the other project's repository over HTTP, with the login that git has
    (machine.tree / "stations.csv").unlink()
    shutil.rmtree(machine.tree / ".dvc/cache", ignore_errors=True)
    Dvc(dvc_program(), machine.tree, machine.env)("pull", "stations.csv.dvc")
    assert (machine.tree / "stations.csv").read_text() == "id,name\n1,Oslo\n"

    machine.run("git", "add", "--all")
    machine.run("git", "commit", "-qm", "stations")
    machine.run("git", "push", "-q", "-o", "skip", "hub", "HEAD:stations")
    at = ("--rev", "stations")
    told = json.loads(machine.lockgate("data", "export", "stations.csv", "--as", "croissant", *at))
    assert told["url"] == f"{team.url}/p/flights/data/stations.csv"
    assert "stations.csv" in machine.lockgate("data", "export", "stations.csv", "--as", "turtle", *at)

    # A token for one project alone does not open the other, whatever its owner may
    token = issue(book, "bob", "narrow", "write", projects=("flights",))[1]
    loan = {"datasets": [{"project": "weather", "path": "stations.csv"}], "is_taken": True}
    with team.client() as client:
        answer = client.post(
            "/api/v1/projects/flights/loans", json=loan, headers={"Authorization": f"Bearer {token}"}
        )
    assert answer.json()["loans"][0]["fault"]["code"] == "project-unknown"


def test_logging_out(machine: Machine, team: Site) -> None:
    machine.log_in("bob")
    machine.clone()
    token = json.loads((machine.home / ".config/lockgate/hubs.json").read_text())["hubs"][team.url]["token"]
    assert machine.lockgate("logout", team.url) == f"logged out of {team.url}\n"
    assert "[login-needed]" in machine.lockgate("runs", code=2)
    with team.client() as client:
        answer = client.get("/api/v1/projects", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    assert "there was no login" in machine.lockgate("logout", team.url)


def test_a_token_from_elsewhere(machine: Machine, team: Site) -> None:
    machine.env["LOCKGATE_TOKEN"] = team.member("robot", "viewer")
    machine.run("git", "init", "-q", "flights")
    machine.run("git", "remote", "add", "hub", f"{team.url}/git/flights.git")
    assert "count" in machine.lockgate("show", first_run(machine))


def test_a_hub_that_is_away(machine: Machine) -> None:
    machine.run("git", "init", "-q", "flights")
    machine.run("git", "remote", "add", "hub", "http://127.0.0.1:9/git/flights.git")
    assert "[hub-unreachable]" in machine.lockgate("runs", code=3)


def test_what_a_viewer_was_refused_is_on_record(machine: Machine) -> None:
    machine.log_in("eve")
    machine.clone()
    machine.run("git", "commit", "-q", "--allow-empty", "-m", "Nothing")
    machine.run("git", "push", "hub", "HEAD:try", code=128)
    machine.lockgate("backends", "check", "local", code=2)
    said = machine.lockgate("log", "-n", "30")
    assert "A push of eve was refused: eve may not push to flights" in said
    assert "Refused: eve may not start runs of flights" in said
