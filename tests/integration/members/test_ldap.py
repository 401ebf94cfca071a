"""Logging in by a real directory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from directory import PASSWORD, SLAPD, SUFFIX, Directory, directory

from lockgate.errors import LockgateError
from lockgate.hub.directory import create_hub
from lockgate.hub.members.binding import Login
from lockgate.hub.members.book import open_book
from lockgate.hub.members.entering import enter
from lockgate.hub.members.ldap import by_ldap
from lockgate.hub.members.logins import LdapSettings
from lockgate.hub.members.values import Member

#: What ldap3 2.9 uses of pyasn1, and of Python before 3.12
pytestmark = pytest.mark.filterwarnings(
    "ignore:(tagMap|typeMap) is deprecated:DeprecationWarning",
    r"ignore:ssl.match_hostname\(\) is deprecated:DeprecationWarning",
)

PERSON = f"uid={{name}},ou=people,{SUFFIX}"


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    if SLAPD is None:
        warnings.warn("NOT TESTED: logins by LDAP; install slapd", stacklevel=1)
        pytest.skip("NOT TESTED: logins by LDAP, for want of slapd (apt-get install slapd)")
    with directory(tmp_path_factory.mktemp("slapd")) as found:
        yield found


@pytest.fixture
def settings(slapd: Directory) -> LdapSettings:
    return LdapSettings(url=slapd.url, person=PERSON)


def test_a_person_is_known_by_their_password(settings: LdapSettings) -> None:
    assert by_ldap(settings, "ada", PASSWORD) == Login(
        subject=f"{settings.url} uid=ada,ou=people,{SUFFIX}",
        email="Ada@example.org",
        is_email_verified=True,
        full_name="Ada L.",
        wished_name="ada",
    )
    odd = by_ldap(settings, "bob, jr", PASSWORD)
    assert odd is not None
    assert (odd.full_name, odd.is_email_verified) == ("Bob", False)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("ada", ""),
        ("", PASSWORD),
        ("eve", PASSWORD),
        ("*", PASSWORD),
        ("ada,ou=people", PASSWORD),
        ("ada)(uid=*", PASSWORD),
        ("ada\0", PASSWORD),
        ("ada+cn=x", PASSWORD),
        ("a" * 300, PASSWORD),
    ],
)
def test_everybody_else_is_nobody(settings: LdapSettings, name: str, password: str) -> None:
    assert by_ldap(settings, name, password) is None


def test_one_person_is_one_subject_however_they_write_their_name(settings: LdapSettings) -> None:
    small, large = by_ldap(settings, "ada", PASSWORD), by_ldap(settings, "ADA", PASSWORD)
    assert small is not None
    assert large is not None
    assert small.subject == large.subject


def test_secrets_go_by_tls_and_only_to_whom_the_certificate_names(slapd: Directory) -> None:
    for url, is_start_tls in ((slapd.tls_url, False), (slapd.url, True)):
        safe = LdapSettings(url=url, person=PERSON, is_start_tls=is_start_tls, ca_file=str(slapd.ca_file))
        assert by_ldap(safe, "ada", PASSWORD) is not None
        with pytest.raises(LockgateError) as caught:
            by_ldap(msgspec.structs.replace(safe, ca_file=""), "ada", PASSWORD)
        assert caught.value.code == "ldap-unreachable"


def test_a_directory_that_is_gone_is_told(settings: LdapSettings) -> None:
    with pytest.raises(LockgateError, match="does not answer as it should") as caught:
        by_ldap(msgspec.structs.replace(settings, url="ldap://127.0.0.1:1"), "ada", PASSWORD)
    assert caught.value.exit_code == 3


def test_a_first_login_is_bound(settings: LdapSettings, tmp_path: Path) -> None:
    book = open_book(create_hub(tmp_path / "hub")[0])
    book.add(Member(name="lovelace", email="ada@example.org", roles={"*": "lead"}))
    login = by_ldap(settings, "ada", PASSWORD)
    assert login is not None
    assert enter(book, login, "none").name == "lovelace"
    assert book.require("lovelace").subject == login.subject
