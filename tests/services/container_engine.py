"""podman for tests, with images and containers in a folder of their own, and a base image made from Debian's
packages: no registry of images is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_LACKING = "NOT TESTED: the container file"
#: What pip is told here, and is told in a build too.
_PIP = ("global.index-url", "global.extra-index-url", "global.trusted-host", "global.timeout", "global.cert")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_INCLUDED = "python3-minimal,python3-venv,python3-pip,ca-certificates"


class Engine:
    """One podman. `call` runs it, and fails the test where it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        runtime = "runc" if shutil.which("runc") else "crun"
        (folder / "containers.conf").write_text(
            f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "{runtime}"\n'
        )
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        )
        self.env = dict(os.environ) | {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def attempt(self, *words: str | Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["podman", *words], env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def call(self, *words: str | Path, timeout_s: float = 120) -> str:
        done = self.attempt(*words, timeout_s=timeout_s)
        assert done.returncode == 0, f"podman {words}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def make_base(self, name: str) -> None:
        """Make an image of Debian with Python, by the name of one that others get from a registry."""
        root = self.folder / "base"
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", "bookworm", root],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            pytest.skip(f"{_LACKING} (debootstrap: {done.stdout.strip().splitlines()[-1]})")
        (root / "usr/bin/python").symlink_to("python3")
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
            words = ["podman", "import", "-", name]
            subprocess.run(words, env=self.env, stdin=archive.stdout, capture_output=True, check=True)
        assert archive.returncode == 0
        shutil.rmtree(root)

    def build(self, context: Path, file: Path, tag: str, timeout_s: float) -> None:
        """Build an image; a build reaches packages as this machine does."""
        self.call(
            "build", "--isolation", "chroot", "--network", "host", "--pull-never", "--format", "docker",
            "--volume", f"{self._pip_settings()}:/etc/pip.conf:ro",
            "--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro",
            "--file", file, "--tag", tag, context,
            timeout_s=timeout_s,
        )  # fmt: skip

    def _pip_settings(self) -> Path:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
        )
        lines = ["[global]"]
        for line in done.stdout.splitlines():
            name, _, value = line.partition("=")
            words = " ".join(word for word in value.strip("'").split() if not word.startswith("file:"))
            if name in _PIP and words:
                lines.append(f"{name.removeprefix('global.')} = {words}")
        path = self.folder / "pip.conf"
        path.write_text("\n".join(lines) + "\n")
        return path


@contextmanager
def running() -> Iterator[Engine]:
    """Give an engine; the test is skipped where none can be had."""
    lacking = [name for name in ("podman", "debootstrap") if shutil.which(name) is None]
    if lacking or os.geteuid() != 0:
        pytest.skip(f"{_LACKING} ({' and '.join(lacking) or 'root'} is missing)")
    with tempfile.TemporaryDirectory(prefix="lockgate-podman-", ignore_cleanup_errors=True) as name:
        engine = Engine(Path(name))
        try:
            yield engine
        finally:
            engine.attempt("rm", "--all", "--force", "--time", "5")
            engine.attempt("rmi", "--all", "--force")
