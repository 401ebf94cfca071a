"""Calling git: whose environment, and whose words in an error."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.errors import OutsideError
from lockgate.git.program import attempt, clean_environment, git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path / "r"], check=True)
    return tmp_path / "r"


def test_git_variables_of_a_hook_do_not_lead_git_astray(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other"))
    assert git(repository, "rev-parse", "--git-dir") == b".git\n"


def test_only_the_quarantine_is_kept_and_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_QUARANTINE_PATH", "/q")
    monkeypatch.setenv("GIT_WORK_TREE", "/w")
    assert "GIT_QUARANTINE_PATH" not in clean_environment()
    kept = clean_environment(("GIT_QUARANTINE_PATH",))
    assert kept["GIT_QUARANTINE_PATH"] == "/q"
    assert "GIT_WORK_TREE" not in kept


def test_objects_of_a_push_under_way_are_seen_only_in_quarantine(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    oid = git(
        repository,
        "hash-object",
        "-w",
        "--stdin",
        stdin=b"pushed",
        environment={"GIT_OBJECT_DIRECTORY": str(incoming)},
    )
    name = oid.decode().strip()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(incoming))
    assert git(repository, "cat-file", "blob", name, quarantine=True) == b"pushed"
    assert attempt(repository, "cat-file", "blob", name)[0] != 0


def test_a_failure_has_gits_last_words_and_a_command_to_try(repository: Path) -> None:
    with pytest.raises(OutsideError, match="unknown-branch") as caught:
        git(repository, "rev-parse", "--verify", "unknown-branch^{commit}", "--", "unknown-branch")
    assert caught.value.code == "git-failed"
    assert str(repository) in caught.value.hint


def test_an_exit_code_is_an_answer(repository: Path) -> None:
    code, output, _ = attempt(repository, "config", "--get", "no.such")
    assert (code, output) == (1, b"")


def test_git_reads_no_more_than_it_is_given(repository: Path) -> None:
    assert git(repository, "hash-object", "--stdin").decode().strip() == (
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    )


def test_no_git_on_the_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(OutsideError) as caught:
        git(repository, "status")
    assert caught.value.code == "git-missing"
