"""The certified OpenID provider `oidc-provider` (npm), as an institute's own: a process on loopback."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_HERE = Path(__file__).parent / "openid"


@contextmanager
def certified_provider(client: str, secret: str, redirect: str) -> Iterator[str]:
    """Start it for one client; give its issuer. Skip loudly where Node or its packages are not to be had."""
    modules = _installed()
    command = ["node", str(_HERE / "provider.mjs"), str(modules), client, redirect]
    environment = os.environ | {"OPENID_SECRET": secret, "NODE_ENV": "test"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _installed() -> Path:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("NOT TESTED: a certified OpenID provider needs Node and npm")
    lock = _HERE / "package-lock.json"
    cache = Path(os.environ["UV_CACHE_DIR"]).parent / "lockgate-tests"
    place = cache / f"openid-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with Path(f"{place}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (place / "done").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_HERE / name, place)
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=place,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode != 0:
                pytest.skip(f"NOT TESTED: the OpenID provider cannot be installed: {done.stderr[-300:]}")
            (place / "done").touch()
    return place
