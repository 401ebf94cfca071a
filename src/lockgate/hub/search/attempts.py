"""How often somebody guesses: each wrong answer makes the next one wait longer. All services of a hub count
together, as the tallies lie in its database."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockgate.errors import UserError
from lockgate.hub.search.database import Database
from lockgate.hub.search.tables import attempts

#: So many wrong answers are free, as a person mistypes.
FREE = 5
#: So many tallies are kept; those that would be forgotten soonest go first.
MOST = 20_000


def pause_s(count: int, longest_s: float) -> float:
    """Return how long to wait after so many wrong answers."""
    return 0.0 if count < FREE else min(longest_s, float(2 ** min(count - FREE, 20)))


class Attempts:
    """The wrong answers of late about one `kind` of key, as accounts. Times: seconds since the epoch.

    An attempt counts as wrong when it begins, so that a thousand at once do not all slip through. Keys are
    kept as digests: what somebody types for a name may be a password.
    """

    def __init__(self, database: Database, kind: str, longest_s: float) -> None:
        self._database = database
        self._kind = kind
        self._longest_s = longest_s
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._insert = insert(attempts).on_conflict_do_nothing()

    def begin(self, key: str, now: float) -> None:
        """Count an attempt. Raises `UserError` (`too-many-attempts`) where it comes too early."""
        digest = self._digest(key)
        forgotten_at = now + 4 * self._longest_s
        self._make_room(now)
        with self._database.write() as connection:
            connection.execute(
                self._insert.values(digest=digest, wrong=0, last_at=now, forgotten_at=forgotten_at)
            )
            row = connection.execute(_of(digest).with_for_update()).one()
            # One that has kept still for long begins anew
            count = row.wrong if row.forgotten_at > now else 0
            wait_s = row.last_at + pause_s(count, self._longest_s) - now
            if wait_s > 0:
                raise UserError(
                    f"too many wrong attempts: wait {max(1, round(wait_s))} s",
                    "Who forgot a password gets a new one from the hub's owner: "
                    "lockgate hub member change NAME --password-stdin",
                    code="too-many-attempts",
                )
            changed = {"wrong": count + 1, "last_at": now, "forgotten_at": forgotten_at}
            connection.execute(update(attempts).where(attempts.c.digest == digest).values(changed))

    def succeeded(self, key: str) -> None:
        """Forget what was counted: it was the right one."""
        with self._database.write() as connection:
            connection.execute(delete(attempts).where(attempts.c.digest == self._digest(key)))

    def _make_room(self, now: float) -> None:
        due = select(attempts.c.digest).where(attempts.c.forgotten_at <= now)
        with self._database.read() as connection:
            kept = connection.execute(select(func.count()).select_from(attempts)).scalar_one()
            is_due = connection.execute(due.limit(1)).first() is not None
        if kept <= MOST and not is_due:
            return
        soonest = select(attempts.c.digest).order_by(attempts.c.forgotten_at).limit(max(0, kept - MOST))
        with self._database.write() as connection:
            for which in (due, soonest):
                connection.execute(delete(attempts).where(attempts.c.digest.in_(which)))

    def _digest(self, key: str) -> str:
        return hashlib.sha256(f"{self._kind}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()


def _of(digest: str) -> Select[Any]:
    return select(attempts).where(attempts.c.digest == digest)
