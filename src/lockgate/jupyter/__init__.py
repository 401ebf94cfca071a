"""Lockgate in Jupyter: a server extension that calls the same functions as the command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from lockgate.jupyter.extension import Lockgate  # noqa: PLC0415  (read by tools that want the labextension only)

    return [{"module": "lockgate.jupyter", "app": Lockgate}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "@lockgate/jupyterlab"}]
