"""Run one notebook inside a job: python notebook.py IN.ipynb OUT.ipynb PAGE.html [--parameters JSON]

Copied into the job's folder, run by the runtime's Python with the workspace as working directory: it imports
nothing of Lockgate. The executed copy is saved after every cell and while output arrives, so a job that is
killed loses nothing it printed. Exit code: 0; 1 a cell failed; 143 stopped by SIGTERM; 128+n the kernel was
killed by signal n. Messages: https://jupyter-client.readthedocs.io/en/stable/messaging.html
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import importlib
import io
import json
import logging
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SAVE_EVERY_S = 0.5
KERNEL_STARTS_WITHIN_S = 300.0
CELL_STOPS_WITHIN_S = 2.0
OUTPUT_FOLLOWS_WITHIN_S = 10.0
KERNEL_ENDS_WITHIN_S = 5.0

INJECTED, PARAMETERS = "injected-parameters", "parameters"  # papermill's tags
VOLATILE = ("execution", "ExecuteTime", "papermill", "collapsed", "scrolled")
WIDGET = "application/vnd.jupyter.widget-view+json"

# A scheduler signals every process of a job at once: the kernel leaves SIGTERM to the runner, which asks it
# to stop and takes its last output. What a cell forks must still be killable, from its first instant: CPython
# drops signals that come between fork and its own clean-up. prctl(2): 1 = PR_SET_PDEATHSIG.
PYTHON_KERNEL = """
import os, signal, sys
if sys.path[0] == "":
    del sys.path[0]
def leave(number, frame):
    pass
masks = []
def before():
    masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]))
def after():
    signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())
def after_in_child():
    if signal.getsignal(signal.SIGTERM) is leave:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    after()
signal.signal(signal.SIGTERM, leave)
os.register_at_fork(before=before, after_in_parent=after, after_in_child=after_in_child)
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""

# What a child prints comes through a pipe that a thread of ipykernel reads when it gets to it: late, it would
# go to another cell, or be lost. So whoever prints or ends a cell takes first what the pipe holds. ipykernel
# reads this file, its private profile's configuration, before it opens its streams. A fork shares the pipe.
# And a kernel that ends stops the thread that publishes while another may wait for it, for ten seconds or
# for good: so nobody waits longer than that thread lives.
KERNEL_PROFILE = """
def complete(stream):
    import codecs, contextvars, os, select, sys, threading, time
    from fcntl import ioctl
    from termios import FIONREAD
    lock = threading.RLock()
    write, flush = stream.write, stream.flush
    starts, started = {"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn"}, []
    def note(event, _):
        if not started and event in starts:
            started.append(event)
    sys.addaudithook(note)
    def drain(self, nothing=bytes(4)):
        fid = self._fid
        if fid is None or os.getpid() != self._master_pid:
            return
        with lock:
            if ioctl(fid, FIONREAD, nothing) == nothing or not self._should_watch:
                return
            data = os.read(fid, 1 << 16)
            if not hasattr(self, "_decoder"):
                self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
            contextvars.Context().run(write, self, self._decoder.decode(data))
            os.write(self._original_stdstream_copy, data)
    def watch(self):
        if self._fid is None:
            return
        news = select.poll()
        news.register(self._fid, select.POLLIN)
        while self._should_watch and news.poll()[0][1] & select.POLLIN:
            drain(self)
    def write_in_order(self, text):
        if started:
            drain(self)
        return write(self, text)
    def flush_all(self):
        drain(self)
        if self.parent_header.get("msg_type") != "execute_request":
            started.clear()
        thread = getattr(self.pub_thread, "thread", None)
        if thread is None or not thread.is_alive() or thread is threading.current_thread():
            return flush(self)
        done, end = threading.Event(), time.monotonic() + self.flush_timeout
        self.pub_thread.schedule(self._flush)
        self.pub_thread.schedule(done.set)
        while not done.wait(0.05) and thread.is_alive() and time.monotonic() < end:
            pass
    stream._watch_pipe_fd, stream.write, stream.flush = watch, write_in_order, flush_all
def outlive(publisher):
    import zmq
    schedule = publisher.schedule
    def schedule_while_it_lives(self, task):
        if not self.thread.is_alive():
            return schedule(self, task)
        self._events.append(task)
        pipe = self._event_pipe
        while self.thread.is_alive():
            try:
                return pipe.send(b"", zmq.NOBLOCK)
            except zmq.Again:
                pipe.poll(50, zmq.POLLOUT)
    publisher.schedule = schedule_while_it_lives
try:
    from ipykernel.iostream import IOPubThread, OutStream
    OutStream._watch_pipe_fd, IOPubThread._event_pipe
except (ImportError, AttributeError):
    pass
else:
    complete(OutStream)
    outlive(IOPubThread)
"""


class StoppedError(Exception):
    """A signal asked the job to end."""


class KernelDiedError(Exception):
    """The kernel is gone; the argument says how."""

    def __init__(self, code: int) -> None:
        self.code = 128 - code if code < 0 else 1
        super().__init__(f"killed, signal {-code}" if code < 0 else f"exit code {code}")


class RefusedError(Exception):
    """The notebook cannot be run at all; the argument says why."""


class Stop:
    """Remembers the signal that asked the job to end, and wakes whoever waits for messages."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.wake, self._ring = socket.socketpair()
        self.wake.setblocking(False)
        self._ring.setblocking(False)
        signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)

    def _asked(self, number: int, _frame: object) -> None:
        self.number = number


class Document:
    """The executed copy: cells with outputs, written whole and often."""

    def __init__(self, source: Path, target: Path) -> None:
        self.target = target
        self.content = _read(source)
        self.cells: list[Json] = self.content["cells"]
        self.metadata: Json = self.content["metadata"]
        self._texts: dict[int, str] = {}
        self._saved_at = 0.0
        self._pause_s = SAVE_EVERY_S
        self._scrub = _scrubber()

    @property
    def language(self) -> str:
        spec, info = self.metadata.get("kernelspec") or {}, self.metadata.get("language_info") or {}
        return str(spec.get("language") or info.get("name") or "python").lower()

    def inject(self, parameters: Json) -> None:
        """Put a cell with the parameters behind the one tagged `parameters`, else at the top."""
        self.cells[:] = [cell for cell in self.cells if INJECTED not in _tags(cell)]
        if not parameters:
            return
        tagged = [at for at, cell in enumerate(self.cells) if PARAMETERS in _tags(cell)]
        lines = [f"{name} = {literal(value, self.language)}" for name, value in parameters.items()]
        cell: Json = {
            "cell_type": "code",
            "execution_count": None,
            "id": INJECTED,
            "metadata": {"tags": [INJECTED]},
            "outputs": [],
            "source": "\n".join(["# Parameters", *lines]),
        }
        self.cells.insert(tagged[0] + 1 if tagged else 0, cell)

    def changed(self, index: int) -> None:
        self._texts.pop(index, None)

    @property
    def save_due_s(self) -> float:
        """Seconds until the next save within a cell: a save may take a fifth of the time, no more."""
        return max(0.0, self._saved_at + self._pause_s - time.monotonic())

    def save(self) -> None:
        started = time.monotonic()
        texts = [self._text(index) for index in range(len(self.cells))]
        rest = {key: value for key, value in self.content.items() if key != "cells"}
        cells = "[\n  " + ",\n  ".join(texts) + "\n ]" if texts else "[]"
        write_whole(self.target, '{\n "cells": ' + cells + "," + _dump(rest)[1:] + "\n")
        self._saved_at = time.monotonic()
        self._pause_s = max(SAVE_EVERY_S, 4 * (self._saved_at - started))

    def _text(self, index: int) -> str:
        if index not in self._texts:
            self._texts[index] = _dump(_on_disk(self.joined(self.cells[index]))).replace("\n", "\n  ")
        return self._texts[index]

    def joined(self, cell: Json) -> Json:
        """Return a cell with its streams joined, and the job's own paths taken out of what is not data."""
        if not cell.get("outputs"):
            return cell
        outputs = []
        for output in cell["outputs"]:
            joined = dict(output)
            if output["output_type"] == "stream":
                joined["text"] = "".join(output["text"])
                if output["name"] == "stderr":
                    joined["text"] = self._scrub(joined["text"])
            elif output["output_type"] == "error":
                joined["traceback"] = [self._scrub(line) for line in output["traceback"]]
                joined["evalue"] = self._scrub(output["evalue"])
            outputs.append(joined)
        return {**cell, "outputs": outputs}


def _read(path: Path) -> Json:
    try:
        text = path.read_text("utf-8-sig")
        content = json.loads(text)
        if content["nbformat"] != 4:
            content = json.loads(json.dumps(importlib.import_module("nbformat").reads(text, as_version=4)))
        metadata = {
            key: value for key, value in content["metadata"].items() if key not in ("widgets", "papermill")
        }
        spec = metadata.get("kernelspec")
        if isinstance(spec, dict) and isinstance(spec.get("name"), str):
            metadata["kernelspec"] = {"display_name": spec["name"], **spec}
        else:
            metadata.pop("kernelspec", None)
        if not isinstance(metadata.get("language_info"), dict):
            metadata.pop("language_info", None)
        cells = [_fresh(cell) for cell in content["cells"]]
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedError(f"{path} is not a notebook: {error}") from None
    taken: set[str] = set()
    for index, cell in enumerate(cells):
        if not isinstance(cell.get("id"), str) or cell["id"] in taken:
            cell["id"] = hashlib.sha256(f"{index}\0{cell['source']}".encode("utf-8", "replace")).hexdigest()[
                :8
            ]
        taken.add(cell["id"])
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _fresh(cell: Json) -> Json:
    metadata = {key: value for key, value in (cell.get("metadata") or {}).items() if key not in VOLATILE}
    fresh = {**cell, "metadata": metadata, "source": "".join(cell.get("source", ""))}
    return {**fresh, "execution_count": None, "outputs": []} if cell["cell_type"] == "code" else fresh


def _tags(cell: Json) -> list[str]:
    tags = cell["metadata"].get("tags", [])
    return tags if isinstance(tags, list) else []


def is_run(cell: Json) -> bool:
    """Return whether a cell is executed: code, not empty, not tagged `skip-execution` (nbclient's tag)."""
    return (
        cell["cell_type"] == "code" and bool(cell["source"].strip()) and "skip-execution" not in _tags(cell)
    )


def _dump(value: Json) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)


def _on_disk(cell: Json) -> Json:
    """Text stands in a notebook file as a list of lines, so that a diff shows the line that changed."""
    stored = {**cell, "source": cell["source"].splitlines(True)}
    if "outputs" in cell:
        stored["outputs"] = [_output_on_disk(output) for output in cell["outputs"]]
    return stored


def _output_on_disk(output: Json) -> Json:
    if output["output_type"] == "stream":
        return {**output, "text": output["text"].splitlines(True)}
    if "data" in output:
        lines = {
            kind: value.splitlines(True)
            if isinstance(value, str) and not kind.startswith("image/p")
            else value
            for kind, value in output["data"].items()
        }
        return {**output, "data": lines}
    return output


def _scrubber() -> Any:
    """Where the job's folder and the runtime lie differs between machines, and says nothing of the result."""
    here = {
        os.fspath(Path.cwd()),
        os.environ.get("PWD", ""),
        sys.prefix,
        os.fspath(Path(sys.prefix).resolve()),
    }
    home = os.path.expanduser("~")  # noqa: PTH111  (Path.home() raises where there is none)
    here |= {"~" + path[len(home) :] for path in here if home != "/" and path.startswith(home + "/")}
    places = "|".join(re.escape(path + "/") for path in sorted(here, key=len, reverse=True) if len(path) > 1)
    cell_file = re.escape(tempfile.gettempdir()) + r"/ipykernel_\d+/"
    pattern = re.compile(f"(?P<cell>{cell_file})|{places}")
    return lambda text: pattern.sub(lambda found: "ipykernel/" if found["cell"] else "", text)


def write_whole(path: Path, text: str) -> None:
    """Readers see the old file or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(text.encode("utf-8", "replace"))
    temporary.replace(path)


def literal(value: Any, language: str) -> str:
    """Return a parameter's value as code of Python, R or Julia."""
    words = {
        "r": ("TRUE", "FALSE", "NULL", "Inf", "NaN"),
        "julia": ("true", "false", "nothing", "Inf", "NaN"),
    }
    true, false, none, infinite, undefined = words.get(
        language, ("True", "False", "None", 'float("inf")', 'float("nan")')
    )
    if value is None:
        return none
    if isinstance(value, bool):
        return true if value else false
    if isinstance(value, float) and not math.isfinite(value):
        return undefined if math.isnan(value) else ("-" if value < 0 else "") + infinite
    if isinstance(value, str) and language in words:
        quoted = json.dumps(value, ensure_ascii=False)
        return quoted.replace("$", "\\$") if language == "julia" else quoted
    return repr(value)


class Kernel:
    """A kernel process and the sockets to it, in a private folder."""

    def __init__(self, document: Document, scratch: Path, folder: Path) -> None:
        self._key = uuid.uuid4().hex
        self._session = uuid.uuid4().hex
        address = os.fspath(scratch / "k")
        names = ("shell", "iopub", "stdin", "control", "hb")
        ports = {f"{name}_port": number for number, name in enumerate(names, start=1)}
        connection = {"transport": "ipc", "ip": address, "key": self._key, "signature_scheme": "hmac-sha256"}
        file = scratch / "connection.json"
        file.write_text(json.dumps({**connection, **ports}))
        profile = scratch / "ipython/profile_default"
        profile.mkdir(parents=True)
        (profile / "ipython_kernel_config.py").write_text(KERNEL_PROFILE)
        command, own, self._is_interrupted_by_message = kernel_command(document, file)
        environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
        environment |= {
            "IPYTHONDIR": os.fspath(scratch / "ipython"),
            "JPY_PARENT_PID": str(os.getpid()),
            **own,
        }
        try:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise RefusedError(f"the kernel cannot be started: {command[0]}: {error.strerror}") from None
        self.address = address

    def connect(self, wake: socket.socket) -> None:
        # After the kernel was started, so that both start at the same time.
        zmq = importlib.import_module("zmq")
        self._context = zmq.Context()
        self.poller = zmq.Poller()
        self.poller.register(wake.fileno(), zmq.POLLIN)
        sockets = []
        for port, kind in ((1, zmq.DEALER), (2, zmq.SUB), (4, zmq.DEALER)):
            one = self._context.socket(kind)
            one.linger = 0
            one.reconnect_ivl = 10
            one.rcvhwm = 0
            if kind == zmq.SUB:
                one.subscribe(b"")
            one.connect(f"ipc://{self.address}-{port}")
            sockets.append(one)
        self.shell, self.iopub, self.control = sockets
        for one in (self.shell, self.iopub):
            self.poller.register(one, zmq.POLLIN)
        self._again = zmq.Again
        self._not_now = zmq.NOBLOCK

    def send(self, to: Any, kind: str, content: Json) -> str:
        name = uuid.uuid4().hex
        header = {"msg_id": name, "session": self._session, "username": "job", "date": "1970-01-01T00:00:00Z"}
        header |= {"msg_type": kind, "version": "5.3"}
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = hmac.new(self._key.encode(), b"".join(parts), hashlib.sha256).hexdigest().encode()
        to.send_multipart([b"<IDS|MSG>", signature, *parts])
        return name

    def receive(self, source: Any) -> tuple[str, str, Json] | None:
        """Return kind, the request it answers, and content of the next message; None: there is none now."""
        try:
            frames = source.recv_multipart(self._not_now)
        except self._again:
            return None
        start = frames.index(b"<IDS|MSG>") + 2
        header, parent, _, content = (
            json.loads(part.decode("utf-8", "replace")) for part in frames[start : start + 4]
        )
        return header["msg_type"], parent.get("msg_id", ""), content

    def interrupt(self) -> None:
        if self._is_interrupted_by_message:
            self.send(self.control, "interrupt_request", {})
        elif self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def ask_to_end(self) -> None:
        if self.process.poll() is None:
            self.send(self.control, "shutdown_request", {"restart": False})

    def end(self, within_s: float) -> None:
        try:
            self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if hasattr(self, "_context"):
            self._context.destroy(linger=0)


def kernel_command(document: Document, connection: Path) -> tuple[list[str], dict[str, str], bool]:
    """Return how to start a notebook's kernel: command, environment, is it interrupted by message.

    A kernel of the project (`kernels/NAME/kernel.json`) goes first; a Python notebook runs in the runtime's
    own Python whatever its kernel was called; any other language needs a kernel installed on this machine.
    """
    name = str((document.metadata.get("kernelspec") or {}).get("name") or "python3")
    folders = [Path("kernels")]
    if document.language != "python":
        prefixes = (sys.prefix, "/usr/local", "/usr")
        folders += [Path(prefix, "share/jupyter/kernels") for prefix in prefixes]
    if re.fullmatch(r"[\w.-]+", name):
        for file in (folder / name / "kernel.json" for folder in folders):
            if file.is_file():
                return _from_specification(file, connection)
    if document.language != "python":
        raise RefusedError(f"no kernel named {name} ({document.language}) is installed on this machine")
    options = ["-f", os.fspath(connection), "--HistoryManager.enabled=False"]
    return [sys.executable, "-c", PYTHON_KERNEL, *options], {}, False


def _from_specification(file: Path, connection: Path) -> tuple[list[str], dict[str, str], bool]:
    told = {
        "{connection_file}": os.fspath(connection),
        "{resource_dir}": os.fspath(file.parent.resolve()),
    }
    try:
        spec = json.loads(file.read_text("utf-8"))
        words = [
            re.sub(r"\{\w+\}", lambda found: told.get(found[0], found[0]), word) for word in spec["argv"]
        ]
        environment = {str(key): str(value) for key, value in (spec.get("env") or {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(f"{file} is not a kernel specification: {error!r}") from None
    return words, environment, spec.get("interrupt_mode") == "message"


class Execution:
    """Runs the cells in order and puts what arrives where it belongs."""

    def __init__(self, document: Document, kernel: Kernel, stop: Stop) -> None:
        self.document, self.kernel, self.stop = document, kernel, stop
        self._has_news = False
        self._cells: dict[str, int] = {}
        self._idle: set[str] = set()
        self._replies: dict[str, Json] = {}
        self._displays: dict[str, list[tuple[int, Json]]] = {}
        self._clear_next: set[int] = set()
        self._is_published = False

    def start(self) -> None:
        """Wait until the kernel answers and its output is heard.

        Raises `KernelDiedError`, `StoppedError`, `RefusedError`.
        """
        deadline = time.monotonic() + KERNEL_STARTS_WITHIN_S
        request = self.kernel.send(self.kernel.shell, "kernel_info_request", {})
        while True:
            self._take(50)
            if request in self._replies:
                if self._is_published:
                    break
                request = self.kernel.send(self.kernel.shell, "kernel_info_request", {})
            if self.stop.number is not None:
                raise StoppedError
            if self.kernel.process.poll() is not None:
                raise KernelDiedError(self.kernel.process.returncode)
            if time.monotonic() > deadline:
                raise RefusedError(f"the kernel did not answer within {KERNEL_STARTS_WITHIN_S:.0f} s")
        info = self._replies[request].get("language_info")
        if info:
            self.document.metadata["language_info"] = info
        spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
        self.document.metadata.setdefault("kernelspec", spec)

    def run(self, index: int) -> Json | None:
        """Run one cell; return its error (`ename`, `evalue`, `traceback`) or None.

        Raises `KernelDiedError`, `StoppedError`, both with the cell marked.
        """
        cell = self.document.cells[index]
        is_injected = INJECTED in _tags(cell)
        content = {"code": cell["source"], "silent": False, "store_history": not is_injected}
        content |= {"user_expressions": {}, "allow_stdin": False, "stop_on_error": True}
        request = self.kernel.send(self.kernel.shell, "execute_request", content)
        self._cells[request] = index
        self._mark(index, "running")
        try:
            reply = self._finish(request)
        except StoppedError:
            self._stop_cell(index, request)
            raise
        except KernelDiedError as end:
            self._note(index, "died", "DeadKernel", f"the kernel died in this cell ({end})")
            raise
        if not is_injected:
            cell["execution_count"] = reply.get("execution_count")
        failed = reply["status"] != "ok"
        is_allowed = "raises-exception" in _tags(cell)
        self._mark(index, "failed" if failed and not is_allowed else None)
        return reply if failed and not is_allowed else None

    def _finish(self, request: str) -> Json:
        silent_since: float | None = None
        while True:
            self._take(min(250.0, 1000 * self.document.save_due_s + 1))
            if request in self._replies and request in self._idle:
                return self._replies[request]
            if self.stop.number is not None:
                raise StoppedError
            if request in self._replies:
                silent_since = silent_since or time.monotonic()
                if time.monotonic() - silent_since > OUTPUT_FOLLOWS_WITHIN_S:
                    return self._replies[request]
            elif self.kernel.process.poll() is not None:
                self._take(200)
                raise KernelDiedError(self.kernel.process.returncode)
            if self.document.save_due_s == 0 and self._has_news:
                self.document.save()
                self._has_news = False

    def drain(self) -> None:
        """Take in what came after the last cell's end: once the kernel answers, all before that is here."""
        if not self._cells or self.kernel.process.poll() is not None:
            return
        request = self.kernel.send(self.kernel.shell, "kernel_info_request", {})
        self._cells[request] = next(reversed(self._cells.values()))
        deadline = time.monotonic() + OUTPUT_FOLLOWS_WITHIN_S
        while not (request in self._replies and request in self._idle) and time.monotonic() < deadline:
            if self.stop.number is not None or self.kernel.process.poll() is not None:
                return
            self._take(50)

    def _stop_cell(self, index: int, request: str) -> None:
        self.document.save()
        self.kernel.interrupt()
        deadline = time.monotonic() + CELL_STOPS_WITHIN_S
        while time.monotonic() < deadline and self.kernel.process.poll() is None:
            self._take(50)
            if request in self._replies and request in self._idle:
                break
        self._note(index, "stopped", "Stopped", f"{_signal_name(self.stop.number)} while this cell ran")

    def _note(self, index: int, state: str, name: str, text: str) -> None:
        note = {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
        self.document.cells[index]["outputs"].append(note)
        self._mark(index, state)

    def _mark(self, index: int, state: str | None) -> None:
        metadata = self.document.cells[index]["metadata"]
        metadata.pop("lockgate", None)
        if state is not None:
            metadata["lockgate"] = {"state": state}
        self.document.changed(index)

    def _take(self, within_ms: float) -> None:
        """Take in every message that is there, or comes within the time."""
        if self.stop.wake.fileno() in dict(self.kernel.poller.poll(max(0, int(within_ms)))):
            self.stop.wake.recv(100)
        while (message := self.kernel.receive(self.kernel.iopub)) is not None:
            self._heard(*message)
            if self.document.save_due_s == 0 or self.stop.number is not None:
                break
        while (message := self.kernel.receive(self.kernel.shell)) is not None:
            if message[0].endswith("_reply"):
                self._replies[message[1]] = message[2]

    def _heard(self, kind: str, request: str, content: Json) -> None:
        self._is_published = True
        if kind == "status" and content.get("execution_state") == "idle":
            self._idle.add(request)
        index = self._cells.get(request)
        if index is None:
            return
        if kind == "clear_output":
            self._clear_next.add(index)
            if not content.get("wait"):
                self._clear(index)
        elif kind == "update_display_data":
            self._update(content)
        elif kind in ("stream", "display_data", "execute_result", "error"):
            self._clear(index)
            self._add(index, kind, content)
        else:
            return
        self.document.changed(index)
        self._has_news = True

    def _clear(self, index: int) -> None:
        if index in self._clear_next:
            self._clear_next.discard(index)
            self.document.cells[index]["outputs"].clear()

    def _add(self, index: int, kind: str, content: Json) -> None:
        outputs: list[Json] = self.document.cells[index]["outputs"]
        if kind == "stream":
            show(content["text"])
            last = next((one for one in reversed(outputs) if one["output_type"] == "stream"), None)
            if last is not None and last is outputs[-1] and last["name"] == content["name"]:
                last["text"].append(content["text"])
            else:
                outputs.append({"output_type": kind, "name": content["name"], "text": [content["text"]]})
        elif kind == "error":
            show("\n".join(content["traceback"]) + "\n")
            outputs.append(
                {"output_type": kind, **{key: content[key] for key in ("ename", "evalue", "traceback")}}
            )
        else:
            # The model behind a widget ends with the kernel; its text stays.
            data = {key: value for key, value in content["data"].items() if key != WIDGET}
            show(str(data.get("text/plain", "")) + "\n")
            output = {"output_type": kind, "data": data, "metadata": content.get("metadata", {})}
            if kind == "execute_result":
                output["execution_count"] = content.get("execution_count")
            outputs.append(output)
            name = content.get("transient", {}).get("display_id")
            if name:
                self._displays.setdefault(name, []).append((index, output))

    def _update(self, content: Json) -> None:
        for index, output in self._displays.get(content.get("transient", {}).get("display_id"), []):
            output["data"] = {key: value for key, value in content["data"].items() if key != WIDGET}
            output["metadata"] = content.get("metadata", {})
            self.document.changed(index)


def show(text: str) -> None:
    """Print what a cell printed, as it comes, without colours."""
    try:
        sys.stdout.write(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text))
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  (open for the rest of the process)


class Page:
    """The HTML page. nbconvert takes half a second to import, so that is done while the kernel starts."""

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._exporter: Any = None
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        try:
            self._exporter = importlib.import_module("nbconvert").HTMLExporter()
            self._convert({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, "empty")
        except Exception as error:  # noqa: BLE001  (raised again where the page is made)
            self._error = error

    def _convert(self, content: Json, title: str) -> str:
        numbers = iter(range(1_000_000_000))
        self._exporter.environment.globals["uuid4"] = lambda: uuid.UUID(int=next(numbers))
        node = importlib.import_module("nbformat").from_dict(content)
        html, _ = self._exporter.from_notebook_node(node, {"metadata": {"name": title}})
        return str(html)

    def write(self, document: Document, path: Path) -> None:
        """Write the page of what the document holds now."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        cells = [document.joined(cell) for cell in document.cells]
        write_whole(path, self._convert({**document.content, "cells": cells}, path.stem))


def failure_line(number: int, error: Json) -> str:
    """Return what failed as one line: the cell, the error, and the line of the cell it came from."""
    said = next((line.strip() for line in str(error.get("evalue", "")).splitlines() if line.strip()), "")
    text = f"cell {number} failed: {error.get('ename', 'error')}" + (f": {said[:300]}" if said else "")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.get("traceback", [])))
    found = re.search(rf"(?:Cell |Input )In\s?\[{number}\], line (\d+)", plain)
    if found:
        arrow = re.search(rf"^-+> *{found[1]} ?(.*)$", plain[found.end() :], re.MULTILINE)
        text += f" (line {found[1]}{': ' + arrow[1].strip()[:200] if arrow else ''})"
    return text


def run_cells(document: Document, execution: Execution) -> tuple[int, str]:
    """Run all cells; return the exit code and, where that is not 0, why."""
    number = 0
    try:
        execution.start()
        document.save()
        for index, cell in enumerate(document.cells):
            if not is_run(cell):
                continue
            number += INJECTED not in _tags(cell)
            error = execution.run(index)
            document.save()
            if error is not None:
                execution.drain()
                return 1, failure_line(number, error)
        execution.drain()
    except StoppedError:
        where = f" in cell {number}" if number else " before the first cell"
        return 128 + (execution.stop.number or 0), f"stopped by {_signal_name(execution.stop.number)}{where}"
    except KernelDiedError as end:
        return end.code, f"the kernel died in cell {number} ({end})" if number else f"the kernel died ({end})"
    return 0, ""


def run_notebook(source: Path, target: Path, page_path: Path, parameters: Json) -> tuple[int, str]:
    """Run a notebook, leave its executed copy and its page; return the exit code and, if not 0, why."""
    stop = Stop()
    document = Document(source, target)
    document.inject(parameters)
    scratch = _scratch()
    kernel = None
    code, said = 0, ""
    try:
        # Nothing of whoever owns the hub, their templates or start-up files, may reach a result.
        private = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}
        os.environ.update({name: os.fspath(scratch / value) for name, value in private.items()})
        if any(is_run(cell) for cell in document.cells):
            kernel = Kernel(document, scratch, source.parent)
        page = Page()
        if kernel is not None:
            kernel.connect(stop.wake)
            code, said = run_cells(document, Execution(document, kernel, stop))
            kernel.ask_to_end()
        document.save()
        try:
            page.write(document, page_path)
        except Exception as error:  # noqa: BLE001  (whatever nbconvert and its templates raise)
            if code == 0:
                code, said = 1, f"the page could not be made: {type(error).__name__}: {error}"
        return code, said
    finally:
        if kernel is not None:
            kernel.end(KERNEL_ENDS_WITHIN_S if code in (0, 1) else 0.0)
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch() -> Path:
    """A socket's path has at most 107 bytes, see unix(7)."""
    folder = tempfile.mkdtemp(prefix="nb-")
    if len(os.fsencode(folder)) > 90:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="nb-", dir="/tmp")
    return Path(folder)


def _signal_name(number: int | None) -> str:
    return signal.Signals(number).name if number else "a signal"


def main(arguments: list[str]) -> int:
    """Run as a program; the last line of the error output says what failed."""
    parser = argparse.ArgumentParser(description="Run a notebook, keep its executed copy and an HTML page.")
    parser.add_argument("source", type=Path)
    parser.add_argument("executed", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--parameters", type=json.loads, default={}, help="JSON: name to value")
    options = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code, said = run_notebook(options.source, options.executed, options.page, options.parameters)
    except RefusedError as refusal:
        code, said = 1, str(refusal)
    except OSError as error:
        code, said = 1, f"the executed copy cannot be written: {error}"
    if said:
        show("")
        sys.stderr.write(f"{said}\n")
        sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
