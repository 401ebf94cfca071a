"""SSH signatures: what signs, verifies; nothing else does."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lockgate.activity.key import Key
from lockgate.activity.signature import BEGIN, END, public_key, verify
from lockgate.errors import UserError

KEY = Key(Ed25519PrivateKey.from_private_bytes(bytes(32)), "hub")
OTHER = Key(Ed25519PrivateKey.from_private_bytes(b"\1" * 32))


@given(st.binary(max_size=300))
def test_round_trip(payload: bytes) -> None:
    armoured = KEY.sign(payload)
    assert armoured == KEY.sign(payload)
    assert verify(KEY.public_line, payload, armoured)
    assert not verify(KEY.public_line, payload + b"x", armoured)
    assert not verify(OTHER.public_line, payload, armoured)
    assert all(len(line) <= 70 for line in armoured.splitlines())


@given(st.data())
def test_a_signature_changed_anywhere_is_refused(data: st.DataObject) -> None:
    blob = bytearray(base64.b64decode("".join(KEY.sign(b"text").splitlines()[1:-1])))
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    text = f"{BEGIN}\n{base64.b64encode(blob).decode()}\n{END}\n"
    assert not verify(KEY.public_line, b"text", text)


@given(st.text() | st.binary().map(lambda blob: f"{BEGIN}\n{base64.b64encode(blob).decode()}\n{END}"))
def test_anything_else_is_refused_without_a_crash(armoured: str) -> None:
    assert not verify(KEY.public_line, b"text", armoured)


def test_a_signature_made_for_something_else_than_git_is_refused() -> None:
    text = KEY.sign(b"text")
    blob = base64.b64decode("".join(text.splitlines()[1:-1]))
    other = blob.replace(b"\0\0\0\3git", b"\0\0\0\4file")
    assert not verify(KEY.public_line, b"text", f"{BEGIN}\n{base64.b64encode(other).decode()}\n{END}\n")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==",
        "é é",
    ],
)
def test_no_public_key(line: str) -> None:
    with pytest.raises(UserError) as caught:
        verify(line, b"", "")
    assert caught.value.code == "public-key"


def test_the_comment_of_a_key_line_does_not_matter() -> None:
    bare = " ".join(KEY.public_line.split()[:2])
    assert public_key(bare) == public_key(KEY.public_line) == public_key(bare + " any body@here\n")
