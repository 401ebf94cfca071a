"""Calls of one cluster's API, by the official client's settings and connection."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from lockgate.backends.kubernetes import answers
from lockgate.errors import LockgateError, OutsideError, UserError

_CONNECT_S = 10.0
_ANSWER_S = 60.0
#: The server ends a watch after this long, and sends bookmarks about every minute until then.
WATCH_S = 280
_SILENT_S = 150.0
_PAGE = 500

_IMPORTING = threading.Lock()
_CLIENT_MISSING = OutsideError(
    "the Kubernetes client for Python is not installed beside the hub's Lockgate",
    "Install it there: pip install 'lockgate[kubernetes]'",
    code="kubernetes-missing",
)


class Cluster:
    """One API server, as one kubeconfig and context name it; inside a pod, that of the pod's cluster.

    Each call raises `OutsideError` with `is_transient` (`kubernetes-unreachable`) where nobody answers or
    the server is troubled, and `UserError` (`kubernetes-refused`) with the server's words where it refuses.
    """

    def __init__(self, kubeconfig: str | None, context: str | None) -> None:
        self._client, self.default_namespace = _connect(kubeconfig, context)
        self._http = import_module("urllib3")
        self._version: tuple[int, int] | None = None

    def version(self) -> tuple[int, int]:
        """Return the server's version, as `(1, 29)`; asked once."""
        if self._version is None:
            self._version = answers.server_version(self.ask("GET", "/version"))
        return self._version

    def create_job(self, namespace: str, manifest: Mapping[str, object]) -> None:
        """Create a Job; one of that name that is there already is ours, from a submission cut short."""
        try:
            self.ask("POST", jobs_path(namespace), body=manifest)
        except _RefusalError as error:
            if error.status != 409:
                raise

    def delete(self, path: str, *, selector: str | None = None) -> None:
        """Delete one object, or all of a collection that a selector names; gone already is no error."""
        query = {} if selector is None else {"labelSelector": selector}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        try:
            self.ask("DELETE", path, query=query, body=body)
        except _RefusalError as error:
            if error.status != 404:
                raise

    def list_all(self, path: str, kind: type[answers.T], **query: str) -> tuple[list[answers.T], str]:
        """Return all objects of a collection, a page a call, and the version from which to watch them."""
        items: list[answers.T] = []
        more: dict[str, str] = {}
        while True:
            content = self.ask("GET", path, query={**query, "limit": str(_PAGE), **more})
            listed = answers.decode(content, answers.Listed[kind])  # type: ignore[valid-type]
            items += listed.items or []
            if not listed.metadata.continue_:
                return items, listed.metadata.resource_version
            more = {"continue": listed.metadata.continue_}

    def watch(self, path: str, version: str, selector: str) -> Watch:
        """Return the changes of a collection since a version, for some minutes."""
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        answer = self._open("GET", path, query, None, read_s=_SILENT_S, preload=False)
        return Watch(answer, self._http.exceptions.HTTPError)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> bytes:
        content: bytes = self._open(method, path, query or {}, body, read_s=_ANSWER_S, preload=True).data
        return content

    def close(self) -> None:
        self._client.rest_client.pool_manager.clear()

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, object] | None,
        *,
        read_s: float,
        preload: bool,
    ) -> Any:
        settings = self._client.configuration
        headers = {"Accept": "application/json", "User-Agent": "lockgate"}
        for each in settings.auth_settings().values():
            if each["in"] == "header" and each["value"]:
                headers[each["key"]] = each["value"]
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{settings.host.rstrip('/')}{quote(path)}"
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                f"{url}?{urlencode(query)}" if query else url,
                headers=headers,
                body=None if body is None else json.dumps(body).encode(),
                timeout=self._http.Timeout(connect=_CONNECT_S, read=read_s),
                retries=False,
                preload_content=preload,
            )
        except self._http.exceptions.HTTPError as error:
            raise unreachable(settings.host, _plain(error)) from None
        if answer.status >= 400:
            raise _failure(answer.status, answer.data, settings.host)
        return answer


class Watch:
    """The changes of a collection, as they come; `close` from another thread ends it."""

    def __init__(self, answer: Any, broken: type[Exception]) -> None:
        self._answer = answer
        self._broken = broken

    def changes(self) -> Iterator[answers.Change]:
        """Raises `OutsideError` with `is_transient` when the connection breaks."""
        rest = b""
        try:
            for part in self._answer.stream(65536, decode_content=True):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    if line:
                        yield answers.decode(line, answers.Change)
        except (self._broken, OSError, ValueError) as error:
            raise unreachable("the watch", _plain(error)) from None

    def close(self) -> None:
        self._answer.close()


class _RefusalError(UserError):
    """The API server says no."""

    def __init__(self, status: int, message: str) -> None:
        hint = "Correct [batch.kubernetes] in lockgate.toml, or ask the cluster's administrators."
        super().__init__(f"Kubernetes refuses: {message}", hint, code="kubernetes-refused")
        self.status = status


def jobs_path(namespace: str, name: str | None = None) -> str:
    """Return where a namespace's Jobs are, or one of them."""
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    return path if name is None else f"{path}/{name}"


def pods_path(namespace: str, name: str | None = None) -> str:
    path = f"/api/v1/namespaces/{namespace}/pods"
    return path if name is None else f"{path}/{name}"


def events_path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"


def unreachable(where: str, why: str) -> OutsideError:
    return OutsideError(
        f"Kubernetes at {where} does not answer: {why}",
        "Is the API server up, and reachable from the hub? Its jobs go on meanwhile.",
        code="kubernetes-unreachable",
        is_transient=True,
    )


def _failure(status: int, content: bytes, host: str) -> LockgateError:
    try:
        told = msgspec.json.decode(content, type=answers.Told).message
    except msgspec.DecodeError:
        told = None
    message = " ".join((told or content[:200].decode("utf-8", "replace")).split()) or f"status {status}"
    if status in (408, 429) or status >= 500:
        return unreachable(host, message)
    if status == 401:
        return OutsideError(
            f"Kubernetes at {host} does not know the hub: {message}",
            "Renew the credentials of the hub's kubeconfig.",
            code="kubernetes-unreachable",
            is_transient=True,
        )
    return _RefusalError(status, message)


def _connect(kubeconfig: str | None, context: str | None) -> tuple[Any, str]:
    """Return the official client's connection, and the namespace that its context or pod names."""
    try:
        # Its packages import each other lazily: a second thread might meet half of them.
        with _IMPORTING:
            client, config = import_module("kubernetes.client"), import_module("kubernetes.config")
            import_module("kubernetes.client.api_client")
    except ImportError:
        raise _CLIENT_MISSING from None
    try:
        if kubeconfig is None and context is None and _is_inside():
            settings = client.Configuration()
            config.load_incluster_config(client_configuration=settings)
            return client.ApiClient(settings), _INSIDE_NAMESPACE.read_text("utf-8").strip()
        contexts, active = config.list_kube_config_contexts(kubeconfig)
        connection = config.new_client_from_config(kubeconfig, context, persist_config=False)
    except config.ConfigException as error:
        raise UserError(
            f"the hub has no usable kubeconfig: {error}",
            "Give kubeconfig and context in [batch.kubernetes], or make ~/.kube/config on the hub.",
            code="kubernetes-refused",
        ) from None
    chosen = next((each for each in contexts if each["name"] == context), active)
    return connection, chosen["context"].get("namespace") or "default"


_INSIDE_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _is_inside() -> bool:
    return _INSIDE_NAMESPACE.exists()


def _plain(error: BaseException) -> str:
    """Return the innermost reason of urllib3's nested errors."""
    inner = getattr(error, "reason", None)
    while isinstance(inner, BaseException) and getattr(inner, "reason", None) is not None:
        inner = inner.reason  # type: ignore[attr-defined]
    words = str(inner or error)
    return words.rpartition(": ")[2] if "object at 0x" in words else words
