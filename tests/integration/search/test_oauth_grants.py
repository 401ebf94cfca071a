"""Codes and tokens of programs, on both databases."""

from __future__ import annotations

import threading
import time

import msgspec
from sqlalchemy import func, select

from lockgate.hub.directory import Hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member
from lockgate.hub.oauth.bearer import by_grant
from lockgate.hub.oauth.client import Client
from lockgate.hub.oauth.grants import (
    MOST,
    Traded,
    end_all,
    end_grant,
    find_grant,
    give_code,
    grants_of,
    trade,
)
from lockgate.hub.oauth.trading import CODE_S
from lockgate.hub.search.database import Database
from lockgate.hub.search.tables import oauth_grants

#: RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
KNOWN = Client(id="jupyterhub", label="J", secret="0" * 64, redirect_uris=("https://j/",), scopes=("openid",))
PUBLIC = msgspec.structs.replace(KNOWN, id="lab", secret=None)
ADA = Member(name="ada", password="digest", created_at="2026-01-01", roles={"flights": "lead"})
NOW = 1_000_000.0
URI = "https://j/"


def code_for(database: Database, at: float = NOW, scope: str = "openid", client: Client = KNOWN) -> str:
    return give_code(
        database, client, ADA, redirect_uri=URI, challenge=CHALLENGE, scopes=[scope], nonce="n", now=at
    )


def test_a_code_gives_one_token_and_when_it_comes_again_none(database: Database) -> None:
    code = code_for(database)
    traded = trade(database, KNOWN, code, URI, VERIFIER, NOW + 1)
    assert isinstance(traded, Traded)
    found = find_grant(database, traded.token, NOW + 2)
    assert found == traded.grant and found.member == "ada" and found.nonce == "n"
    assert grants_of(database, ADA, NOW + 2) == [found]
    assert find_grant(database, traded.token, NOW + 2 + KNOWN.token_s) is None
    assert not isinstance(trade(database, KNOWN, code, URI, VERIFIER, NOW + 3), Traded)
    assert find_grant(database, traded.token, NOW + 4) is None


def test_a_code_that_came_from_elsewhere_is_spent(database: Database) -> None:
    for client, uri, verifier, at in (
        (PUBLIC, URI, VERIFIER, NOW),
        (KNOWN, "https://evil/", VERIFIER, NOW),
        (KNOWN, URI, "v" * 43, NOW),
        (KNOWN, URI, "", NOW),
        (KNOWN, URI, VERIFIER, NOW + CODE_S),
    ):
        code = code_for(database)
        assert not isinstance(trade(database, client, code, uri, verifier, at), Traded)
        assert not isinstance(trade(database, KNOWN, code, URI, VERIFIER, NOW), Traded)


def test_of_many_at_once_one_at_most_has_the_token(database: Database) -> None:
    code = code_for(database)
    answers: list[object] = []

    def work() -> None:
        answers.append(trade(database, KNOWN, code, URI, VERIFIER, NOW))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in answers if isinstance(each, Traded)]) == 1
    assert grants_of(database, ADA, NOW) == []


def test_what_is_over_is_swept_and_the_oldest_go(database: Database) -> None:
    for number in range(MOST + 5):
        code_for(database, NOW + number / 100)
    question = select(func.count(), func.min(oauth_grants.c.created_at)).select_from(oauth_grants)
    with database.read() as connection:
        count, oldest = connection.execute(question).one()
        assert count == MOST and oldest == NOW + 5 / 100
        rows = str(connection.execute(select(oauth_grants)).all())
    newest = code_for(database, NOW + 1)
    assert newest not in rows
    code_for(database, NOW + 1000)
    with database.read() as connection:
        assert connection.execute(question).one()[0] == 1


def test_a_token_ends_by_a_word(database: Database) -> None:
    def token(client: Client = KNOWN) -> str:
        traded = trade(database, client, code_for(database, client=client), URI, VERIFIER, NOW)
        assert isinstance(traded, Traded)
        return traded.token

    first, second = token(), token()
    end_grant(database, first)
    assert find_grant(database, first, NOW) is None
    assert find_grant(database, second, NOW) is not None
    other = token(client=PUBLIC)
    end_all(database, "ada", KNOWN.id)
    assert find_grant(database, second, NOW) is None
    assert find_grant(database, other, NOW) is not None


def test_a_token_acts_for_its_member_as_they_are(hub: Hub, database: Database) -> None:
    book = open_book(hub)
    book.add(ADA)

    def token(scope: str) -> str:
        traded = trade(database, KNOWN, code_for(database, time.time(), scope), URI, VERIFIER)
        assert isinstance(traded, Traded)
        return traded.token

    acting, asking = token("lockgate:read"), token("openid")
    actor = by_grant(book, database, acting)
    assert actor is not None and (actor.name, actor.scope) == ("ada", "read")
    assert by_grant(book, database, asking) is None
    assert by_grant(book, database, "lgo_" + "x" * 43) is None
    book.change("ada", lambda ada: msgspec.structs.replace(ada, is_active=False))
    assert by_grant(book, database, acting) is None
    book.change("ada", lambda ada: msgspec.structs.replace(ada, is_active=True))
    assert by_grant(book, database, acting) is not None
    book.change("ada", lambda ada: msgspec.structs.replace(ada, password="another"))
    assert by_grant(book, database, acting) is None
    book.remove("ada")
    book.add(msgspec.structs.replace(ADA, created_at="2026-09-09"))
    assert by_grant(book, database, acting) is None
