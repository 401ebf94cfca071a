"""What can be a member's name, a label, an address, a key."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.members.names import is_name, require_email, require_key, require_label, require_name


def key_of(kind: str, comment: str = "") -> str:
    blob = len(kind).to_bytes(4, "big") + kind.encode() + (32).to_bytes(4, "big") + bytes(range(32))
    return f"{kind} {base64.b64encode(blob).decode()} {comment}".rstrip()


@pytest.mark.parametrize("name", ["ada", "a", "ada.l-0_v", "0a", "a" * 63])
def test_names_that_are_good(name: str) -> None:
    assert require_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ada",
        "-a",
        ".a",
        "a..b",
        "a.",
        "a.lock",
        "a/b",
        "../a",
        "a\n",
        "hub",
        "owner",
        "a" * 64,
        "ä",
        "a b",
    ],
)
def test_names_that_are_not(name: str) -> None:
    with pytest.raises(UserError) as caught:
        require_name(name)
    assert caught.value.code == "member-name"


@given(st.text())
def test_a_name_never_leaves_its_folder(text: str) -> None:
    if is_name(text):
        assert "/" not in text
        assert "\0" not in text
        assert not text.startswith((".", "-"))


def test_labels_and_addresses() -> None:
    assert require_label("laptop 2") == "laptop 2"
    assert require_email("Ada@Example.org") == "ada@example.org"
    for label in ("", " a", "a\n", "a;b", "x" * 81):
        with pytest.raises(UserError, match="cannot be the name"):
            require_label(label)
    for address in ("", "ada", "a@b c", "a b@c", "a@b\n", "<a@b>"):
        with pytest.raises(UserError, match="no e-mail"):
            require_email(address)


def test_a_key_is_kept_with_a_harmless_comment() -> None:
    key = key_of("ssh-ed25519")
    assert require_key(f"  {key}\n") == key
    assert require_key(f'{key} ada@home "$(rm)"') == f"{key} ada@home rm"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 !!!!",
        "ssh-dss " + key_of("ssh-dss").split()[1],
        "ssh-rsa " + key_of("ssh-ed25519").split()[1],
        'command="sh" ' + key_of("ssh-ed25519"),
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_is_no_key(line: str) -> None:
    with pytest.raises(UserError) as caught:
        require_key(line)
    assert caught.value.code == "ssh-key-invalid"
