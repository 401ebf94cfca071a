"""What git starts at a push: hands the hook to the hub's hook server, or does it itself where none takes it.

`python -I -S hook.py HOOK HUB PROJECT`, by its path: without `site` an interpreter starts in 10 ms, and what
`receive` has to import takes ten times as long. So this imports nothing that the interpreter has not built in
(`socket` alone takes 10 ms).

To the server: how many bytes follow (4, big-endian), with them this process's first three descriptors; then
HOOK, PROJECT, the working directory and the environment, each ended by a zero byte. From the server: `TAKEN`
once it has read all of that, at the end the exit code as one byte. Without `TAKEN` nothing was done, and the
hook can still be done here.
"""

from __future__ import annotations

import _socket
import os
import sys

#: Where the server listens, in the hub's directory; so it is named from there (a socket's path is short).
SOCKET = "hooks.sock"
TAKEN = b"T"
DESCRIPTORS = (0, 1, 2)


def main(arguments: list[str]) -> int:
    """Be the hook; return its exit code."""
    hook, root, project = arguments
    code = _served(hook, root, project)
    if code is None:
        os.execv(sys.executable, [sys.executable, "-I", "-m", "lockgate.hub.receive", hook, root, project])
    return code


def _served(hook: str, root: str, project: str) -> int | None:
    """Return the exit code of the hook as the server did it; None: nobody took it, nothing was done."""
    folder = os.getcwd()  # noqa: PTH109  (pathlib takes 10 ms)
    words = [hook, project, folder, *(f"{name}={value}" for name, value in os.environ.items())]
    request = b"".join(os.fsencode(word) + b"\0" for word in words)
    passed = b"".join(number.to_bytes(4, sys.byteorder) for number in DESCRIPTORS)
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        os.chdir(root)
        server.connect(SOCKET)
        length = len(request).to_bytes(4, "big")
        server.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, passed)])
        server.sendall(request)
        if server.recv(1) != TAKEN:
            return None
    except OSError:
        return None
    finally:
        os.chdir(folder)
    code = server.recv(1)
    if not code:
        sys.stderr.write("lockgate: the hub's hook server broke off; push again\n")
        return 1
    return code[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
