"""SSH signatures as git uses them, made and checked in this process.

The format is OpenSSH's PROTOCOL.sshsig; the namespace is git's (git-config(1), `gpg.format = ssh`).
"""

from __future__ import annotations

import base64
import hashlib
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lockgate.errors import UserError

NAMESPACE = b"git"
MAGIC, VERSION, KEY_TYPE = b"SSHSIG", 1, b"ssh-ed25519"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_LINE = 70


def sign(key: Ed25519PrivateKey, payload: bytes) -> str:
    """Return the armoured signature of `payload`; the same key and payload give the same text."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    raw = key.sign(_signed_part(NAMESPACE, b"sha512", hashlib.sha512(payload).digest()))
    blob = (
        MAGIC
        + struct.pack(">I", VERSION)
        + _string(_string(KEY_TYPE) + _string(public))
        + _string(NAMESPACE)
        + _string(b"")
        + _string(b"sha512")
        + _string(_string(KEY_TYPE) + _string(raw))
    )
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([BEGIN, *lines, END, ""])


def verify(public_key_line: str, payload: bytes, armoured: str) -> bool:
    """Return whether `armoured` is a signature of `payload` by exactly this key, for git.

    Anything malformed in the signature is False. Raises `UserError` (`public-key`) for a key line that is no
    ssh-ed25519 public key.
    """
    pinned = public_key(public_key_line)
    try:
        signed_by, message, raw = _parse(armoured, payload)
        if signed_by != pinned:
            return False
        Ed25519PublicKey.from_public_bytes(signed_by).verify(raw, message)
    except (ValueError, InvalidSignature):
        return False
    return True


def public_key(line: str) -> bytes:
    """Return the 32 bytes of an `ssh-ed25519 AAAA… comment` line. Raises `UserError` (`public-key`)."""
    fields = line.split()
    try:
        if len(fields) < 2 or fields[0].encode() != KEY_TYPE:
            raise ValueError("not ssh-ed25519")
        blob = _Reader(base64.b64decode(fields[1], validate=True))
        kind, raw = blob.string(), blob.string()
        blob.end()
        if kind != KEY_TYPE or len(raw) != 32:
            raise ValueError("not ssh-ed25519")
    except ValueError:
        raise UserError(
            f"this is no ssh-ed25519 public key: {line[:60]!r}",
            "Give the one line of the hub's `.pub` file.",
            code="public-key",
        ) from None
    return raw


def _parse(armoured: str, payload: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the signing key, what it signed and the raw signature. Raises ValueError."""
    lines = [line.strip() for line in armoured.strip().splitlines()]
    if len(lines) < 3 or lines[0] != BEGIN or lines[-1] != END:
        raise ValueError("no armour")
    blob = _Reader(base64.b64decode("".join(lines[1:-1]), validate=True))
    if blob.take(len(MAGIC)) != MAGIC or blob.number() != VERSION:
        raise ValueError("no SSHSIG of version 1")
    key, namespace, _, hash_name, signed = (blob.string() for _ in range(5))
    blob.end()
    if namespace != NAMESPACE or hash_name not in _HASHES:
        raise ValueError("made for something else than git")
    digest = _HASHES[hash_name](payload).digest()
    return _unpack(key, 32), _signed_part(namespace, hash_name, digest), _unpack(signed, 64)


def _unpack(blob: bytes, size: int) -> bytes:
    reader = _Reader(blob)
    kind, raw = reader.string(), reader.string()
    reader.end()
    if kind != KEY_TYPE or len(raw) != size:
        raise ValueError("not ssh-ed25519")
    return raw


def _signed_part(namespace: bytes, hash_name: bytes, digest: bytes) -> bytes:
    return MAGIC + _string(namespace) + _string(b"") + _string(hash_name) + _string(digest)


def _string(content: bytes) -> bytes:
    """An ssh string (RFC 4251, section 5): its length in four bytes, then its bytes."""
    return struct.pack(">I", len(content)) + content


class _Reader:
    """Reads ssh strings off bytes; anything missing or left over is a ValueError."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def take(self, size: int) -> bytes:
        if len(self._rest) < size:
            raise ValueError("cut off")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def end(self) -> None:
        if self._rest:
            raise ValueError("something follows")
