"""A real S3 server for tests and benchmarks, by seaweedfs.sh."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("seaweedfs.sh")
#: The program is 150 MB to install, and takes some seconds to start on a busy machine.
_START_S = 120
BUCKET = "data"


class S3Server:
    """One that runs, with one bucket."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self.endpoint = f"http://127.0.0.1:{port}"

    def options(self, who: str = "WRITER") -> dict[str, str]:
        """Return DVC's options that reach it as the `WRITER` or the `READER`."""
        return {
            "endpointurl": self.endpoint,
            "access_key_id": f"AK{who}",
            "secret_access_key": f"SK{who}",
            "region": "us-east-1",
        }

    def start(self) -> None:
        """Start it, or start it again on what it kept; return when it takes objects."""
        environment = os.environ | {
            # The tests' own home and cache are new each time; the program is kept beside the packages.
            "LOCKGATE_TEST_CACHE": os.environ.get("LOCKGATE_TEST_CACHE") or _cache(),
            "PYTHON": sys.executable,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }
        words = [str(_SCRIPT), "start", str(self._folder), str(self._port)]
        subprocess.run(words, env=environment, check=True, timeout=600)
        self._until_it_writes()

    def stop(self) -> None:
        pid = int((self._folder / "pid").read_text())
        subprocess.run([_SCRIPT, "stop", self._folder], check=True)
        ends_at = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
            assert time.monotonic() < ends_at, "the S3 server does not stop"
            time.sleep(0.05)

    def _until_it_writes(self) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="AKWRITER",
            aws_secret_access_key="SKWRITER",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, connect_timeout=2),
        )
        ends_at = time.monotonic() + _START_S
        while True:
            try:
                with contextlib.suppress(
                    client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou
                ):
                    client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="first", Body=b"1")
            except (BotoCoreError, ClientError):
                assert time.monotonic() < ends_at, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.2)
            else:
                return


def _cache() -> str:
    packages = os.environ.get("UV_CACHE_DIR")
    return str((Path(packages).parent if packages else Path.home() / ".cache") / "lockgate-tests")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextlib.contextmanager
def running() -> Iterator[S3Server]:
    """Start one; it is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="lockgate-s3-", ignore_cleanup_errors=True) as name:
        server = S3Server(Path(name), _free_ports())
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def for_tests() -> Iterator[S3Server]:
    """Start one for tests, which are skipped where its program cannot be had."""
    try:
        with running() as server:
            yield server
    except subprocess.CalledProcessError:
        pytest.skip("NOT TESTED: S3: SeaweedFS could not be installed")


def _free_ports() -> int:
    """Return a port of which the three above it, and all of them + 10000, are free too."""
    for port in range(21000, 25000, 7):
        with contextlib.ExitStack() as stack:
            try:
                for each in range(port, port + 4):
                    for number in (each, each + 10000):
                        bound = stack.enter_context(socket.socket())
                        bound.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")
