"""From any copy of a file back to the run that made it: its digest, then its passport, then its looks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.data.digest import md5_of
from lockgate.errors import UserError
from lockgate.hub.search.database import Database
from lockgate.hub.search.trace import Likeness, MadeFile, by_digest, by_likeness
from lockgate.verify.passport import Passport, read_passport, without_passport


class Stamped(msgspec.Struct, frozen=True, kw_only=True):
    """What a passport in the file says, and what is known of that."""

    passport: Passport
    is_proved: bool
    """Without the passport these are the very bytes that a run made; else it is what the file says."""
    made: tuple[MadeFile, ...] = ()
    """The runs that made what it names, the newest first; none: it is not known here."""


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file, the surest first."""

    exact: tuple[MadeFile, ...] = ()
    """Runs that made exactly these bytes, the newest first."""
    stamped: Stamped | None = None
    alike: tuple[Likeness, ...] = ()
    """Pictures that look like it, nearest first."""

    @property
    def is_found(self) -> bool:
        return bool(self.exact or self.alike or (self.stamped is not None and self.stamped.made))


def trace(database: Database, projects: Sequence[str], content: bytes) -> Traced:
    """Return what is known of a file's bytes in these projects."""
    try:
        alike = tuple(each for each in by_likeness(database, projects, content) if not each.is_exact)
    except UserError as error:
        if error.code != "picture-invalid":
            raise
        alike = ()
    exact = by_digest(database, projects, md5_of(content))
    return Traced(exact=exact, stamped=_stamped(database, projects, content), alike=alike)


def _stamped(database: Database, projects: Sequence[str], content: bytes) -> Stamped | None:
    passport = read_passport(content)
    if passport is None:
        return None
    made = by_digest(database, projects, md5_of(without_passport(content)))
    if made:
        return Stamped(passport=passport, is_proved=True, made=made)
    named = by_digest(database, projects, passport.md5)
    of_run = tuple(each for each in named if each.run == passport.run)
    return Stamped(passport=passport, is_proved=False, made=of_run)
