"""How programs are registered in `hub.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.oauth.client import secret_digest
from lockgate.hub.oauth.clients import read_clients

URI = 'redirect_uris = ["https://jupyter.example.org/hub/oauth_callback"]\n'


def read(folder: Path, text: str) -> object:
    (folder / "hub.toml").write_text(text)
    return read_clients(Hub(folder))


def test_without_a_table_nobody_may_ask(tmp_path: Path) -> None:
    assert read_clients(Hub(tmp_path)) == {}
    assert read(tmp_path, '[service]\npublic_url = "https://hub.example.org"\n') == {}


def test_a_client_is_read_with_its_secret_as_a_digest(tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub.secret"
    file.write_text("s" * 40 + "\n")
    file.chmod(0o600)
    read(tmp_path, f'[oauth.jupyterhub]\nsecret_file = "jupyterhub.secret"\nis_trusted = true\n{URI}')
    client = read_clients(Hub(tmp_path))["jupyterhub"]
    assert client.secret == secret_digest("s" * 40) and client.has_secret("s" * 40)
    assert (client.label, client.is_trusted, client.token_s) == ("jupyterhub", True, 12 * 3600)
    read(tmp_path, f'[oauth.lab]\nlabel = "Lab\\u0007\\n"\ntoken_hours = 0.5\n{URI}')
    client = read_clients(Hub(tmp_path))["lab"]
    assert (client.label, client.secret, client.token_s) == ("Lab", None, 1800)


@pytest.mark.parametrize(
    "uri",
    [
        "http://jupyter.example.org/", "https://", "https://*.example.org/", "https://u:p@example.org/",
        "https://example.org/#a", "javascript:alert(1)", "https://{member}.example.org/", "/hub",
        "https://a b/", "https://example.org/{name}", "https://exämple.org/", "https://[::1", "ftp://a/",
    ],
)  # fmt: skip
def test_people_are_sent_to_no_unsafe_place(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, f"[oauth.a]\nredirect_uris = ['{uri}']\n")
    assert caught.value.code == "hub-settings"


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for wrong in (
        "[oauth.a]\nredirect_uris = []\n",
        "[oauth.a]\n",
        f"[oauth.a]\n{URI}colour = 1\n",
        f'[oauth.a]\n{URI}scopes = ["admin"]\n',
        f'[oauth.a]\n{URI}secret_sha256 = "abc"\n',
        f'[oauth.a]\n{URI}secret_file = "there is none"\n',
        f"[oauth.a]\n{URI}token_hours = 0\n",
        f'[oauth."a b"]\n{URI}',
        f'[oauth.a]\n{URI}secret_file = "a"\nsecret_sha256 = "{"0" * 64}"\n',
        "[oauth",
    ):
        with pytest.raises(UserError) as caught:
            read(tmp_path, wrong)
        assert caught.value.code == "hub-settings"


def test_a_secret_is_neither_readable_by_others_nor_short(tmp_path: Path) -> None:
    file = tmp_path / "a"
    for content, mode, words in (("s" * 40, 0o640, "chmod 600"), ("secret", 0o600, "below 32")):
        file.write_text(content)
        file.chmod(mode)
        with pytest.raises(UserError, match=words):
            read(tmp_path, f'[oauth.a]\nsecret_file = "a"\n{URI}')
