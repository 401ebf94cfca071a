"""Data to the project's remote and back by the commands, beside the real DVC on the same remote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3_server
from data_repository import commit, git
from dvc_program import Dvc
from s3_server import S3Server

Files = Callable[[dict[str, str | bytes]], None]
DvcAt = Callable[[Path], Dvc]
Said = subprocess.CompletedProcess[str]

DATA: dict[str, str | bytes] = {
    "data/raw/a.csv": "1,2\n",
    "data/raw/ü.bin": bytes(range(256)),
    "one.csv": "x",
}


def lockgate(folder: Path, *words: str, code: int = 0) -> Said:
    done = subprocess.run(["lockgate", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server.for_tests() as server:
        yield server


@pytest.fixture
def project(root: Path, files: Files) -> Path:
    files(DATA)
    lockgate(root, "data", "add", "data/raw", "one.csv")
    commit(root)
    return root


def cloned(project: Path, at: Path) -> Path:
    git(project.parent, "clone", "-q", str(project), str(at))
    return at


def contents(root: Path) -> dict[str, str | bytes]:
    return {path: (root / path).read_bytes() for path in DATA}


EXPECTED = {
    path: content if isinstance(content, bytes) else content.encode() for path, content in DATA.items()
}


def declare(root: Path, remote: str) -> None:
    (root / "lockgate.toml").write_text(f'[data]\nremote = "{remote}"\n[stages.a]\nrun = "true"\n')
    commit(root)


class TestProjectsRemote:
    def test_put_here_and_get_in_another_clone(self, project: Path, tmp_path: Path) -> None:
        declare(project, str(tmp_path / "remote"))
        assert "4 objects sent" in lockgate(project, "data", "put").stdout
        assert "nothing to send" in lockgate(project, "data", "put").stdout
        other = cloned(project, tmp_path / "other")
        lockgate(other, "data", "get")
        assert contents(other) == EXPECTED

    def test_only_what_is_asked_for_moves(self, project: Path, tmp_path: Path) -> None:
        declare(project, str(tmp_path / "remote"))
        told = json.loads(lockgate(project, "data", "put", "one.csv", "--json").stdout)
        assert (told["sent"], told["already"]) == (1, 0)
        other = cloned(project, tmp_path / "other")
        lockgate(other, "data", "get", "one.csv")
        assert (other / "one.csv").read_bytes() == b"x"
        assert "data/raw" in lockgate(other, "data", "get", "data/raw", code=3).stderr

    def test_an_older_version_goes_and_comes(self, project: Path, files: Files, tmp_path: Path) -> None:
        declare(project, str(tmp_path / "remote"))
        git(project, "tag", "v1")
        files({"one.csv": "newer"})
        lockgate(project, "data", "add", "one.csv")
        commit(project)
        lockgate(project, "data", "put", "--rev", "v1")
        other = cloned(project, tmp_path / "other")
        git(other, "checkout", "-q", "v1")
        lockgate(other, "data", "get")
        assert contents(other) == EXPECTED

    def test_what_neither_side_has_is_named_and_the_rest_is_sent(self, project: Path, tmp_path: Path) -> None:
        declare(project, str(tmp_path / "remote"))
        other = cloned(project, tmp_path / "other")
        said = lockgate(other, "data", "put", code=3).stderr
        assert "the bytes of data/raw, one.csv are neither in this clone's store nor at" in said
        assert "data-missing" in said
        lockgate(project, "data", "put", "one.csv")
        (other / "two.csv").write_text("two")
        lockgate(other, "data", "add", "two.csv")
        said = lockgate(other, "data", "put", code=3).stderr
        assert "the bytes of data/raw are neither" in said
        lockgate(project, "data", "put")
        # Whatever of a folder is here: the remote has the rest
        lockgate(other, "data", "get", "data/raw")
        for file in (other / ".dvc/cache/files/md5").rglob("*"):
            if file.is_file() and not file.name.endswith(".dir"):
                file.unlink()
        assert "nothing to send" in lockgate(other, "data", "put").stdout

    def test_a_remote_that_is_named_and_has_nothing_is_told_of(self, project: Path, tmp_path: Path) -> None:
        other = cloned(project, tmp_path / "other")
        said = lockgate(other, "data", "get", "--remote", str(tmp_path / "none"), code=3).stderr
        assert f"and {tmp_path}/none does not have them either" in said

    def test_without_a_remote_the_way_to_one_is_told(self, project: Path) -> None:
        said = lockgate(project, "data", "put", code=2).stderr
        assert "no remote" in said
        assert "[data]" in said

    def test_a_name_that_nobody_knows(self, project: Path) -> None:
        assert "there is no remote 'x'" in lockgate(project, "data", "put", "--remote", "x", code=2).stderr


class TestBesideDvc:
    def test_dvc_pulls_what_we_put_and_we_get_what_it_pushed(
        self, project: Path, files: Files, tmp_path: Path, dvc_at: DvcAt
    ) -> None:
        dvc = dvc_at(project)
        dvc("remote", "add", "-d", "store", str(tmp_path / "remote"))
        commit(project)
        lockgate(project, "data", "put")
        other = cloned(project, tmp_path / "other")
        theirs = dvc_at(other)
        theirs("pull", "-q")
        assert contents(other) == EXPECTED
        assert "up to date" in theirs("status")
        assert "in sync" in theirs("status", "--cloud")
        (other / "one.csv").unlink()
        (other / "one.csv").write_text("by a colleague")
        theirs("add", "-q", "one.csv")
        commit(other)
        theirs("push", "-q")
        git(project, "pull", "-q", str(other), "HEAD")
        lockgate(project, "data", "get")
        assert (project / "one.csv").read_text() == "by a colleague"

    def test_over_s3(self, project: Path, tmp_path: Path, dvc_at: DvcAt, s3: S3Server) -> None:
        dvc = dvc_at(project)
        dvc("remote", "add", "-d", "lab", f"s3://{s3_server.BUCKET}/{tmp_path.name}")
        options = s3.options()
        dvc("remote", "modify", "lab", "endpointurl", options["endpointurl"])
        commit(project)
        for name in ("access_key_id", "secret_access_key"):
            dvc("remote", "modify", "--local", "lab", name, options[name])
        assert "4 objects sent" in lockgate(project, "data", "put").stdout
        assert "in sync" in dvc("status", "--cloud")
        assert options["secret_access_key"] not in (project / ".dvc" / "config").read_text()
        other = cloned(project, tmp_path / "other")
        (other / ".dvc" / "config.local").write_bytes((project / ".dvc" / "config.local").read_bytes())
        dvc_at(other)("pull", "-q")
        assert contents(other) == EXPECTED
        third = cloned(project, tmp_path / "third")
        (third / ".dvc" / "config.local").write_bytes((project / ".dvc" / "config.local").read_bytes())
        lockgate(third, "data", "get")
        assert contents(third) == EXPECTED
