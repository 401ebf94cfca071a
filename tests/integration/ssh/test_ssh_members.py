"""Members over ssh: one account, a key each, one forced command; a real sshd asks the hub for the keys."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from data_place import add_data, forget
from dvc_program import Dvc, dvc_program
from e2e_place import LINGER_S, ONE_STAGE, TWO_STAGES, Done, Place, WorkTree, run_program, until
from ssh_server import SSHD, Server

from lockgate.activity.entry import Activity
from lockgate.hub.directory import open_hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Role

pytestmark = pytest.mark.slow

ROLES = {"ada": "lead", "bob": "member", "vic": "viewer"}


class Team(Place):
    """A hub whose members come over ssh."""

    server: Server
    keys: Path

    def with_key(self, member: str) -> str:
        """Return the words of an ssh that shows a member's key alone."""
        return self.server.ssh.replace(f"-i {self.server.folder}/client", f"-i {self.keys / member}")

    def ssh(self, member: str, *words: str, code: int = 0) -> Done:
        """Say something to the hub's account as a member."""
        line = [*self.with_key(member).split(), "-p", str(self.server.port)]
        return run_program([*line, f"{self.server.user}@127.0.0.1", *words], self.root, self.env, code)

    def tree_of(self, member: str, path: str = "/p.git") -> WorkTree:
        """Return a member's clone, whose git and lockgate show that member's key."""
        env = self.env | {"GIT_SSH_COMMAND": self.with_key(member)}
        env.pop("LOCKGATE_HUB", None)
        url = self.server.url(Path(path))
        run_program(["git", "clone", "-q", "-o", "hub", url, f"of-{member}"], self.root, env)
        return WorkTree(_Mine(self, env["GIT_SSH_COMMAND"]), self.root / f"of-{member}")

    def told(self, kind: str) -> list[Activity]:
        return [activity for activity in self.activities() if activity.kind == kind]


class _Mine(Place):
    """The same place as one member sees it: their key is shown."""

    def __init__(self, team: Team, ssh: str) -> None:
        self.root, self.hub, self.outside = team.root, team.hub, team.outside
        self.env = team.env | {"GIT_SSH_COMMAND": ssh}
        del self.env["LOCKGATE_HUB"]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    monkeypatch.setenv("LOCKGATE_LINGER_S", str(LINGER_S))
    if SSHD is None or shutil.which("ssh") is None:
        warnings.warn("NOT TESTED: members over ssh; install openssh-server", stacklevel=1)
        pytest.skip("NOT TESTED: members over ssh, for want of sshd (apt-get install openssh-server)")
    team = Team(tmp_path)
    team.keys = tmp_path / "keys"
    team.keys.mkdir()
    tree = team.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("push", "-q", "-o", "skip", "hub", "main")
    for name, role in ROLES.items():
        key = team.keys / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        words = ["--role", role, "--project", "p", "--key", f"{key}.pub"]
        tree.lockgate("hub", "member", "add", name, *words)
    with _sshd(team, tmp_path / "sshd") as server:
        team.server = server
        yield team
    team.close()


@contextlib.contextmanager
def _sshd(team: Team, folder: Path) -> Iterator[Server]:
    """sshd calls a command for keys only if it and all folders above are root's; others write a file."""
    folder.mkdir()
    lockgate = team.hub / "bin" / "lockgate"
    place = Path(tempfile.mkdtemp(dir="/run" if os.getuid() == 0 else None, prefix="lockgate-test-"))
    place.chmod(0o755)
    script = place / "keys"
    script.write_text(f'#!/bin/sh\nexec {lockgate} hub ssh-keys --hub {team.hub} "$1" "$2"\n')
    script.chmod(0o755)
    lines = [f"AuthorizedKeysCommand {script} %t %k", "AuthorizedKeysCommandUser root"]
    # What the hub's account says of packages, as no shell's profile is read: certificates of this host
    settings = folder / "config-home"
    (settings / "uv").mkdir(parents=True)
    (settings / "uv" / "uv.toml").write_text("system-certs = true\n")
    variables = f"SetEnv LOCKGATE_LINGER_S={LINGER_S} XDG_CONFIG_HOME={settings}"
    server = Server(folder, variables, *(lines if os.getuid() == 0 else ()))
    every = run_program([lockgate, "hub", "ssh-keys", "--all", "--hub", team.hub], folder, team.env).out
    (folder / "authorized").write_text("" if os.getuid() == 0 else every)
    try:
        until(server.is_up, "sshd answers", 10)
        yield server
    finally:
        server.stop()
        shutil.rmtree(place)


def test_each_key_is_its_members(team: Team) -> None:
    bob = team.tree_of("bob")
    bob.commit({"i": "2\n"})
    assert "SUCCEEDED" in bob.push().err
    assert team.runs()[-1].request.member == "bob"
    bob.pull()
    listed = bob.lockgate("runs").out
    assert "bob" in listed
    assert "succeeded" in listed
    assert bob.show()["line"]["state"] == "succeeded"

    bob.commit({"lockgate.toml": TWO_STAGES})
    refused = bob.push(code=1)
    assert "lockgate.toml may be changed on main by a lead only (ada): a proposal was opened" in refused.err
    assert team.told("proposal.opened")[-1].by == "bob"

    ada = team.tree_of("ada", str(team.repository()))
    ada.commit({"lockgate.toml": TWO_STAGES})
    assert "SUCCEEDED" in ada.push().err
    assert team.told("run.finished")[-1].by == "ada"


def test_a_members_data_goes_and_comes_by_their_key(team: Team) -> None:
    bob = team.tree_of("bob")
    large = os.urandom(3_000_000)
    manifest = '[stages.copy]\nrun = "cp x.bin o"\nneeds = ["x.bin"]\nmakes = ["o"]\n'
    bob.write({"lockgate.toml": manifest, "x.bin": large})
    add_data(bob, "x.bin")
    assert "sent to the hub: 1 object, 3.0 MB" in bob.lockgate("run").out
    assert (bob.path / "o").read_bytes() == large
    for verb in ("lacking", "take"):
        asked = f"{team.hub}/bin/lockgate hub {verb} --json --hub {team.hub} --project p"
        assert "not-allowed" in team.ssh("vic", asked, code=128).err


def test_real_dvc_pulls_imports_from_a_far_hub_where_the_source_has_a_remote(team: Team) -> None:
    """DVC asks the other project's repository, and for data behind pointers the remote that this names."""
    remote = team.root / "remote"
    source = team.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "w.csv": "1,2\n"}, "weather")
    source.write({"big.csv": "a\n1\n", "far.csv": "b\n2\n"})
    source.write({".dvc/config": f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote}\n"})
    for path in ("big.csv", "far.csv"):
        add_data(source, path)
    source.commit()
    source.lockgate("hub", "send")
    source.lockgate("data", "put", "big.csv")
    source.git("push", "-q", "-o", "skip", "hub", "main")
    roles: dict[str, Role] = {"p": "member", "weather": "viewer"}
    book = open_book(open_hub(team.hub))
    book.change("bob", lambda found: msgspec.structs.replace(found, roles=roles))
    bob = team.tree_of("bob")
    names = ("w.csv", "big.csv", "far.csv")
    for name in names:
        bob.lockgate("data", "import", f"hub://weather/{name}")
        (bob.path / name).unlink()
    forget(bob)

    settings = Path.home() / ".ssh/config"
    settings.parent.mkdir(mode=0o700, exist_ok=True)
    settings.write_text(f"Host 127.0.0.1\n  IdentityFile {team.keys / 'bob'}\n")
    dvc = Dvc(dvc_program(), bob.path)
    dvc("pull", "w.csv.dvc", "big.csv.dvc")
    assert (bob.read("w.csv"), bob.read("big.csv")) == ("1,2\n", "a\n1\n")
    # The hub's store is no remote of DVC's: what only the hub has, Lockgate brings
    assert "far.csv" in dvc("pull", "far.csv.dvc", code=1)
    assert not (bob.path / "far.csv").exists()
    bob.lockgate("data", "get")
    assert bob.read("far.csv") == "b\n2\n"


def test_members_take_data_of_projects_they_may_read(team: Team) -> None:
    source = team.project({"lockgate.toml": ONE_STAGE, "i": "1\n", "w.csv": "1,2\n"}, "weather")
    source.git("push", "-q", "-o", "skip", "hub", "main")
    bob = team.tree_of("bob")
    said = bob.lockgate("data", "import", "hub://weather/w.csv", code=2).err
    assert said == bob.lockgate("data", "import", "hub://nobody/w.csv", code=2).err.replace(
        "nobody", "weather"
    )
    assert "[project-unknown]" in said

    book = open_book(open_hub(team.hub))
    roles: dict[str, Role] = {"p": "member", "weather": "viewer"}
    book.change("bob", lambda found: msgspec.structs.replace(found, roles=roles))
    bob.lockgate("data", "import", "hub://weather/w.csv")
    assert bob.read("w.csv") == "1,2\n"
    assert team.server.url(Path("/weather.git")) in bob.read("w.csv.dvc").replace("\n      ", "")
    assert bob.lockgate("data", "status").out == "the data is as its pointers say\n"
    # Whoever works in the project has it, without a right in the other
    bob.git("add", "--all")
    bob.git("commit", "-qm", "stations")
    bob.push("-o", "skip", "main:stations")
    vic = team.tree_of("vic")
    vic.git("checkout", "-q", "stations")
    vic.lockgate("data", "get")
    assert vic.read("w.csv") == "1,2\n"
    told = vic.lockgate("data", "export", "w.csv", "--as", "croissant", "--rev", "stations").out
    assert json.loads(told)["identifier"] == "p/w.csv"
    asked = f"{team.hub}/bin/lockgate hub lend --json --hub {team.hub} --project p"
    assert "ssh-command" in team.ssh("vic", asked + " --by ada", code=128).err


def test_drift_is_accepted_by_a_leads_key_and_by_no_members(team: Team) -> None:
    owner = WorkTree(team, team.root / "p")
    rules = '[checks."x.csv".columns]\nn = { type = "integer", drift = true }\n'
    for rows in (range(500), range(900, 1400)):
        owner.commit({"lockgate.toml": ONE_STAGE + rules, "x.csv": "\n".join(["n", *map(str, rows), ""])})
        owner.push(code=None)
        owner.pull()
    ada, bob = team.tree_of("ada"), team.tree_of("bob")
    accept = ("data", "check", "--accept", "x.csv", "-m", "the other harbour")
    refused = bob.lockgate(*accept, code=2).err
    assert "bob may not accept data of p that drifted" in refused
    assert "accepted by ada on" in ada.lockgate(*accept, "--by", "bob").out
    assert [each.by for each in team.told("data.accepted")] == ["ada"]
    assert ada.lockgate("data", "check").out.endswith("hold\n")


def test_a_check_begun_over_ssh_leaves_its_report(team: Team) -> None:
    bob = team.tree_of("bob")
    rules = '[checks."x.csv".columns]\nn = { type = "integer" }\n'
    WorkTree(team, team.root / "p").commit({"lockgate.toml": ONE_STAGE + rules, "x.csv": "n\n1\n"})
    WorkTree(team, team.root / "p").git("push", "-q", "-o", "skip", "hub", "main")
    bob.pull()
    bob.commit({"x.csv": "n\n1\n2\n"})
    said = bob.push(code=None).err
    assert "SUCCEEDED" in said and "cannot run" not in said, said
    bob.pull()
    assert json.loads(bob.read("checks/x.csv.json"))["rows"] == 2


def test_viewers_read_and_are_told_why_they_may_not_push(team: Team) -> None:
    vic = team.tree_of("vic")
    assert vic.lockgate("runs").out
    vic.commit({"i": "2\n"})
    refused = vic.push(code=128)
    assert (
        "lockgate: vic may not push to p: vic is a viewer there. Ask a lead of the project (ada)"
        in refused.err
    )
    assert team.told("push.refused")[-1].by == "vic"
    assert "may not cancel" in vic.lockgate("cancel", "8F3KQ2ZD", code=128).err


def test_who_is_gone_is_nobody(team: Team) -> None:
    bob = team.tree_of("bob")
    run_program(["lockgate", "hub", "member", "remove", "bob", "--hub", team.hub], team.root, team.env)
    if os.getuid() == 0:
        assert "Permission denied" in bob.git("fetch", "hub", code=128).err
    else:
        assert "bob is no member of this hub" in bob.git("fetch", "hub", code=128).err
    stranger = team.keys / "eve"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    assert "Permission denied" in team.ssh("eve", "git-upload-pack '/p.git'", code=255).err


def test_nothing_but_git_and_questions_is_answered(team: Team) -> None:
    other = team.hub.parent / "elsewhere"
    other.mkdir()
    lockgate = f"{team.hub}/bin/lockgate"
    for words in (
        "",
        "sh",
        "cat /etc/passwd",
        f"cat {team.hub}/key",
        f"cat {team.hub}/members/ada.json",
        "git-upload-pack '/p.git'; id",
        "git-upload-pack '../hub/repositories/p.git'",
        f"git-upload-pack '{team.hub}/repositories/../repositories/p.git'",
        f"git-upload-pack '{other}'",
        "git-upload-pack '/nosuch.git'",
        "git-upload-pack --upload-pack=id /p.git",
        "git-receive-pack '/p.git' --receive-pack=id",
        f"{lockgate} runs --hub {other} --project p",
        f"{other}/bin/lockgate runs --hub {other} --project p",
        f"{lockgate} runs --hub {team.hub} --project ../p",
        f"{lockgate} hub member add eve --operator --hub {team.hub} --project p",
        f"{lockgate} show '$(id)' --hub {team.hub} --project p; id",
    ):
        done = team.ssh("bob", *([words] if words else []), code=128)
        assert done.out == ""
        assert done.err.startswith("lockgate: ")
        assert len(done.err.strip().splitlines()) == 1
    assert team.ssh("bob", f"{lockgate} --version").out.startswith("lockgate ")
    assert (
        "there is no run $(id)"
        in team.ssh("bob", f"{lockgate} show '$(id)' --hub {team.hub} --project p", code=2).err
    )
