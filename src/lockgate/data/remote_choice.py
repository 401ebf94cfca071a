"""Which remote a clone means: `.dvc/config` in all its places, and `[data] remote` of `lockgate.toml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import tomli

from lockgate.data.clone import Clone, config_files
from lockgate.data.dvc_config import DvcConfig, merge, parse_dvc_config
from lockgate.data.remotes.contract import Remote
from lockgate.data.remotes.opening import open_remote
from lockgate.errors import UserError

_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]+://|[/.~])", re.I)


def configuration(clone: Clone) -> DvcConfig:
    """Return DVC's configuration as it counts for a clone: the member's own, the project's, the clone's.

    Raises `UserError` (`dvc-config-invalid`).
    """
    found = []
    for file in config_files(clone.root):
        try:
            text = Path(file).read_text("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            continue
        found.append(parse_dvc_config(text, file))
    return merge(found)


def choose_remote(clone: Clone, named: str | None = None) -> Remote:
    """Open the remote that is named, by its name in `.dvc/config` or its address; else the project's.

    The project's is `[data] remote` of `lockgate.toml`, else DVC's default. Options of a remote with the same
    address count for it, so that credentials may stand in `.dvc/config.local`.

    Raises `UserError` (`remote-none`, `remote-unknown`), and what `open_remote` raises.
    """
    known = configuration(clone)
    wanted = named or _declared(clone) or known.default_remote
    if wanted is None:
        raise UserError(
            "this project has no remote",
            'Write one below [data] of lockgate.toml: remote = "s3://bucket/prefix"; or give --remote URL',
            code="remote-none",
        )
    if options := known.remotes.get(wanted.lower()):
        return open_remote(options.get("url", ""), options, Path(clone.root, ".dvc"))
    if not _ADDRESS.match(wanted):
        raise UserError(
            f"there is no remote {wanted!r}",
            f"There is {', '.join(sorted(known.remotes)) or 'none yet'}. A folder begins with / or ./",
            code="remote-unknown",
        )
    return open_remote(wanted, _of_address(known, wanted), Path(clone.root))


def has_remote(clone: Clone) -> bool:
    """Return whether the project names a remote."""
    return bool(_declared(clone) or configuration(clone).default_remote)


def _of_address(known: DvcConfig, url: str) -> Mapping[str, str]:
    return next((each for each in known.remotes.values() if each.get("url") == url), {})


def _declared(clone: Clone) -> str | None:
    try:
        with open(f"{clone.root}/lockgate.toml", "rb") as file:
            data = tomli.load(file).get("data")
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError, tomli.TOMLDecodeError):
        return None  # what is wrong with that file is told where a run is asked for
    remote = data.get("remote") if isinstance(data, dict) else None
    return remote if isinstance(remote, str) and remote else None
