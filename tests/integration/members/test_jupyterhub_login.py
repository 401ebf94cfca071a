"""Logging in by a JupyterHub: what it says is believed of whom it knows, and of nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from small_jupyterhub import CLIENT, TOKEN, SmallJupyterHub, small_jupyterhub

from lockgate.errors import LockgateError
from lockgate.hub.members.binding import Login
from lockgate.hub.members.jupyterhub import JupyterHub
from lockgate.hub.members.logins import JupyterHubSettings
from lockgate.hub.members.provider_http import LARGEST

HERE = "http://127.0.0.1/services/lockgate/login/jupyterhub/answer"
WHO, TRADE = "/hub/api/user", "/hub/api/oauth2/token"


@pytest.fixture
def there() -> Iterator[SmallJupyterHub]:
    with small_jupyterhub() as there:
        yield there


def settings(there: SmallJupyterHub) -> JupyterHubSettings:
    return JupyterHubSettings(url=there.url, token_file="t", client_id=CLIENT, has_same_names=True)


@pytest.fixture
def client(there: SmallJupyterHub) -> Iterator[JupyterHub]:
    client = JupyterHub(settings(there), TOKEN, timeout_s=2)
    yield client
    client.close()


def log_in(client: JupyterHub, **changed: str) -> Login:
    """Do what a browser does; `changed` are parameters of its answer that somebody else put there."""
    begun = client.begin(HERE)
    back = httpx.get(begun.url).headers["Location"]
    assert back.startswith(HERE)
    return client.finish(begun, dict(parse_qsl(urlsplit(back).query)) | changed, HERE)


def refused(client: JupyterHub, told: str, /, **changed: str) -> str:
    with pytest.raises(LockgateError) as caught:
        log_in(client, **changed)
    assert caught.value.code == told
    return caught.value.message


def test_a_login_tells_who_it_is(there: SmallJupyterHub, client: JupyterHub) -> None:
    assert log_in(client) == Login(subject=f"{there.url} ada", wished_name="ada", known_by="name")
    there.person["name"] = "Grace Hopper"
    assert log_in(client).subject == f"{there.url} Grace Hopper"


def test_no_cookie_of_one_login_goes_with_another(there: SmallJupyterHub, client: JupyterHub) -> None:
    log_in(client)
    log_in(client)
    assert there.cookies == []


def test_answers_that_were_tampered_with_are_refused(client: JupyterHub) -> None:
    assert "not the answer" in refused(client, "login-failed", state="other")
    assert "not come from JupyterHub" in refused(client, "login-failed", iss="http://elsewhere")
    assert "JupyterHub says: no" in refused(client, "login-failed", error="x", error_description="n\0o")
    assert "no code" in refused(client, "login-failed", code="")
    assert "does not take the code" in refused(client, "login-failed", code="of somebody else")


def test_a_code_is_good_for_the_login_it_belongs_to(client: JupyterHub) -> None:
    first, second = client.begin(HERE), client.begin(HERE)
    answer = dict(parse_qsl(urlsplit(httpx.get(first.url).headers["Location"]).query))
    with pytest.raises(LockgateError, match="does not take the code"):
        client.finish(second, answer | {"state": second.state}, HERE)


def test_a_wrong_token_is_told_apart_from_a_wrong_code(there: SmallJupyterHub) -> None:
    client = JupyterHub(settings(there), "wrong", timeout_s=2)
    assert "does not know the hub by this client_id and token" in refused(client, "jupyterhub-login")
    client.close()


@pytest.mark.parametrize("path", [TRADE, WHO])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((500, b"<html>"), "it answers 500"),
        ((503, b""), "it answers 503"),
        ((302, b""), "it answers 302"),
        ((200, b"<html>of a proxy</html>"), "malformed"),
        ((200, b""), "truncated"),
        ((200, b"[]"), "Expected `object`"),
        ((200, b'{"access_token": 1, "name": 1, "kind": "user"}'), "Expected `str`"),
        ((200, b'{"x": ' + b"[" * 100_000), "at http"),
        ((200, b'{"access_token": "\xff", "name": "\xff", "kind": "user"}'), "codec"),
        ((200, b" " * (LARGEST + 1)), "more than 1,000,000 bytes"),
    ],
    ids=["500", "503", "redirect", "html", "empty", "array", "type", "nested", "latin", "huge"],
)
def test_what_is_no_answer_is_told(
    there: SmallJupyterHub, client: JupyterHub, path: str, fault: tuple[int, bytes], words: str
) -> None:
    there.faults[path] = fault
    assert words in refused(client, "jupyterhub-login")


def test_a_packed_answer_and_a_slow_one_are_not_waited_for(there: SmallJupyterHub) -> None:
    client = JupyterHub(settings(there), TOKEN, timeout_s=0.5)
    there.drips = True
    there.faults[WHO] = (200, b" " * 1000)
    there.faults[TRADE] = (200, b'{"access_token":"t"}')
    assert "longer than 0.5 s" in refused(client, "jupyterhub-login")
    there.drips = False
    there.headers = {"Content-Encoding": "gzip"}
    assert "packed" in refused(client, "jupyterhub-login")
    client.close()


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 256, "\u202eada"])
def test_a_name_that_is_none_is_refused(there: SmallJupyterHub, client: JupyterHub, name: str) -> None:
    there.person["name"] = name
    assert "names nobody" in refused(client, "login-failed")


def test_a_service_is_nobody_and_a_token_is_no_header(there: SmallJupyterHub, client: JupyterHub) -> None:
    there.person["kind"] = "service"
    assert "names nobody" in refused(client, "login-failed")
    there.faults[TRADE] = (200, b'{"access_token": "a\\r\\nX: y"}')
    assert "the token it gives is none" in refused(client, "jupyterhub-login")


def test_one_that_is_not_there_is_told() -> None:
    client = JupyterHub(JupyterHubSettings(url="http://127.0.0.1:1", token_file="t"), TOKEN, timeout_s=2)
    begun = client.begin(HERE)
    with pytest.raises(LockgateError, match=r"ConnectError at http://127\.0\.0\.1:1/hub/api/oauth2/token"):
        client.finish(begun, {"state": begun.state, "code": "c"}, HERE)
    client.close()
