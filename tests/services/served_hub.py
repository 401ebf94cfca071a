"""A hub served by `lockgate hub serve`, or by its supervisor over another worker, and what it logged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0


class ServedHub:
    """One `lockgate hub serve`. Start it, wait for `url`, end it."""

    def __init__(
        self,
        hub: Path,
        *options: str,
        worker: Sequence[str | Path] | None = None,
        env: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
    ) -> None:
        self.hub = hub
        self.log_path = hub.parent / f"{hub.name}-service-{time.monotonic_ns()}.log"
        words = [*wrapper, "lockgate", "hub", "serve", str(hub), "--port", "0", *options]
        if worker is not None:
            code = (
                "import sys; from pathlib import Path; from lockgate.hub.directory import open_hub\n"
                "from lockgate.hub.operation.logline import start_logging\n"
                "from lockgate.hub.operation.supervisor import ServeOptions, serve\n"
                "start_logging(); hub, *worker = sys.argv[1:]\n"
                "sys.exit(serve(open_hub(Path(hub)), ServeOptions(port=0, drain_s=20), worker))"
            )
            words = [*wrapper, sys.executable, "-c", code, str(hub), *map(str, worker)]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ) | dict(env or {}),
            )

    def __enter__(self) -> ServedHub:
        try:
            self.wait_ready(1)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGINT)
                self.process.wait(20)

    def lines(self, action: str | None = None) -> list[dict[str, Any]]:
        """Return what was logged, as the JSON it is."""
        found = []
        for line in self.log_path.read_text("utf-8", "replace").splitlines():
            if line.startswith("{"):
                found.append(json.loads(line))
        return [line for line in found if action is None or line.get("action") == action]

    def wait_ready(self, times: int) -> None:
        """Wait until so many workers in all were ready."""
        self.wait_for("service.ready", times)

    def wait_for(self, action: str, times: int = 1) -> None:
        end = time.monotonic() + DEADLINE_S
        while len(self.lines(action)) < times:
            log = self.log_path.read_text("utf-8", "replace")
            assert self.process.poll() is None, f"it ended with {self.process.poll()}:\n{log}"
            assert time.monotonic() < end, f"waited in vain for {action} ({times}):\n{log}"
            time.sleep(0.02)

    @property
    def url(self) -> str:
        """Return the address it said it serves at, without a slash at its end."""
        message: str = self.lines("service.ready")[-1]["message"]
        return message.partition(" at ")[2].partition(" (")[0].rstrip("/")

    def restart(self) -> None:
        count = len(self.lines("service.ready"))
        self.process.send_signal(signal.SIGHUP)
        self.wait_ready(count + 1)

    def get(self, path: str, timeout: float = 30.0) -> str:
        with urllib.request.urlopen(self.url + path, timeout=timeout) as answer:
            text: bytes = answer.read()
        return text.decode()
