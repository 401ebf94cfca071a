"""The hub's key on disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lockgate.activity.key import create_key, load_key
from lockgate.activity.signature import verify
from lockgate.errors import LockgateError, OutsideError, UserError


def test_a_key_comes_back(tmp_path: Path) -> None:
    made = create_key(tmp_path / "keys" / "hub", "hub of\n flights")
    read = load_key(tmp_path / "keys" / "hub")
    assert read.public_line == made.public_line
    assert read.public_line.endswith(" hub of flights")
    assert verify(made.public_line, b"x", read.sign(b"x"))
    assert (tmp_path / "keys" / "hub.pub").read_text() == made.public_line + "\n"
    assert (tmp_path / "keys" / "hub").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["hub", "hub.pub"]


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    create_key(tmp_path / "hub")
    before = (tmp_path / "hub").read_bytes(), (tmp_path / "hub.pub").read_bytes()
    with pytest.raises(UserError) as caught:
        create_key(tmp_path / "hub")
    assert caught.value.code == "key-exists"
    assert ((tmp_path / "hub").read_bytes(), (tmp_path / "hub.pub").read_bytes()) == before


def test_ssh_keygen_reads_our_key_and_we_read_its(tmp_path: Path) -> None:
    ours = create_key(tmp_path / "ours")
    shown = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / "ours"], capture_output=True, check=True)
    assert shown.stdout.decode().split()[:2] == ours.public_line.split()[:2]
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a b", "-f", tmp_path / "theirs"], check=True
    )
    assert load_key(tmp_path / "theirs").public_line + "\n" == (tmp_path / "theirs.pub").read_text()


def other_kind() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )


@pytest.mark.parametrize("text", [b"", b"no key", b"\xff" * 100, other_kind()])
def test_no_usable_key(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "hub").write_bytes(text)
    (tmp_path / "hub").chmod(0o600)
    with pytest.raises(OutsideError) as caught:
        load_key(tmp_path / "hub")
    assert caught.value.code == "key-unreadable"


def test_a_key_with_a_passphrase_is_refused_in_words(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", tmp_path / "k"], check=True)
    with pytest.raises(OutsideError) as caught:
        load_key(tmp_path / "k")
    assert caught.value.code == "key-unreadable"


def test_a_cut_off_key_is_refused_in_words(tmp_path: Path) -> None:
    create_key(tmp_path / "k")
    (tmp_path / "k").write_bytes((tmp_path / "k").read_bytes()[:150])
    with pytest.raises(OutsideError):
        load_key(tmp_path / "k")


def test_a_key_others_may_read_is_not_used(tmp_path: Path) -> None:
    create_key(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(OutsideError) as caught:
        load_key(tmp_path / "k")
    assert caught.value.code == "key-exposed"


def test_a_key_that_is_not_there_or_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OutsideError) as caught:
        load_key(tmp_path / "nothing")
    assert caught.value.code == "key-missing"
    (tmp_path / "file").touch()
    with pytest.raises(LockgateError) as unwritable:
        create_key(tmp_path / "file" / "hub")
    assert unwritable.value.code == "key-unwritable"
