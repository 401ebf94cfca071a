"""A tool's pages below the Jupyter server's address, passed on by jupyter-server-proxy, once it is confirmed.

Only imported where jupyter-server-proxy is installed.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import ProxyHandler

from lockgate.errors import LockgateError, OutsideError
from lockgate.jupyter.opening_page import telling
from lockgate.jupyter.service import Service
from lockgate.jupyter.tools.address import address, folder_of
from lockgate.jupyter.tools.gate import ToolGate
from lockgate.jupyter.tools.running import HOST

_STATUS = {"tool-unconfirmed": 403, "tool-unknown": 404, "not-a-repository": 404, "path-outside": 404}


class ToolPage(ProxyHandler):  # type: ignore[misc]  # jupyter-server-proxy has no types
    """Requests and websockets of one tool; who is not logged in is refused by `ProxyHandler.prepare`."""

    _port: int

    async def prepare(self) -> None:
        """Find the tool and start it; where that may not be, answer why, whatever the request is."""
        await super().prepare()
        if self._finished:
            return
        service: Service = self.settings["lockgate_service"]
        gate: ToolGate = self.settings["lockgate_tools"]
        part, name = self.path_kwargs["project"], self.path_kwargs["name"]
        self.proxy_base = address(folder_of(part), name).rstrip("/")
        try:
            tool, wanted = await service.do(
                gate.wanted, part, name, url_path_join(self.base_url, self.proxy_base)
            )
            self._port = await gate.port_of(wanted)
        except LockgateError as error:
            self._tell(error)
            return
        self.absolute_url = tool.keeps_address

    async def http_get(self, **_: Any) -> None:
        if self.path_kwargs["rest"] is None:
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(f"{self.request.path}/{query}")
            return
        await self._pass_on()

    async def open(self, **_: Any) -> None:
        await self.proxy_open(HOST, self._port)

    async def _pass_on(self, **_: Any) -> None:
        await self.proxy(HOST, self._port, "")

    post = put = delete = head = patch = options = _pass_on

    def get_client_uri(self, protocol: str, host: str, port: int, proxied_path: str) -> str:
        """Return the address on the tool's port: the path as the browser wrote it, not decoded and encoded
        again, and without the server's token."""
        path = self.request.path
        if not self.absolute_url:
            parts = path[len(url_path_join(self.base_url, "lockgate/tools/")) :].split("/", 2)
            path = "/" + "".join(parts[2:])
        query = self.request.query
        token = self.identity_provider.token
        if token and token in query:
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode([(key, value) for key, value in pairs if value != token])
        return f"{protocol}://{host}:{port}{path}" + (f"?{query}" if query else "")

    def proxy_request_headers(self) -> Any:
        """Keep the member's login from the tool: its port may be somebody else's by now."""
        headers = super().proxy_request_headers()
        headers.pop("Authorization", None)
        login = self.identity_provider.get_cookie_name(self)
        cookies = [each.strip() for each in headers.pop("Cookie", "").split(";")]
        kept = [each for each in cookies if each and not each.startswith((f"{login}=", "jupyterhub-"))]
        if kept:
            headers["Cookie"] = "; ".join(kept)
        return headers

    def _tell(self, error: LockgateError) -> None:
        nonce = secrets.token_urlsafe(16)
        self.set_status(_STATUS.get(error.code, 502 if isinstance(error, OutsideError) else 400))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'self'",
        )
        self.finish(telling(error, nonce))
