"""What git gets of notebooks, by its long-running filter: one process for all notebooks of a command.

Protocol: gitattributes(5), Long Running Filter Process; gitprotocol-common(5), pkt-line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from lockgate.hub.notebooks.policy import Executed
from lockgate.project.outputs import NotebookError, without_outputs

_LONGEST = 65516
_END = b"0000"


class ProtocolError(Exception):
    """What came is not git's protocol: nothing more can be said to it."""


def serve(ask: BinaryIO, answer: BinaryIO, executed: Executed, tell: Callable[[str], None]) -> None:
    """Answer git until it has no more notebooks. `tell` is told of files that are taken as they are.

    Raises `ProtocolError`.
    """
    hello = list(_lines(ask))
    if hello != ["git-filter-client", "version=2"]:
        raise ProtocolError("this is started by git, for notebooks that are added")
    _say(answer, "git-filter-server", "version=2")
    if "capability=clean" not in list(_lines(ask)):
        raise ProtocolError("git does not know the filter clean")
    _say(answer, "capability=clean")
    while (command := dict(line.partition("=")[::2] for line in _lines(ask))) != {}:
        content = b"".join(_packets(ask))
        path = command.get("pathname", "")
        if path not in executed:
            try:
                content = without_outputs(content)
            except NotebookError as why:
                tell(f"{path} is taken as it is: {why}")
        _say(answer, "status=success")
        view = memoryview(content)
        for at in range(0, len(view), _LONGEST):
            part = view[at : at + _LONGEST]
            answer.write(f"{len(part) + 4:04x}".encode())
            answer.write(part)
        # The second: the status stays what it was
        answer.write(_END + _END)
        answer.flush()


def _packets(ask: BinaryIO) -> Iterator[bytes]:
    while (head := ask.read(4)) != _END:
        if not head:
            return
        try:
            length = int(head, 16)
        except ValueError:
            raise ProtocolError("this is started by git, for notebooks that are added") from None
        yield ask.read(length - 4)


def _lines(ask: BinaryIO) -> Iterator[str]:
    for packet in _packets(ask):
        yield packet.decode("utf-8", "surrogateescape").removesuffix("\n")


def _say(answer: BinaryIO, *lines: str) -> None:
    for line in lines:
        answer.write(f"{len(line) + 5:04x}{line}\n".encode())
    answer.write(_END)
    answer.flush()
