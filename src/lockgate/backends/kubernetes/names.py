"""How jobs are called in a cluster: labels, names, native ids. Pure."""

from __future__ import annotations

import re

import msgspec

MANAGED_BY, OWNER = "app.kubernetes.io/managed-by", "lockgate"
KEY, RUN, STAGE, INDEX = "lockgate/key", "lockgate/run", "lockgate/stage", "lockgate/index"
SELECTOR = f"{MANAGED_BY}={OWNER}"

_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")


class NativeId(msgspec.Struct, frozen=True):
    """A job in its namespace; `index` is that of its pod where it is one of an Indexed Job."""

    namespace: str
    name: str
    index: int | None = None

    def __str__(self) -> str:
        tail = "" if self.index is None else f"/{self.index}"
        return f"{self.namespace}/{self.name}{tail}"


def parse_native_id(text: str) -> NativeId | None:
    """Read what `str` makes of a `NativeId`; None: it is none."""
    namespace, _, rest = text.partition("/")
    name, _, index = rest.partition("/")
    if not namespace or not name or (index and not index.isdecimal()):
        return None
    return NativeId(namespace, name, int(index) if index else None)


def job_name(key: str, number: int | None = None) -> str:
    """Return the name of a batch's Job, or of that of one member where each has its own."""
    lower = key.lower()
    return lower if number is None else f"{lower}-{number}"


def label_value(text: str) -> str:
    """Return a text as a label may hold it: at most 63 of `[A-Za-z0-9._-]`, an alphanumeric at both ends."""
    return _NOT_IN_A_LABEL.sub("-", text)[:63].strip("-_.")
