"""A real sshd on loopback, run by whoever runs the tests, with keys of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

SSHD = next(
    (
        path
        for path in (shutil.which("sshd"), "/usr/sbin/sshd", "/usr/local/sbin/sshd")
        if path and Path(path).exists()
    ),
    None,
)


class Server:
    """One sshd. `ssh` is the command that reaches it as its only client.

    Parameters
    ----------
    settings
        Further lines of sshd_config(5).
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        if os.getuid() == 0:
            with contextlib.suppress(OSError):
                Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.folder = folder
        self.user = pwd.getpwuid(os.getuid()).pw_name
        for key in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True
            )
        (folder / "authorized").write_text((folder / "client.pub").read_text())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f"PermitRootLogin prohibit-password\n" + "".join(f"{line}\n" for line in settings)
        )
        self.ssh = (
            f"ssh -i {folder}/client -o IdentitiesOnly=yes -o StrictHostKeyChecking=no"
            f" -o UserKnownHostsFile={folder}/known -o LogLevel=ERROR -o BatchMode=yes -F none"
        )
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(folder / "config")],
            stdin=subprocess.DEVNULL,
            stderr=self.log,
        )

    def is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, path: Path) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.log.close()
