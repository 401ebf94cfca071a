"""The names of members, tokens and parties, and the keys of members: what is one, and what is not."""

from __future__ import annotations

import base64
import binascii
import re

from lockgate.errors import UserError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,79}")
_EMAIL = re.compile(r"[^\s@<>\"',;:\\]{1,64}@[A-Za-z0-9.-]{1,190}")

#: Who acts where no member does.
_RESERVED = frozenset({"hub", "owner", "lockgate"})

#: As sshd(8) lists them under AUTHORIZED_KEYS FILE FORMAT; DSA is gone.
_KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-rsa",
    }
)


def require_name(name: str) -> str:
    """Return a member's name if it can be one: it is a file's name and part of a ref's.

    Raises `UserError` (`member-name`).
    """
    is_safe = _NAME.fullmatch(name) and ".." not in name and not name.endswith((".", ".lock"))
    if not is_safe or name in _RESERVED:
        raise UserError(
            f"{name!r} cannot be a member's name",
            "Use up to 63 small letters, digits, `.`, `-`, `_`, beginning with a letter or digit;"
            f" not {', '.join(sorted(_RESERVED))}.",
            code="member-name",
        )
    return name


def is_name(text: str) -> bool:
    """Return whether a text could be a member's name."""
    try:
        require_name(text)
    except UserError:
        return False
    return True


def require_label(label: str) -> str:
    """Return the name of a token or a party if it can be one. Raises `UserError` (`label-invalid`)."""
    if not _LABEL.fullmatch(label):
        raise UserError(
            f"{label!r} cannot be the name of a token or party",
            "Use up to 80 letters, digits, spaces and `.-_@+`, beginning with a letter or digit.",
            code="label-invalid",
        )
    return label


def require_email(text: str) -> str:
    """Return an e-mail address, in small letters. Raises `UserError` (`email-invalid`)."""
    if not _EMAIL.fullmatch(text):
        raise UserError(f"{text!r} is no e-mail address", "It reads NAME@HOST.", code="email-invalid")
    return text.lower()


def require_key(line: str) -> str:
    """Return an ssh public key as `TYPE BASE64 COMMENT`, the comment made harmless.

    Raises `UserError` (`ssh-key-invalid`), also for a private key and for options before the key.
    """
    fields = line.strip().split(maxsplit=2)
    if len(fields) < 2 or fields[0] not in _KEY_TYPES or not _is_key_of(fields[0], fields[1]):
        shown = "a private key" if "PRIVATE KEY" in line else repr(line.strip()[:40])
        raise UserError(
            f"{shown} is no ssh public key",
            "Give the one line of a `.pub` file, such as ~/.ssh/id_ed25519.pub.",
            code="ssh-key-invalid",
        )
    comment = re.sub(r"[^A-Za-z0-9 ._@+-]", "", fields[2])[:100].strip() if len(fields) == 3 else ""
    return f"{fields[0]} {fields[1]} {comment}".rstrip()


def _is_key_of(kind: str, text: str) -> bool:
    """Whether a key's bytes say themselves of which type they are (RFC 4253, section 6.6)."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length] == kind.encode() and 40 < len(blob) < 4096
