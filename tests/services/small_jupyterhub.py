"""What a service sees of a JupyterHub, small and on loopback, so that it can also answer wrongly.

The paths and answers are those of JupyterHub 6 (`jupyterhub/apihandlers/auth.py`, `users.py`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT, TOKEN = "service-lockgate", "ab" * 32


class SmallJupyterHub:
    """`person` is whom it knows in every browser; `faults` answer a path in its place: `(status, body)`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.person: dict[str, Any] = {"kind": "user", "name": "ada", "admin": False, "scopes": []}
        self.faults: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.drips = False
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()
        self.cookies: list[str] = []

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser is sent back to."""
        assert query["response_type"] == "code" and query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def trade(self, form: dict[str, str]) -> tuple[int, object]:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, TOKEN):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return 200, {"access_token": token, "expires_in": 60, "token_type": "Bearer", "scope": "x"}

    def who(self, authorization: str) -> tuple[int, object]:
        kind, _, token = authorization.partition(" ")
        return (200, self.person) if kind == "Bearer" and token in self.tokens else (403, {"status": 403})


@contextmanager
def small_jupyterhub() -> Iterator[SmallJupyterHub]:
    """Run one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/hub/api/oauth2/authorize":
                self.send_response(302)
                self.send_header("Location", hub.authorize(dict(parse_qsl(url.query))))
                self.end_headers()
                return
            hub.cookies += self.headers.get_all("Cookie", [])
            self._answer(url.path, *hub.who(self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            hub.cookies += self.headers.get_all("Cookie", [])
            self._answer(urlsplit(self.path).path, *hub.trade(dict(parse_qsl(body))))

        def _answer(self, path: str, status: int, value: object) -> None:
            status, content = hub.faults.get(path, (status, json.dumps(value).encode()))
            self.send_response(status)
            for name, text in ({"Set-Cookie": "jupyterhub-session-id=of-one; Path=/"} | hub.headers).items():
                self.send_header(name, text)
            self.end_headers()
            try:
                if hub.drips:
                    for number in range(len(content)):
                        self.wfile.write(content[number : number + 1])
                        time.sleep(0.02)
                else:
                    self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = SmallJupyterHub(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
