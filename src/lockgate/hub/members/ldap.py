"""Logging in by a directory: bind as the person, with what they typed; read who they are."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from lockgate.errors import OutsideError
from lockgate.hub.members.binding import Login
from lockgate.hub.members.logins import LdapSettings

if TYPE_CHECKING:
    from ldap3 import Connection


def by_ldap(settings: LdapSettings, name: str, password: str) -> Login | None:
    """Return whom the directory knows by this name and password; None: nobody.

    An empty password is nobody's: to a directory it means an anonymous bind, which succeeds (RFC 4513,
    section 5.1.2).
    Raises `OutsideError`: `ldap-unreachable`, `ldap-missing`.
    """
    if not name or not password or len(name) > 200 or not name.isprintable():
        return None
    try:
        import ldap3  # noqa: PLC0415  (an extra)
        from ldap3.core.exceptions import LDAPException, LDAPInvalidDnError  # noqa: PLC0415
        from ldap3.utils.dn import escape_rdn  # noqa: PLC0415
    except ModuleNotFoundError:
        raise OutsideError(
            "ldap3 is not installed on the hub's host", "Install it: pip install 'lockgate[ldap]'",
            code="ldap-missing",
        ) from None  # fmt: skip
    person = settings.person.replace("{name}", escape_rdn(name))
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=settings.ca_file or None
    )
    try:
        server = ldap3.Server(settings.url, tls=tls, connect_timeout=settings.timeout_s, get_info=ldap3.NONE)
        connection = ldap3.Connection(
            server,
            user=person,
            password=password,
            receive_timeout=settings.timeout_s,
            auto_referrals=False,
            read_only=True,
            raise_exceptions=False,
        )
        try:
            if settings.is_start_tls and not connection.start_tls():
                raise _unreachable(settings, "it does not start TLS")
            if not connection.bind():
                code = connection.result.get("result")
                # Wrong password, no such person, a name that is no name (RFC 4511, appendix A)
                if code in (49, 32, 34):
                    return None
                raise _unreachable(settings, str(connection.result.get("description", code)))
            return _login(settings, connection, name, person)
        finally:
            _close(connection)
    except LDAPInvalidDnError:
        return None
    except (LDAPException, OSError) as error:
        raise _unreachable(settings, str(error)) from None


def _close(connection: Connection) -> None:
    """ldap3 itself leaves the socket open where TLS or the connection failed."""
    from ldap3.core.exceptions import LDAPException  # noqa: PLC0415

    with contextlib.suppress(LDAPException, OSError):
        connection.unbind()
    if connection.socket is not None:
        connection.socket.close()


def _login(settings: LdapSettings, connection: Connection, name: str, person: str) -> Login:
    wanted = [settings.email_attribute, settings.full_name_attribute]
    connection.search(person, "(objectClass=*)", search_scope="BASE", attributes=wanted)
    found = connection.entries[0].entry_attributes_as_dict if connection.entries else {}

    def first(attribute: str) -> str:
        values = found.get(attribute) or [""]
        return values[0] if isinstance(values[0], str) else ""

    email = first(settings.email_attribute)
    return Login(
        subject=f"{settings.url} {person.lower()}",
        email=email,
        is_email_verified=bool(email),
        full_name=first(settings.full_name_attribute),
        wished_name=name,
    )


def _unreachable(settings: LdapSettings, words: str) -> OutsideError:
    return OutsideError(
        f"the directory {settings.url} does not answer as it should: {words[:300]}",
        "Look at [ldap] in hub.toml, and at the directory.",
        code="ldap-unreachable",
        is_transient=True,
    )
