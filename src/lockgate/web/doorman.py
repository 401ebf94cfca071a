"""Judging passwords and tokens, and how often somebody guesses."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time

from lockgate.errors import UserError
from lockgate.hub.members.authenticate import by_password, by_token
from lockgate.hub.members.book import MemberBook
from lockgate.hub.members.entering import enter
from lockgate.hub.members.ldap import by_ldap
from lockgate.hub.members.logins import LdapSettings
from lockgate.hub.members.rules import actor_of
from lockgate.hub.members.values import Actor
from lockgate.hub.oauth.bearer import by_grant
from lockgate.hub.oauth.grants import is_token
from lockgate.hub.search.attempts import Attempts
from lockgate.hub.search.database import Database

#: A password that was right is not reckoned again for so long: git asks with each request.
_REMEMBERED_S = 120.0
_REMEMBERED = 1000
#: Each reckoning takes 64 MiB and a core.
_AT_ONCE = 2
LONGEST_ACCOUNT_S, LONGEST_ADDRESS_S = 60.0, 900.0


class Doorman:
    """Counts wrong answers, in the database, and keeps right ones for a moment."""

    def __init__(self, book: MemberBook, database: Database, directory: LdapSettings | None = None) -> None:
        self._book = book
        self._database = database
        self._directory = directory
        self._accounts = Attempts(database, "account", LONGEST_ACCOUNT_S)
        self._addresses = Attempts(database, "address", LONGEST_ADDRESS_S)
        self._programs = Attempts(database, "program", LONGEST_ADDRESS_S)
        self._salt = os.urandom(16)
        self._right: dict[bytes, tuple[float, str | None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def password(self, name: str, password: str, address: str) -> Actor:
        """Return whose password this is. Raises `UserError`: `login-failed`, `too-many-attempts`."""
        key = hashlib.blake2b(f"{name}\0{password}".encode("utf-8", "replace"), key=self._salt).digest()
        known = self._remembered(name, key)
        if known is not None:
            return known
        async with self._room:
            actor = await asyncio.to_thread(self._attempt, name, password, address)
        member = self._book.find(name)
        if len(self._right) >= _REMEMBERED:
            self._right.clear()
        self._right[key] = (time.monotonic() + _REMEMBERED_S, member.password if member else None)
        return actor

    def _attempt(self, name: str, password: str, address: str) -> Actor:
        now = time.time()
        self._addresses.begin(address, now)
        self._accounts.begin(name, now)
        actor = self._reckon(name, password)
        if actor is None:
            raise login_failed()
        self._accounts.succeeded(name)
        self._addresses.succeeded(address)
        return actor

    def _reckon(self, name: str, password: str) -> Actor | None:
        """A password of the hub's own counts first; then the directory is asked."""
        actor = by_password(self._book, name, password)
        if actor is not None or self._directory is None:
            return actor
        login = by_ldap(self._directory, name, password)
        return enter(self._book, login, self._directory.new_members) if login is not None else None

    async def knock(self, address: str) -> None:
        """Count an attempt by a door of elsewhere. Raises `UserError` (`too-many-attempts`)."""
        await asyncio.to_thread(self._addresses.begin, address, time.time())

    async def turn_away(self, address: str) -> None:
        """Count a wrong secret of a program. Raises `UserError` (`too-many-attempts`).

        Apart from people's: all who log in there come from that one address.
        """
        await asyncio.to_thread(self._programs.begin, address, time.time())

    async def welcome(self, address: str) -> None:
        """Take it back: it was a right one."""
        await asyncio.to_thread(self._addresses.succeeded, address)

    async def token(self, secret: str, address: str) -> Actor:
        """Return who acts by a token. Raises `UserError`: `login-failed`, `too-many-attempts`."""
        actor = (
            await asyncio.to_thread(by_grant, self._book, self._database, secret)
            if is_token(secret)
            else by_token(self._book, secret)
        )
        if actor is None:
            await self.knock(address)
            raise login_failed()
        return actor

    def _remembered(self, name: str, key: bytes) -> Actor | None:
        until, digest = self._right.get(key, (0.0, None))
        member = self._book.find(name)
        if member is None or digest is None or time.monotonic() > until or member.password != digest:
            self._right.pop(key, None)
            return None
        return actor_of(member)


def login_failed() -> UserError:
    return UserError(
        "name and password, or the token, are not right",
        "Tokens are made on the page Account, or by: lockgate hub member token.",
        code="login-failed",
    )
