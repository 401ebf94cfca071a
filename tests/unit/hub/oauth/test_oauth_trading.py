"""Who may trade which code."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.hub.members.mark import subject_of
from lockgate.hub.members.values import Member
from lockgate.hub.oauth.client import Client, acting_scope, secret_digest
from lockgate.hub.oauth.person import claims_of, groups_of
from lockgate.hub.oauth.trading import CODE_S, Denied, Grant, client_of, is_proven, verdict

#: RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SECRET = "s" * 40
KNOWN = Client(
    id="jupyterhub",
    label="J",
    secret=secret_digest(SECRET),
    redirect_uris=("https://j/",),
    scopes=("openid",),
)
PUBLIC = msgspec.structs.replace(KNOWN, id="lab", secret=None)
CLIENTS = {"jupyterhub": KNOWN, "lab": PUBLIC}
NOW = 1_000_000.0
GRANT = Grant(
    client="jupyterhub", member="ada", mark="m", redirect_uri="https://j/", challenge=CHALLENGE,
    scopes=("openid",), nonce="", created_at=NOW, expires_at=NOW + CODE_S,
)  # fmt: skip


@pytest.mark.parametrize(
    ("form", "basic", "found"),
    [
        ({}, ("jupyterhub", SECRET), "jupyterhub"),
        ({"client_id": "jupyterhub"}, ("jupyterhub", SECRET), "jupyterhub"),
        ({"client_id": "jupyterhub", "client_secret": SECRET}, None, "jupyterhub"),
        ({"client_id": "lab"}, None, "lab"),
        ({"client_id": "jupyterhub", "client_secret": SECRET}, ("jupyterhub", SECRET), "invalid_request"),
        ({"client_id": "lab"}, ("jupyterhub", SECRET), "invalid_request"),
        ({}, ("jupyterhub", SECRET + "x"), "invalid_client"),
        ({}, ("jupyterhub", ""), "invalid_client"),
        ({"client_id": "jupyterhub"}, None, "invalid_client"),
        ({"client_id": "jupyterhub", "client_secret": secret_digest(SECRET)}, None, "invalid_client"),
        ({"client_id": "lab", "client_secret": SECRET}, None, "invalid_client"),
        ({}, None, "invalid_client"),
    ],
)
def test_a_client_says_who_it_is_one_way(
    form: dict[str, str], basic: tuple[str, str] | None, found: str
) -> None:
    client = client_of(CLIENTS, form, basic)
    assert (client.error if isinstance(client, Denied) else client.id) == found


def test_a_code_is_for_its_client_place_and_verifier_within_its_time() -> None:
    def told(
        grant: Grant | None = GRANT, client: Client = KNOWN, uri: str = "https://j/", at: float = NOW + 1
    ) -> str:
        denied = verdict(grant, client, uri, VERIFIER, at)
        return denied.error if denied is not None else ""

    assert told() == told(at=NOW + CODE_S - 1) == ""
    assert told(None) == "invalid_grant"
    assert told(at=NOW + CODE_S) == "invalid_grant"
    assert told(client=PUBLIC) == "invalid_grant"
    assert told(uri="") == told(uri="https://j") == "invalid_grant"
    assert told(msgspec.structs.replace(GRANT, used_at=NOW)) == "invalid_grant"
    assert told(msgspec.structs.replace(GRANT, challenge="")) == "invalid_grant"


def test_the_verifier_is_that_of_the_challenge() -> None:
    assert is_proven(CHALLENGE, VERIFIER)
    assert is_proven("", "")
    assert not is_proven(CHALLENGE, "")
    assert not is_proven("", VERIFIER)  # a challenge that was taken off on the way
    assert not is_proven(VERIFIER, VERIFIER)  # `plain`
    assert not is_proven(CHALLENGE, VERIFIER[:-1] + "é")
    assert not is_proven(CHALLENGE, VERIFIER + "A")


def test_a_token_acts_as_far_as_its_scopes_say() -> None:
    assert acting_scope(("openid", "groups")) is None
    assert acting_scope(("lockgate:read",)) == "read"
    assert acting_scope(("lockgate:read", "lockgate:write")) == "write"


def test_what_is_told_of_a_member_is_what_was_asked_for() -> None:
    ada = Member(
        name="ada", full_name="Ada L.", email="ada@example.org", is_operator=True, created_at="2026-01-01",
        roles={"flights": "lead", "*": "viewer"},
    )  # fmt: skip
    assert claims_of(ada, ("openid",)) == {"sub": subject_of(ada)}
    told = claims_of(ada, ("openid", "profile", "email", "groups"))
    assert told["preferred_username"] == "ada" and told["name"] == "Ada L."
    assert told["email_verified"] is False
    assert told["groups"] == ["*", "*:viewer", "flights", "flights:lead", "hub:operator"]
    assert groups_of(Member(name="eve")) == []
    again = msgspec.structs.replace(ada, id="5f")
    assert subject_of(again) != subject_of(ada)
