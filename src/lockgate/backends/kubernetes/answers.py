"""What the API answers, read once: pods, jobs, events, versions. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from lockgate.errors import OutsideError

T = TypeVar("T")


class _Fields(msgspec.Struct, frozen=True, rename="camel"):
    """Fields as the API names them; those not named here are passed over."""


class Metadata(_Fields, frozen=True):
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    """When the grace period of a deletion is over."""
    deletion_grace_period_seconds: int | None = None


class Condition(_Fields, frozen=True):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class Waiting(_Fields, frozen=True):
    reason: str | None = None
    message: str | None = None


class Running(_Fields, frozen=True):
    started_at: str | None = None


class Terminated(_Fields, frozen=True):
    exit_code: int
    signal: int | None = None
    reason: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(_Fields, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Fields, frozen=True):
    name: str
    state: ContainerState = ContainerState()
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")


class PodStatus(_Fields, frozen=True):
    phase: str = "Pending"
    reason: str | None = None
    message: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None


class PodSpec(_Fields, frozen=True):
    node_name: str | None = None


class Pod(_Fields, frozen=True):
    metadata: Metadata
    status: PodStatus = PodStatus()
    spec: PodSpec = PodSpec()


class JobStatus(_Fields, frozen=True):
    conditions: list[Condition] | None = None
    failed_indexes: str | None = None
    """Which members of an Indexed Job have failed, while others may go on: `1,3-5`."""


class JobItem(_Fields, frozen=True):
    metadata: Metadata
    status: JobStatus = JobStatus()


class Involved(_Fields, frozen=True):
    kind: str | None = None
    name: str | None = None


class EventItem(_Fields, frozen=True):
    metadata: Metadata
    involved_object: Involved = Involved()
    reason: str | None = None
    message: str | None = None


class ListMetadata(_Fields, frozen=True):
    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")


class Listed(_Fields, Generic[T], frozen=True):
    """An answer to a list; an empty list may be null."""

    metadata: ListMetadata
    items: list[T] | None = None


class Change(_Fields, frozen=True):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Told(_Fields, frozen=True):
    """A `Status` object: how the API tells a failure."""

    message: str | None = None
    reason: str | None = None
    code: int | None = None


def decode(content: bytes, kind: type[T]) -> T:
    """Read an answer. Raises `OutsideError` (`backend-answer`) for one of another shape."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OutsideError(
            f"Kubernetes answered what is not understood: {error}",
            "Is the address that of a Kubernetes API server?",
            code="backend-answer",
        ) from None


class _Version(msgspec.Struct, frozen=True):
    major: str
    minor: str


def server_version(content: bytes) -> tuple[int, int]:
    """Read `/version`: `{"major": "1", "minor": "29+"}`; some vendors write a sign behind the number."""
    said = decode(content, _Version)
    major, minor = re.match(r"\d+", said.major), re.match(r"\d+", said.minor)
    if major is None or minor is None:
        raise OutsideError(
            f"Kubernetes says its version is {said.major!r}.{said.minor!r}, which is not understood",
            "Is the address that of a Kubernetes API server?",
            code="backend-answer",
        )
    return int(major[0]), int(minor[0])


def seconds(timestamp: str | None) -> float | None:
    """Return RFC 3339 as seconds since the epoch."""
    if timestamp is None:
        return None
    try:
        return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def true_condition(conditions: list[Condition] | None, *types: str) -> Condition | None:
    """Return the first condition of these types that holds."""
    return next((each for each in conditions or () if each.type in types and each.status == "True"), None)


def label(labels: Mapping[str, str] | None, *names: str) -> str | None:
    """Return the first of these labels that is there."""
    return next((labels[name] for name in names if labels and name in labels), None)


def index_of(pod: Pod) -> int | None:
    """Return which index of an Indexed Job a pod has: a label since 1.28, an annotation before."""
    name = "batch.kubernetes.io/job-completion-index"
    text = label(pod.metadata.labels, name) or label(pod.metadata.annotations, name)
    return int(text) if text is not None and text.isdecimal() else None


def holds_index(text: str | None, index: int) -> bool:
    """Return whether an index is among those of a text as `1,3-5` (Kubernetes API, JobStatus v1 batch)."""
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and int(first) <= index <= int(last if last.isdecimal() else first):
            return True
    return False


def job_of(pod: Pod) -> str | None:
    """Return the name of the Job that made a pod."""
    return label(pod.metadata.labels, "batch.kubernetes.io/job-name", "job-name")
