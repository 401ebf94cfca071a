"""Runs in a pod that shares no files with the hub: brings a job, runs it, sends its log and what it made.

It is given to the image's `python3 -c` as text and needs Python 3.7 and its standard library alone.
Arguments: URL, MEMBER (empty: the pod's index), FOLDER, VENV (empty: none), IMAGE.
"""

# ruff: noqa: PTH108, PTH110, PTH112, PTH114, PTH115, PTH118, PTH120, PTH123, PTH202, PTH207, PTH211
# ruff: noqa: UP031, RUF005
from __future__ import annotations

import contextlib
import glob
import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from typing import IO, Any, Callable, NoReturn  # noqa: UP035 - Python 3.7

ALREADY_STARTED = 75
REFUSED = 126
LEFT = ("observed", "pid", "ending", "peak", "exit")
#: Results are held and offered for so long when the hub is down.
PATIENCE_S = 7 * 86400
LOG_EVERY_S = 1.0


def tell(words: str, code: int) -> NoReturn:
    """End with words that the hub reads from the container's status."""
    sys.stderr.write("lockgate: " + words + "\n")
    with contextlib.suppress(OSError), open("/dev/termination-log", "w") as file:
        file.write(words)
    sys.exit(code)


class Hub:
    """The hub's file server, asked for one job."""

    def __init__(self, url: str, member: str) -> None:
        self.base = url + "&member=" + member + "&pod=" + os.uname().nodename + "&what="

    def open(
        self, method: str, what: str, body: IO[bytes] | None = None, length: int = 0, at: int = 0
    ) -> Any:
        request = urllib.request.Request(self.base + what + "&at=" + str(at), body, method=method)
        if body is not None:
            request.add_header("Content-Length", str(length))
            request.add_header("Content-Type", "application/octet-stream")
        return urllib.request.urlopen(request, timeout=60)

    def patiently(
        self, method: str, what: str, make_body: Callable[[], tuple[IO[bytes] | None, int]] | None = None
    ) -> Any:
        """Try until the hub answers."""
        ends_at, pause_s, said = time.time() + PATIENCE_S, 0.5, False
        while True:
            body, length = (None, 0) if make_body is None else make_body()
            try:
                return self.open(method, what, body, length)
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError) and error.code in (404, 409, 422):
                    raise
                why = error
            if time.time() > ends_at:
                raise why
            if not said:
                sys.stderr.write("lockgate: the hub does not answer (%s); tried again\n" % why)
                said = True
            time.sleep(pause_s)
            pause_s = min(15.0, 2 * pause_s)


def bring(hub: Hub, what: str, folder: str) -> None:
    """Unpack what the hub streams; a stream that breaks is asked for again."""
    for last in (False, False, True):
        try:
            with hub.patiently("GET", what) as answer, tarfile.open(fileobj=answer, mode="r|") as tar:
                for member in tar:
                    tar.extract(member, folder)
                return
        except (tarfile.TarError, EOFError) as error:
            if last:
                tell("what the hub sent is broken: %s" % error, 1)


def works(python: str) -> bool:
    nothing = subprocess.DEVNULL
    return subprocess.call([python, "-c", ""], stdin=nothing, stdout=nothing, stderr=nothing) == 0


def mend_runtime(venv: str, image: str) -> None:
    """Let the runtime's python lead to one of this image of the same version, unless it works as it is."""
    python = venv + "/bin/python"
    wanted = os.readlink(python) if os.path.islink(python) else python
    if os.path.exists(python) and works(python):
        return
    settings = {}
    with open(venv + "/pyvenv.cfg") as file:
        for line in file:
            name, _, value = line.partition("=")
            settings[name.strip()] = value.strip()
    full = settings.get("version_info") or settings.get("version") or ""
    version = ".".join(full.split(".")[:2])
    places = os.environ.get("PATH", "").split(":") + ["/usr/local/bin", "/usr/bin", "/opt/python/bin"]
    for place in places:
        other = place + "/python" + version
        if version and os.access(other, os.X_OK):
            for name in glob.glob(venv + "/bin/python*"):
                if os.path.islink(name):
                    os.unlink(name)
                    os.symlink(other, name)
            with open(venv + "/pyvenv.cfg") as file:
                lines = file.read().splitlines(True)
            with open(venv + "/pyvenv.cfg", "w") as file:
                for line in lines:
                    is_home = line.partition("=")[0].strip() == "home"
                    file.write("home = " + os.path.dirname(other) + "\n" if is_home else line)
            if works(python):
                return
    tell(
        "the image %s has no Python %s, which the runtime needs (%s or python%s on PATH)"
        % (image, full or "of the hub", wanted, version),
        REFUSED,
    )


def state_of(folder: str) -> dict[str, object]:
    """Return what lies in a folder: path -> what changes when it is written."""
    found: dict[str, object] = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            status = os.lstat(path)
            is_folder = os.path.isdir(path) and not os.path.islink(path)
            found[path] = is_folder or (status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode)
    return found


def send_log(hub: Hub, path: str, sent: int) -> int:
    """Send what the log has grown by; return how much of it the hub has."""
    try:
        with open(path, "rb") as log:
            log.seek(sent)
            part = log.read(4 << 20)
    except OSError:
        return sent
    if not part:
        return sent
    try:
        hub.open("PUT", "log", io.BytesIO(part), len(part), at=sent).close()
    except OSError:
        return sent
    return sent + len(part)


def results(folder: str, before: dict[str, object]) -> IO[bytes]:
    """Return a file with all that the job made or changed, its records last."""
    file = tempfile.TemporaryFile(dir="/lockgate")  # noqa: SIM115 - the caller's
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        now = state_of(folder + "/workspace")
        for path in sorted(now):
            if now[path] != before.get(path):
                tar.add(path, os.path.relpath(path, folder), recursive=False)
        for name in LEFT:
            if os.path.exists(folder + "/" + name):
                tar.add(folder + "/" + name, name)
    return file


def sized(file: IO[bytes]) -> tuple[IO[bytes], int]:
    length = file.seek(0, 2)
    file.seek(0)
    return file, length


def main() -> None:
    """Fetch the bundle, run the job, send its results back; what goes wrong is printed for the pod's log."""
    url, member, folder, venv, image = sys.argv[1:6]
    hub = Hub(url, member or os.environ["JOB_COMPLETION_INDEX"])
    top = os.path.dirname(folder)
    try:
        hub.patiently("PUT", "claim", lambda: (io.BytesIO(b""), 0)).close()
    except urllib.error.HTTPError as error:
        tell("the hub does not give this job to this pod: it has run already (%s)" % error, ALREADY_STARTED)
    bring(hub, "job", top)
    if venv:
        bring(hub, "runtime", os.path.dirname(venv))
        mend_runtime(venv, image)
    before = state_of(folder + "/workspace")
    child = subprocess.Popen(["/bin/sh", top + "/wrapper.sh", folder], start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    log, sent = folder + "/output.log", 0
    while True:
        try:
            code = child.wait(timeout=LOG_EVERY_S)
            break
        except subprocess.TimeoutExpired:
            sent = send_log(hub, log, sent)
    ends_at = time.time() + PATIENCE_S
    while os.path.exists(log) and sent < os.path.getsize(log) and time.time() < ends_at:
        now = send_log(hub, log, sent)
        if now == sent:
            time.sleep(1)
        sent = now
    file = results(folder, before)
    try:
        hub.patiently("PUT", "results", lambda: sized(file)).close()
    except urllib.error.HTTPError as error:
        tell("the hub does not take back what the job made: " + error.read().decode(), REFUSED)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
