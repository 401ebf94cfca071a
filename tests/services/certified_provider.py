"""The certified OpenID provider `oidc-provider` (npm), as an institute's own: a process on loopback."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node_packages import node_packages

_HERE = Path(__file__).parent / "openid"


@contextmanager
def certified_provider(client: str, secret: str, redirect: str) -> Iterator[str]:
    """Start it for one client; give its issuer. Skip loudly where Node or its packages are not to be had."""
    modules = node_packages(_HERE, "a certified OpenID provider")
    command = ["node", str(_HERE / "provider.mjs"), str(modules), client, redirect]
    environment = os.environ | {"OPENID_SECRET": secret, "NODE_ENV": "test"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
