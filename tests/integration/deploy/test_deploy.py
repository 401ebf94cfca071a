"""What lies in deploy/: the role against this machine, the units, the container's files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
ROLE = DEPLOY / "ansible" / "roles" / "lockgate_hub"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="session")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ansible-playbook, in an environment of its own."""
    folder = tmp_path_factory.mktemp("ansible")
    uv = shutil.which("uv")
    assert uv is not None
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "ansible-core>=2.16,<2.20"],
        env=dict(os.environ) | {"VIRTUAL_ENV": str(folder)},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("NOT TESTED: the Ansible role (ansible-core cannot be installed)")
    return folder / "bin" / "ansible-playbook"


class Play:
    """The role played against this machine, with everything below one folder."""

    def __init__(self, ansible: Path, folder: Path) -> None:
        self.ansible, self.folder = ansible, folder
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        group = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
        self.values: dict[str, Any] = {
            "lockgate_hub_program": shutil.which("lockgate"),
            "lockgate_hub_user": user,
            "lockgate_hub_group": group,
            "lockgate_hub_home": str(folder),
            "lockgate_hub_dir": str(folder / "hub"),
            "lockgate_hub_config_dir": str(folder / "etc"),
            "lockgate_hub_unit_dir": str(folder / "units"),
            "lockgate_hub_projects": ["flights", "trains"],
            "lockgate_hub_database_url": "postgresql://lockgate:s3cr3t@db/lockgate",
            "lockgate_hub_settings": {"is_behind_proxy": True, "public_url": "https://hub.example.org/l"},
        } | {f"lockgate_hub_has_{what}": False for what in ("packages", "account", "install", "service")}
        (folder / "units").mkdir(parents=True)

    def run(self, *options: str) -> tuple[str, dict[str, int]]:
        (self.folder / "values.yml").write_text(yaml.safe_dump(self.values))
        done = subprocess.run(
            [self.ansible, "-i", "localhost,", "-c", "local", "-e", f"@{self.folder}/values.yml", *options,
             DEPLOY / "ansible" / "site.yml"],
            env=dict(os.environ) | {
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
                "ANSIBLE_NOCOLOR": "1",
            },
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        counts = re.search(r"localhost\s+:(.*)", done.stdout)
        assert counts is not None
        return done.stdout, {name: int(n) for name, n in re.findall(r"(\w+)=(\d+)", counts[1])}


def test_the_role_makes_a_hub_and_changes_nothing_the_second_time(ansible: Path, tmp_path: Path) -> None:
    play = Play(ansible, tmp_path / "host")
    hub = tmp_path / "host" / "hub"
    said, first = play.run()
    assert first["failed"] == 0
    assert first["changed"] > 0
    assert "s3cr3t" not in said
    assert sorted(path.name for path in (hub / "repositories").iterdir()) == ["flights.git", "trains.git"]
    said, second = play.run("--diff")
    assert second["changed"] == 0, said

    from lockgate.hub.directory import open_hub
    from lockgate.web.settings import read_settings

    settings = read_settings(open_hub(hub))
    assert (settings.is_behind_proxy, settings.prefix) == (True, "/l")
    environment = tmp_path / "host" / "etc" / "environment"
    assert environment.stat().st_mode & 0o777 == 0o600
    assert "LOCKGATE_DATABASE_URL=postgresql://lockgate:s3cr3t@db/lockgate" in environment.read_text()

    play.values["lockgate_hub_settings"] = {"session_days": 3}
    said, counts = play.run("--check", "--diff")
    assert counts["changed"] == 1
    assert "+session_days = 3" in said
    assert read_settings(open_hub(hub)).session_days == 14


def test_the_units_are_those_of_the_role(ansible: Path, tmp_path: Path) -> None:
    play = Play(ansible, tmp_path / "host")
    names = ("program", "home", "dir", "config_dir", "database_url")
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    render = tmp_path / "render.yml"
    tasks = [
        {"ansible.builtin.template": {"src": f"{ROLE}/templates/{unit}.j2", "dest": f"{tmp_path}/{unit}"}}
        for unit in ("lockgate-hub.service", "lockgate-hub.socket")
    ]
    render.write_text(
        yaml.safe_dump(
            [{"hosts": "all", "gather_facts": False, "vars_files": [], "vars": defaults, "tasks": tasks}]
        )
    )
    assert {f"lockgate_hub_{name}" for name in names} <= defaults.keys()
    done = subprocess.run(
        [play.ansible, "-i", "localhost,", "-c", "local", render],
        env=dict(os.environ) | {"ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for unit in ("lockgate-hub.service", "lockgate-hub.socket"):
        kept = DEPLOY / "systemd" / unit
        if os.environ.get("LOCKGATE_GOLDEN") == "write":
            kept.write_text((tmp_path / unit).read_text())
        assert kept.read_text() == (tmp_path / unit).read_text()


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT TESTED: systemd's units (systemd-analyze is not here)")
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/lockgate/bin/lockgate", sys.executable)
        (tmp_path / unit.name).write_text(text.replace("User=lockgate\nGroup=lockgate\n", ""))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "lockgate-hub" in line]
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_the_compose_file_hangs_together() -> None:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = found["services"]
    assert services.keys() == {"hub", "database", "proxy"}
    for service in services.values():
        assert ("build" in service) != ("image" in service)
        for each in service.get("depends_on", ()):
            assert each in services
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith("./") else source in found["volumes"]
        for image in (service.get("image", ""),):
            assert not image or re.search(r":\d", image)
    assert "healthcheck" in services["database"]
    assert "ports" not in services["hub"]
    build = services["hub"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    # The password is asked for, not written down
    assert "POSTGRES_PASSWORD:?" in services["hub"]["environment"]["LOCKGATE_DATABASE_URL"]
    command = services["hub"]["command"]
    _understood([word.replace("${LOCKGATE_HOST:?}", "hub.example.org") for word in command])


def test_the_container_file_keeps_to_the_rules() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    joined = re.sub(r"\\\n", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    words = [line.split()[0] for line in lines]
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL",
             "ENTRYPOINT", "CMD"}  # fmt: skip
    assert set(words) - {"CMD"} <= known
    for line in lines:
        if line.startswith("FROM"):
            assert re.match(r"FROM docker\.io/\S+:\d\S*", line), "an image has a registry and a version"
        if line.startswith("RUN") and "apt-get install" in line:
            assert "--no-install-recommends" in line
            assert "rm -rf /var/lib/apt/lists" in line
        if "pip install" in line:
            assert "--no-cache-dir" in line
        if line.startswith("COPY") and "--from" not in line:
            allowed = (ROOT / ".dockerignore").read_text().splitlines()
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in allowed
    last_user = [line for line in lines if line.startswith("USER")][-1]
    assert re.fullmatch(r"USER \d+:\d+", last_user), "a number, so that a cluster can tell it is not root"
    assert words.index("ENTRYPOINT") < words.index("CMD") or words[-1] == "CMD"
    command = re.findall(r'"([^"]*)"', lines[-1])
    _understood(command)


def _understood(words: list[str]) -> None:
    """See that the command line knows these options, without starting anything."""
    done = subprocess.run(["lockgate", *words, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert not word.startswith("--") or word in done.stdout
