"""The hub's ssh key, ed25519: it signs the chain. No ssh-keygen is needed."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from lockgate.activity import signature
from lockgate.errors import OutsideError, UserError


class Key:
    """A private key in memory. Its text never appears in a repr or an error."""

    def __init__(self, private: Ed25519PrivateKey, comment: str = "") -> None:
        self._private = private
        self.comment = comment

    @property
    def public_line(self) -> str:
        """The public key as one line of an `authorized_keys` file: `ssh-ed25519 AAAA… comment`."""
        public = self._private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        return f"{public} {self.comment}".rstrip()

    def sign(self, payload: bytes) -> str:
        """Return an armoured ssh signature, as git puts it into a commit."""
        return signature.sign(self._private, payload)


def create_key(path: Path, comment: str = "lockgate-hub") -> Key:
    """Make a key: `path` (OpenSSH private key, mode 0600) and `path`.pub beside it.

    Never replaces a key: `UserError` (`key-exists`). Raises `OutsideError` (`key-unwritable`).
    """
    private = Ed25519PrivateKey.generate()
    key = Key(private, " ".join(comment.split()))
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two creators at once, one wins and none overwrites
        os.link(draft, path)
        _public_path(path).write_text(key.public_line + "\n", encoding="utf-8")
    except FileExistsError:
        raise UserError(
            f"there is a key at {path} already",
            "Keep it: what it signed is verified with it. To replace it, move both files away first.",
            code="key-exists",
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        draft.unlink(missing_ok=True)
    return key


def load_key(path: Path) -> Key:
    """Read an OpenSSH ed25519 private key without passphrase.

    Raises `OutsideError`: `key-missing`, `key-exposed` (others may read it), `key-unreadable`.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(65_536)
    except OSError as error:
        raise OutsideError(
            f"the hub's key {path} cannot be read: {error.strerror}",
            "Bring it back from a backup, or check its owner; `lockgate hub init` makes one for a new hub.",
            code="key-missing",
        ) from None
    if mode & 0o077:
        raise OutsideError(
            f"others than its owner may use the key {path} (mode {mode & 0o777:04o})",
            f"Type: chmod 600 {path}",
            code="key-exposed",
        )
    try:
        private = load_ssh_private_key(text, password=None)
    except (ValueError, TypeError) as error:
        raise _unreadable(path, str(error).splitlines()[0] if str(error) else "damaged") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _unreadable(path, "not an ed25519 key")
    return Key(private, _comment(path))


def _comment(path: Path) -> str:
    try:
        fields = _public_path(path).read_text(encoding="utf-8", errors="replace").split(maxsplit=2)
    except OSError:
        return ""
    return fields[2].strip() if len(fields) == 3 else ""


def _public_path(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def _unwritable(path: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"the key {path} cannot be written: {error.strerror}",
        "Check the folder's owner and the space left.",
        code="key-unwritable",
    )


def _unreadable(path: Path, why: str) -> OutsideError:
    return OutsideError(
        f"{path} is no usable key: {why}",
        "It must be an OpenSSH ed25519 private key without passphrase (ssh-keygen -t ed25519 -N '').",
        code="key-unreadable",
    )
