"""From an address to a remote. The libraries for each kind are loaded only when it is asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lockgate.data.remotes.contract import Remote
from lockgate.data.remotes.failures import denied, unreachable
from lockgate.data.remotes.folder import FolderRemote
from lockgate.errors import OutsideError, UserError

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.I)
_CONNECT_S = 10
_PATIENCE_S = 60


def open_remote(url: str, options: Mapping[str, str], base: Path) -> Remote:
    """Open the remote at an address, with DVC's options for it; a relative folder lies below `base`.

    `s3://bucket/prefix`, `gs://…`, `azure://container/prefix`, `ssh://[user@]host[:port]/folder`,
    `http(s)://…` (read only), or a folder. Credentials come from the options and, as is usual for each kind,
    from environment variables, configuration files and the machine's role.

    Raises `UserError` (`remote-unknown`), `OutsideError` (`remote-library`, `remote-unreachable`,
    `remote-denied`).
    """
    found = _SCHEME.match(url)
    if found is None:
        return FolderRemote(Path(os.path.normpath(base / Path(url).expanduser())))
    scheme = found[1].lower()
    if scheme == "file":
        return FolderRemote(Path(unquote(urlsplit(url).path)))
    opener = _OPENERS.get(scheme)
    if opener is None:
        raise UserError(
            f"{_shown(url)}: there is no way to reach {scheme}:// addresses",
            f"Use one of {', '.join(f'{known}://' for known in _OPENERS)} or a folder.",
            code="remote-unknown",
        )
    try:
        return opener(url, options)
    except ImportError as error:
        extra = _EXTRAS[scheme]
        raise OutsideError(
            f"{_shown(url)} needs a library that is not installed: {error.name}",
            f"Install it: pip install 'lockgate[{extra}]'",
            code="remote-library",
        ) from None


def _shown(url: str) -> str:
    """Return an address without the password that may stand in it."""
    return re.sub(r"^([a-z0-9+.-]+://[^/:@]*):[^/@]*@", r"\1@", url, flags=re.I)


def _client(options: Mapping[str, str]) -> Any:
    """Return obstore's `ClientConfig`."""
    seconds = int(float(options.get("connect_timeout", _CONNECT_S)))
    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=seconds),
        "allow_http": True,
        "timeout": timedelta(days=1),
    }
    if options.get("ssl_verify", "").lower() == "false":
        client["allow_invalid_certificates"] = True
    return client


_RETRY: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=_PATIENCE_S)}


def _open_s3(url: str, options: Mapping[str, str]) -> Remote:
    from obstore.store import S3Store  # noqa: PLC0415

    from lockgate.data.remotes.object_storage import ObjectStorage  # noqa: PLC0415

    parts = urlsplit(url)
    endpoint = options.get("endpointurl") or os.environ.get("AWS_ENDPOINT_URL_S3")
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL")
    settings: dict[str, Any] = {}
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if region := options.get("region") or _environment("AWS_REGION", "AWS_DEFAULT_REGION"):
        settings["region"] = region
    elif endpoint:
        settings["region"] = "us-east-1"
    if options.get("allow_anonymous_login", "").lower() == "true":
        settings["skip_signature"] = True
    elif "access_key_id" in options:
        settings |= {
            "access_key_id": options["access_key_id"],
            "secret_access_key": options.get("secret_access_key", ""),
        }
        if "session_token" in options:
            settings["session_token"] = options["session_token"]
    elif "profile" in options or not os.environ.get("AWS_ACCESS_KEY_ID"):
        settings |= _from_aws_files(url, options)
    if "sse" in options:
        settings["aws_server_side_encryption"] = options["sse"]
    if "sse_kms_key_id" in options:
        settings["aws_sse_kms_key_id"] = options["sse_kms_key_id"]
    store = S3Store(parts.netloc, client_options=_client(options), retry_config=_RETRY, **settings)
    return ObjectStorage(store, parts.path, _shown(url), can_list=True, is_read_only=False)


def _from_aws_files(url: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Return what `boto3` finds: profiles, roles, single sign-on, the machine's own identity."""
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    files = botocore.session.Session(profile=options.get("profile"))
    for option, variable in (("credentialpath", "credentials_file"), ("configpath", "config_file")):
        if option in options:
            files.set_config_variable(variable, str(Path(options[option]).expanduser()))
    try:
        session = boto3.Session(botocore_session=files)
        if session.get_credentials() is None:
            raise denied(_shown(url), "no credentials for it were found")
        found: dict[str, Any] = {"credential_provider": Boto3CredentialProvider(session)}
    except BotoCoreError as error:
        raise denied(_shown(url), str(error)) from error
    if session.region_name and "region" not in options:
        found["region"] = session.region_name
    return found


def _open_gs(url: str, options: Mapping[str, str]) -> Remote:
    from obstore.store import GCSStore  # noqa: PLC0415

    from lockgate.data.remotes.object_storage import ObjectStorage  # noqa: PLC0415

    parts = urlsplit(url)
    settings: dict[str, Any] = {}
    if "credentialpath" in options:
        settings["service_account"] = str(Path(options["credentialpath"]).expanduser())
    if "endpointurl" in options:
        settings["base_url"] = options["endpointurl"]
    if options.get("allow_anonymous_login", "").lower() == "true":
        settings["skip_signature"] = True
    store = GCSStore(parts.netloc, client_options=_client(options), retry_config=_RETRY, **settings)
    return ObjectStorage(store, parts.path, _shown(url), can_list=True, is_read_only=False)


def _open_azure(url: str, options: Mapping[str, str]) -> Remote:
    from obstore.store import AzureStore  # noqa: PLC0415

    from lockgate.data.remotes.object_storage import ObjectStorage  # noqa: PLC0415

    parts = urlsplit(url)
    settings: dict[str, Any] = {
        name: options[name]
        for name in ("account_name", "account_key", "tenant_id", "client_id", "client_secret", "sas_token")
        if name in options
    }
    if "connection_string" in options:
        settings |= _connection(options["connection_string"])
    store = AzureStore(parts.netloc, client_options=_client(options), retry_config=_RETRY, **settings)
    return ObjectStorage(store, parts.path, _shown(url), can_list=True, is_read_only=False)


def _connection(text: str) -> dict[str, str]:
    """Return what a connection string says (Azure Storage's manual, "Configure connection strings")."""
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    names = {"AccountName": "account_name", "AccountKey": "account_key", "BlobEndpoint": "endpoint"}
    return {mine: parts[theirs] for theirs, mine in names.items() if theirs in parts}


def _open_web(url: str, options: Mapping[str, str]) -> Remote:
    from base64 import b64encode  # noqa: PLC0415

    from obstore.store import HTTPStore  # noqa: PLC0415

    from lockgate.data.remotes.object_storage import ObjectStorage  # noqa: PLC0415

    client = _client(options)
    parts = urlsplit(url)
    user, password = options.get("user") or parts.username, options.get("password") or parts.password
    if user and password is not None:
        pair = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        client["default_headers"] = {"Authorization": f"Basic {pair}"}
    elif "custom_auth_header" in options:
        client["default_headers"] = {options["custom_auth_header"]: options.get("password", "")}
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    store = HTTPStore(bare, client_options=client, retry_config=_RETRY)
    return ObjectStorage(store, "", _shown(url), can_list=False, is_read_only=True)


def _open_ssh(url: str, options: Mapping[str, str]) -> Remote:
    import asyncssh  # noqa: PLC0415
    from sshfs import SSHFileSystem  # noqa: PLC0415

    from lockgate.data.remotes.filesystem import FileSystemRemote  # noqa: PLC0415

    parts = urlsplit(url)
    settings: dict[str, Any] = {"known_hosts": (), "connect_timeout": int(options.get("timeout", _CONNECT_S))}
    if user := options.get("user") or parts.username:
        settings["username"] = user
    if port := options.get("port") or parts.port:
        settings["port"] = int(port)
    if password := options.get("password") or parts.password:
        settings["password"] = password
    if "keyfile" in options:
        settings["client_keys"] = [str(Path(options["keyfile"]).expanduser())]
    if "passphrase" in options:
        settings["passphrase"] = options["passphrase"]
    try:
        system = SSHFileSystem(parts.hostname, skip_instance_cache=True, **settings)
    except (asyncssh.PermissionDenied, asyncssh.HostKeyNotVerifiable, PermissionError) as error:
        raise denied(_shown(url), str(error)) from error
    except (OSError, asyncssh.Error) as error:
        raise unreachable(_shown(url), str(error)) from error
    return FileSystemRemote(system, parts.path, _shown(url), passing=(asyncssh.Error,))


def _environment(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


_OPENERS: Mapping[str, Callable[[str, Mapping[str, str]], Remote]] = {
    "s3": _open_s3,
    "gs": _open_gs,
    "azure": _open_azure,
    "ssh": _open_ssh,
    "https": _open_web,
    "http": _open_web,
}
_EXTRAS = {"s3": "s3", "gs": "gs", "azure": "azure", "ssh": "ssh", "http": "s3", "https": "s3"}
