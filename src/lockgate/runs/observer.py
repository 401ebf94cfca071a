"""Run a command and note what it opens and calls: python3 observer.py NOTES PROGRAM [ARGUMENT…]

Copied into the job's folder, run by whatever Python 3.8 or newer is there, with the workspace as working
directory: it imports nothing of Lockgate. Every process below it asks before it opens a file, starts a
program or calls a host. The kernel holds that call until this process has taken a note and let it go on, see
seccomp_unotify(2). That needs no rights, no compiler and no other program, holds for static programs too, and
takes nothing from a command but gaining rights (`sudo`). What is in the way is noted as the reason, and then
the command runs unobserved.

The notes are records that end with a NUL; the first letter says what follows:
`c` the workspace; `p` the name of a variable that the command could read; `r` a file read; `w` one written;
`m` one of the workspace that is not there; `h` a host and port called; `n` a name looked up; `s` how many
files of the system and the runtime were opened; `u` how many calls could not be read; `!` why nothing was
observed; `.` the command has ended. What Python reads of its environment is noted by `variable_reader.py`.

Exit code: that of the command; 128 + n when signal n killed it.
"""

# It stands in every job's way, and pathlib takes longer to import than all the rest.
# ruff: noqa: PTH100, PTH109, PTH115, PTH116, PTH120

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import select
import signal
import socket
import stat
import struct
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

# linux/seccomp.h, linux/filter.h, linux/audit.h, linux/prctl.h; the numbers of calls: asm/unistd.h
CALLS = {
    "x86_64": (0xC000003E, 317, {
        "open": 2, "connect": 42, "sendto": 44, "execve": 59, "creat": 85, "openat": 257, "sendmmsg": 307,
        "execveat": 322, "openat2": 437,
    }),
    "aarch64": (0xC00000B7, 277, {
        "connect": 203, "sendto": 206, "execve": 221, "openat": 56, "sendmmsg": 269, "execveat": 281,
        "openat2": 437,
    }),
}  # fmt: skip
SET_MODE_FILTER, NEW_LISTENER, WAIT_KILLABLE = 1, 1 << 3, 1 << 5
ALLOW, ASK, CONTINUE = 0x7FFF0000, 0x7FC00000, 1
RECEIVE, SEND, SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
PARENT_DEATH_SIGNAL, SUBREAPER, NO_NEW_PRIVS = 1, 36, 38
NOTICE, ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
AT_FDCWD = -100
PAGE = os.sysconf("SC_PAGE_SIZE")

#: What belongs to the system, not to the data of anybody.
SYSTEM = tuple(
    f"{each}/".encode()
    for each in ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev", "/run",
                 "/var/cache", "/var/lib", "/snap", "/nix/store")
)  # fmt: skip
#: What lies in such a folder is software wherever it is.
SOFTWARE = (
    b"/site-packages/",
    b"/dist-packages/",
    b"/lib/python3",
    b"/lib/R/",
    b"/lib/jvm/",
    b"/__pycache__/",
)
#: So many records at most: a stage that reads a million files is told of with the first of them.
MOST = 20_000

libc = ctypes.CDLL(None, use_errno=True)


class Notes:
    """The file of records: nothing twice, and on disk soon, as the job may be killed."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._seen: set[bytes] = set()
        self.waiting: list[bytes] = []

    def add(self, kind: bytes, what: bytes) -> None:
        record = kind + what
        if record not in self._seen and len(self._seen) < MOST:
            self._seen.add(record)
            self.waiting.append(record + b"\0")

    def flush(self) -> None:
        if self.waiting:
            with contextlib.suppress(OSError):
                os.write(self._descriptor, b"".join(self.waiting))
            self.waiting = []


class Observer:
    """Takes the notes of one command, call by call, until it has ended."""

    def __init__(self, listener: int, notes: Notes) -> None:
        calls = CALLS[os.uname().machine][2]
        self._listener = listener
        self._notes = notes
        self._seen: set[bytes] = set()
        self._software: set[bytes] = set()
        self._unread = 0
        here = os.fsencode(os.getcwd())
        self._own = os.path.dirname(here) + b"/"
        self._workspace = here + b"/"
        homes = {sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}
        homes.update(
            filter(None, (os.environ.get("VIRTUAL_ENV"), os.path.dirname(os.environ.get("MPLCONFIGDIR", ""))))
        )
        self._prefixes = SYSTEM + tuple(os.fsencode(each) + b"/" for each in homes if each != "/")
        self._local = ctypes.create_string_buffer(2 * PAGE)
        takers: dict[str, Callable[[int, list[int]], None]] = {
            "open": lambda pid, a: self._opened(pid, AT_FDCWD, a[0], a[1]),
            "creat": lambda pid, a: self._opened(pid, AT_FDCWD, a[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            "openat": lambda pid, a: self._opened(pid, a[0], a[1], a[2]),
            "openat2": lambda pid, a: self._opened(
                pid, a[0], a[1], int.from_bytes(self._memory(pid, a[2], 8), sys.byteorder)
            ),
            "execve": lambda pid, a: self._opened(pid, AT_FDCWD, a[0], os.O_RDONLY),
            "execveat": lambda pid, a: self._opened(pid, a[0], a[1], os.O_RDONLY),
            "connect": lambda pid, a: self._called(self._memory(pid, a[1], min(a[2], 128))),
            "sendto": self._sent,
            "sendmmsg": self._sent_many,
        }
        self._take = {number: takers[name] for name, number in calls.items()}

    def answer(self) -> None:
        """Take a note of one call and let it go on."""
        answer(self._listener, self._note)

    def _note(self, call: int, pid: int, arguments: list[int]) -> None:
        try:
            self._take[call](pid, arguments)
        except (OSError, ValueError):
            # The process is gone, or is none that may be looked into
            self._unread += 1

    def finish(self) -> None:
        self._notes.add(b"s", str(len(self._software)).encode())
        if self._unread:
            self._notes.add(b"u", str(self._unread).encode())
        self._notes.add(b".", b"")
        self._notes.flush()

    def _opened(self, pid: int, folder: int, address: int, flags: int) -> None:
        path = self._text(pid, address)
        if path[:1] != b"/":
            folder = ctypes.c_int(folder).value
            place = "cwd" if folder == AT_FDCWD else f"fd/{folder}"
            path = os.readlink(f"/proc/{pid}/{place}".encode()) + (b"/" + path if path else b"")
        if b"/.." in path:
            path = os.path.realpath(path)
        # What was written first is the command's own, also when it is read later
        if path in self._seen or flags & (os.O_DIRECTORY | os.O_PATH):
            return
        if path.startswith(self._prefixes):
            self._keep(path)
            self._software.add(path)
            return
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            path = os.path.normpath(path)
            if flags & os.O_CREAT:
                self._keep(path)
                self._tell(b"w", path)
            elif path.startswith(self._workspace):
                self._notes.add(b"m", path)
            return
        self._keep(path)
        if not stat.S_ISREG(found.st_mode):
            return
        path = os.path.realpath(path)
        if path.startswith(self._prefixes) or any(each in path for each in SOFTWARE):
            self._software.add(path)
        else:
            self._tell(b"w" if flags & (os.O_WRONLY | os.O_TRUNC) else b"r", path)

    def _tell(self, kind: bytes, path: bytes) -> None:
        if path.startswith(self._workspace) or not path.startswith(self._own):
            self._notes.add(kind, path)

    def _keep(self, path: bytes) -> None:
        """Remember a path, that it is looked at once; more than so many are not worth the memory."""
        if len(self._seen) < 10 * MOST:
            self._seen.add(path)

    def _called(self, address: bytes, transport: bytes = b"") -> None:
        family = int.from_bytes(address[:2], sys.byteorder)
        port = int.from_bytes(address[2:4], "big")
        if family == socket.AF_UNIX:
            path = address[2:].split(b"\0")[0]
            if path and not path.startswith(self._own) and b"nscd" not in path:
                self._notes.add(b"h", b"unix:" + path)
        elif family == socket.AF_INET and port not in (0, 53):
            host = socket.inet_ntop(family, address[4:8])
            self._notes.add(b"h", f"{host}:{port}".encode())
        elif family == socket.AF_INET6 and port not in (0, 53):
            host = socket.inet_ntop(family, address[8:24])
            host = host[7:] if host.startswith("::ffff:") else f"[{host}]"
            self._notes.add(b"h", f"{host}:{port}".encode())

    def _sent(self, pid: int, a: list[int]) -> None:
        address = self._memory(pid, a[4], min(a[5], 128))
        self._called(address)
        if address[2:4] == b"\0\x35":
            self._asked(self._memory(pid, a[1], min(a[2], 512)))

    def _sent_many(self, pid: int, a: list[int]) -> None:
        """The C library's resolver sends its questions this way: struct mmsghdr holds a struct msghdr."""
        for number in range(min(a[2], 4)):
            header = self._memory(pid, a[1] + number * 64, 56)
            name, length, _, vector = struct.unpack_from("=QIIQ", header)
            if name:
                self._called(self._memory(pid, name, min(length, 128)))
            base, size = struct.unpack("=QQ", self._memory(pid, vector, 16))
            self._asked(self._memory(pid, base, min(size, 512)))

    def _asked(self, question: bytes) -> None:
        """Note the name that a question asks for: RFC 1035, 4.1."""
        if len(question) < 17 or question[2] & 0xF8 or question[4:6] != b"\0\1" or question[6:10] != bytes(4):
            return
        labels, at = [], 12
        while at < len(question) and 0 < question[at] < 64:
            labels.append(question[at + 1 : at + 1 + question[at]])
            at += 1 + question[at]
        name = b".".join(labels)
        if name and name.isascii():
            self._notes.add(b"n", name)

    def _text(self, pid: int, address: int) -> bytes:
        first = PAGE - address % PAGE
        found = self._read(pid, address, first)
        end = found.find(b"\0")
        if end < 0:
            found += self._read(pid, address + first, PAGE)
            end = found.find(b"\0")
        if end < 0:
            raise ValueError("no path")
        return found[:end]

    def _memory(self, pid: int, address: int, length: int) -> bytes:
        found = self._read(pid, address, length)
        if len(found) < length:
            raise ValueError("not readable")
        return found

    def _read(self, pid: int, address: int, length: int) -> bytes:
        here = (ctypes.c_size_t * 2)(ctypes.addressof(self._local), length)
        there = (ctypes.c_size_t * 2)(address, length)
        count = libc.process_vm_readv(pid, here, 1, there, 1, 0)
        if count < 0:
            raise OSError(ctypes.get_errno(), "process_vm_readv")
        return self._local.raw[:count]


def answer(listener: int, note: Callable[[int, int, list[int]], None]) -> None:
    """Take one call that waits at `listener`, have it noted, let it go on."""
    notice = bytearray(NOTICE.size)
    with contextlib.suppress(OSError):  # who asked was killed meanwhile
        fcntl.ioctl(listener, RECEIVE, notice)
        number, pid, _, call, _, _, *arguments = NOTICE.unpack(notice)
        note(call, pid, arguments)
        fcntl.ioctl(listener, SEND, ANSWER.pack(number, 0, 0, CONTINUE))


def filtering(calls: dict[str, int], architecture: int) -> bytes:
    """Return the program by which the kernel chooses the calls that ask (classic BPF).

    `send` is `sendto` without an address: it does not ask, as it is what busy connections do all the time.
    """
    load, equal, give = 0x20, 0x15, 0x06
    plain = [number for name, number in calls.items() if name != "sendto"]
    count = len(plain)
    rules = [
        (load, 0, 0, 4),
        (equal, 0, 4 + count, architecture),
        (load, 0, 0, 0),
        *((equal, 3 + count - place, 0, number) for place, number in enumerate(plain)),
        (equal, 0, 2, calls["sendto"]),
        (load, 0, 0, 16 + 8 * 4),
        (equal, 0, 1, 0),
        (give, 0, 0, ALLOW),
        (give, 0, 0, ASK),
    ]
    return b"".join(struct.pack("=HBBI", code, yes, no, value) for code, yes, no, value in rules)


def lack() -> str:
    """Return why nothing can be observed here; empty: it can be tried."""
    system = os.uname()
    if system.sysname != "Linux" or system.machine not in CALLS:
        return f"not on {system.sysname} {system.machine}"
    # Only from then on a call can be let go on (5.5), and is it told that nobody is left who could call (5.9)
    release = re.match(r"(\d+)\.(\d+)", system.release)
    if release is None or (int(release[1]), int(release[2])) < (5, 9):
        return f"Linux {system.release} is older than 5.9"
    return ""


def listen() -> int:
    """Make this process and all it starts ask; return the descriptor where they do. Raises `OSError`."""
    architecture, call, calls = CALLS[os.uname().machine]
    program = filtering(calls, architecture)
    kept = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    for _ in range(2):
        for flags in (NEW_LISTENER | WAIT_KILLABLE, NEW_LISTENER):
            descriptor = libc.syscall(call, SET_MODE_FILTER, flags, described)
            if descriptor >= 0:
                return int(descriptor)
        # Only root may do without
        libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    number = ctypes.get_errno()
    raise OSError(number, f"the kernel refuses: {os.strerror(number)}")


def become(command: list[str], theirs: socket.socket) -> NoReturn:
    """Become the command, once somebody listens."""
    try:
        libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        try:
            listener = listen()
        except OSError as error:
            theirs.send((error.strerror or str(error)).encode())
        else:
            # The descriptor goes by a call that does not ask
            theirs.sendmsg([b"+"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", listener))])
            os.close(listener)
        theirs.close()
        # Python ignores these, and what is ignored is inherited
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    os._exit(127)


def received(ours: socket.socket) -> tuple[int | None, str]:
    """Return the descriptor where the command asks, or None and why it does not."""
    said, ancillary, _, _ = ours.recvmsg(1000, socket.CMSG_SPACE(4))
    for _, _, content in ancillary:
        return int(struct.unpack("=i", content[:4])[0]), ""
    return None, said.decode("utf-8", "replace") or "the command did not start"


def reap(child: int) -> int | None:
    """Take leave of every process that has ended; return how the command did, None: it has not."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == child:
            return status
        if pid == 0:
            return None


def watch(observer: Observer, listener: int, notes: Notes, child: int) -> int:
    """Take notes until the command has ended; return how it did, as os.waitpid tells."""
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    asked = select.poll()
    asked.register(listener, select.POLLIN)
    asked.register(wake, select.POLLIN)
    is_idle = False
    while True:
        status = reap(child)
        if status is not None:
            return status
        events = dict(asked.poll(None if is_idle else 500))
        if not events:
            notes.flush()
            is_idle = True
        if events.get(listener, 0) & select.POLLIN:
            observer.answer()
            is_idle = False
        elif events.get(listener):
            asked.unregister(listener)
        if wake in events:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)


def drain(listener: int) -> None:
    """Let what the command has left behind go on: without an answer its calls would fail."""
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    if waiting.poll(0) == [(listener, select.POLLHUP)] or os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    while waiting.poll()[0][1] & select.POLLIN:
        answer(listener, lambda call, pid, arguments: None)
    os._exit(0)


def main(words: list[str]) -> int:
    """Run the command; return its exit code."""
    folder, *command = words
    notes = Notes(f"{folder}/calls")
    notes.add(b"c", os.fsencode(os.getcwd()))
    for name in os.environb:
        notes.add(b"p", name)
    reason = lack()
    if reason:
        notes.add(b"!", reason.encode())
        notes.flush()
        os.execvp(command[0], command)
    here = os.path.dirname(os.path.abspath(__file__))
    # What Python reads of its environment is no call: see variable_reader.py
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (f"{here}/python", os.environ.get("PYTHONPATH"))))
    libc.prctl(SUBREAPER, 1, 0, 0, 0)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        become(command, theirs)
    theirs.close()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        # They come to the command as well, and how it ends is to be told
        signal.signal(number, signal.SIG_IGN)
    listener, reason = received(ours)
    if listener is None:
        notes.add(b"!", reason.encode())
        notes.flush()
        _, status = os.waitpid(child, 0)
    else:
        with contextlib.suppress(OSError):
            fcntl.ioctl(listener, SET_FLAGS, 1)
        observer = Observer(listener, notes)
        status = watch(observer, listener, notes, child)
        observer.finish()
        drain(listener)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
