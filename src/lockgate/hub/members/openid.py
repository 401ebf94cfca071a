"""Logging in by an OpenID Connect provider: ask it, fetch its keys, trade the code for who it is."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lockgate.hub.members.binding import Login
from lockgate.hub.members.code_flow import Begun, failed
from lockgate.hub.members.logins import OpenIdSettings
from lockgate.hub.members.openid_claims import (
    ALGORITHMS,
    Provider,
    begin,
    broken,
    is_safe,
    login_of,
    require_answer,
    require_claims,
    require_provider,
)
from lockgate.hub.members.provider_http import ProviderHttp

_KEPT_S = 3600.0
#: The keys are asked for again at most so often when a token names one that is not known.
_AGAIN_S = 60.0


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class OpenId:
    """One provider. Safe to use from threads; its calls wait for the network."""

    def __init__(self, settings: OpenIdSettings, secret: str | None, timeout_s: float = 10.0) -> None:
        self.settings = settings
        self._secret = secret
        self._http = ProviderHttp(broken, timeout_s)
        self._lock = threading.Lock()
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def close(self) -> None:
        self._http.close()

    def begin(self, redirect_uri: str) -> Begun:
        """Begin a login. Raises `OutsideError` (`openid-provider`)."""
        return begin(
            self._described(),
            client_id=self.settings.client_id,
            scopes=self.settings.scopes,
            redirect_uri=redirect_uri,
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
        )

    def finish(self, begun: Begun, answer: Mapping[str, str], redirect_uri: str) -> Login:
        """Return who it is, by the query that the browser came back with.

        Raises `UserError` (`login-failed`), `OutsideError` (`openid-provider`).
        """
        provider = self._described()
        code = require_answer(provider, begun, answer)
        tokens = self._trade(provider, code, begun.verifier, redirect_uri)
        claims = self._verified(provider, tokens.id_token)
        require_claims(
            claims,
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=begun.nonce,
            now=time.time(),
        )
        if "email" not in claims and tokens.access_token and is_safe(provider.userinfo_endpoint):
            more = self._http.get(
                provider.userinfo_endpoint,
                dict[str, object],
                {"Authorization": f"Bearer {tokens.access_token}"},
            )
            if more.get("sub") != claims["sub"]:
                raise failed("what the provider tells of the person is of somebody else")
            claims = {**more, **claims}
        return login_of(claims)

    def _described(self) -> Provider:
        with self._lock:
            if self._provider is None or time.monotonic() - self._provider[0] > _KEPT_S:
                url = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = require_provider(self._http.get(url, Provider), self.settings.issuer)
                self._provider = (time.monotonic(), found)
            return self._provider[1]

    def _key_set(self, provider: Provider, is_again: bool) -> KeySet:
        with self._lock:
            age = time.monotonic() - self._keys[0] if self._keys else float("inf")
            if self._keys is None or age > _KEPT_S or (is_again and age > _AGAIN_S):
                found = self._http.get(provider.jwks_uri, dict[str, object])
                try:
                    self._keys = (time.monotonic(), KeySet.import_key_set(found))  # type: ignore[arg-type]
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise broken(f"its keys cannot be read: {error}") from None
            return self._keys[1]

    def _verified(self, provider: Provider, token: str) -> dict[str, object]:
        """Return the claims of a token that the provider signed; its keys may have been changed since."""
        for is_again in (False, True):
            keys = self._key_set(provider, is_again)
            try:
                return dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)
            except (JoseError, ValueError, TypeError, KeyError):
                continue
        raise failed("the ID token is not signed by the provider")

    def _trade(self, provider: Provider, code: str, verifier: str, redirect_uri: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        if self._secret is None:
            form["client_id"] = self.settings.client_id
            answer = self._http.post(provider.token_endpoint, form)
        else:
            # Encoded before they are joined: RFC 6749, section 2.3.1
            known = (quote(self.settings.client_id, safe=""), quote(self._secret, safe=""))
            answer = self._http.post(provider.token_endpoint, form, known)
        if answer.status in (400, 401):
            raise failed("the provider does not take the code")
        return self._http.parsed(answer, _Tokens)
