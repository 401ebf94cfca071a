"""Logins to hubs: kept in one file that only its owner reads, handed to git by its own protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UserError
from lockgate.hub.reaching import credentials
from lockgate.hub.reaching.credentials import Credential
from lockgate.hub.worktree.login import answer_git

BASE = "https://hub.example.org/lockgate"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


def test_what_is_kept_is_found_by_its_hub_alone() -> None:
    credentials.keep(BASE, Credential("ada", "lgt_a_b", "2027-01-01T00:00:00Z"))
    credentials.keep("https://other.example.org", Credential("ada", "lgt_c_d"))
    assert credentials.credential_for(BASE) == Credential("ada", "lgt_a_b", "2027-01-01T00:00:00Z")
    assert credentials.credential_for("https://hub.example.org") is None
    assert credentials.place().stat().st_mode & 0o777 == 0o600


def test_forgetting() -> None:
    credentials.keep(BASE, Credential("ada", "lgt_a_b"))
    assert credentials.forget(BASE) == Credential("ada", "lgt_a_b")
    assert credentials.forget(BASE) is None
    assert credentials.credential_for(BASE) is None


def test_the_variable_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.keep(BASE, Credential("ada", "lgt_a_b"))
    monkeypatch.setenv("LOCKGATE_TOKEN", "lgt_e_f")
    found = credentials.credential_for(BASE)
    assert found is not None and found.token == "lgt_e_f"


@pytest.mark.parametrize("content", [b"", b"{", b'{"hubs": 3}', b"\xff\xfe"])
def test_a_damaged_file_is_told_of(content: bytes) -> None:
    credentials.place().parent.mkdir(parents=True)
    credentials.place().write_bytes(content)
    with pytest.raises(UserError) as caught:
        credentials.credential_for(BASE)
    assert caught.value.code == "credentials-damaged" and "rm " in caught.value.hint


def test_git_is_answered_for_the_hub_that_it_names() -> None:
    credentials.keep(BASE, Credential("ada", "lgt_a_b"))
    asked = {"protocol": "https", "host": "hub.example.org", "path": "lockgate/git/flights.git"}
    assert answer_git(asked) == "username=ada\npassword=lgt_a_b\n"
    assert answer_git(asked | {"path": "elsewhere/git/flights.git"}) == ""
    assert answer_git(asked | {"protocol": "http"}) == ""
    assert answer_git({"protocol": "ssh", "host": "hub.example.org"}) == ""
    assert answer_git({}) == ""
