"""The key that the hub signs ID tokens with, and these (OpenID Connect Core 1.0, section 2)."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from lockgate.errors import OutsideError
from lockgate.hub.directory import Hub

#: The one that every client of OpenID Connect knows (Core 1.0, section 15.1).
ALGORITHM = "RS256"
#: An ID token tells of a login that was just made.
GOOD_S = 300
_FILE = "oauth.jwk"
_BITS = 2048


class Signer:
    """The hub's own key: made when it is first needed, in a file for its owner alone.

    Raises `OutsideError` (`oauth-key`) where it can be neither read nor made.
    """

    def __init__(self, hub: Hub) -> None:
        self._key = _load(hub.root / _FILE)

    def public(self) -> dict[str, object]:
        """Return the key set that clients check tokens by."""
        return {"keys": [{**self._key.as_dict(private=False), "alg": ALGORITHM, "use": "sig"}]}

    def id_token(self, claims: Mapping[str, object]) -> str:
        return jwt.encode({"alg": ALGORITHM, "kid": self._key.kid}, dict(claims), self._key)


def _load(path: Path) -> RSAKey:
    try:
        if not path.exists():
            _make(path)
        return RSAKey.import_key(json.loads(path.read_text("utf-8")))
    except (OSError, JoseError, ValueError) as error:
        raise OutsideError(
            f"the key that logins are signed with cannot be used: {error}",
            f"Let the hub's own account own {path}, mode 0600. Without it another is made.",
            code="oauth-key",
        ) from None


def _make(path: Path) -> None:
    """Workers start together: one makes it, put in place by a rename."""
    with path.with_name(f".{_FILE}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        key = RSAKey.generate_key(_BITS, parameters={"kid": secrets.token_hex(8)})
        draft = path.with_name(f".{_FILE}.{os.urandom(6).hex()}")
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(json.dumps(key.as_dict(private=True)))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
