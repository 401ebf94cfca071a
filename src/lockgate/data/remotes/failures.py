"""A remote's failures in words."""

from __future__ import annotations

from lockgate.errors import OutsideError


def missing(md5: str, url: str) -> OutsideError:
    return OutsideError(
        f"{md5} is not at {url}",
        "Ask whoever has it to send it: lockgate data put",
        code="remote-missing",
    )


def denied(url: str, words: str) -> OutsideError:
    return OutsideError(
        f"{url} refuses: {words}",
        "Look at the credentials for it: who may read and write there?",
        code="remote-denied",
    )


def unreachable(url: str, words: str) -> OutsideError:
    return OutsideError(
        f"{url} cannot be reached: {words}",
        "Look at the network and the address; what has arrived is kept, so call again.",
        code="remote-unreachable",
        is_transient=True,
    )


def failed(url: str, words: str) -> OutsideError:
    return OutsideError(
        f"{url} failed: {words}",
        "Look at the remote; what has arrived is kept, so call again.",
        code="remote-failed",
    )


def damaged_here(md5: str) -> OutsideError:
    return OutsideError(
        f"{md5} in the store here has other bytes than its name says; it was not sent",
        "Find what is damaged: lockgate data verify",
        code="store-damaged",
    )


def read_only(url: str) -> OutsideError:
    return OutsideError(
        f"{url} is only read from",
        "Send to another remote: lockgate data put --remote NAME|URL",
        code="remote-denied",
    )
