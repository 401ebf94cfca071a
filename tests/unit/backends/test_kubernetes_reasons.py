"""Kubernetes' states and reasons in words. Messages are the real ones: of 1.20 as its node gave them, of
later versions as their source writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.kubernetes.answers import (
    JobItem,
    Listed,
    Pod,
    decode,
    holds_index,
    index_of,
    seconds,
    server_version,
)
from lockgate.backends.kubernetes.reasons import job_seen, pod_seen, unschedulable_words
from lockgate.backends.system import Seen
from lockgate.errors import OutsideError


def pod_of(status: dict[str, object], node: str | None = "node-1") -> Pod:
    text = {
        "metadata": {"name": "lg-a-1-x", "labels": {"lockgate/key": "lg-a", "job-name": "lg-a"}},
        "spec": {"nodeName": node} if node else {},
        "status": status,
    }
    return decode(json.dumps(text).encode(), Pod)


def container(state: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"name": "job", "image": "i", "imageID": "", "state": state}]


def seen_of(status: dict[str, object], node: str | None = "node-1") -> Seen:
    return pod_seen(pod_of(status, node), 164_000_000, 100_000_000)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0/1 nodes are available: 1 Insufficient cpu.", "of 1 node, 1 with too little free cpus"),
        (
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes "
            "are available: 1 Preemption is not helpful for scheduling.",
            "of 1 node, 1 with too little free cpus",
        ),
        (
            "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s).",
            "of 2 nodes, 1 with too little free memory; 1 with a taint which it does not tolerate",
        ),
        (
            "0/3 nodes are available: 1 Insufficient memory, 2 Insufficient nvidia.com/gpu. preemption: "
            "0/3 nodes are available: 3 No preemption victims found for incoming pod.",
            "of 3 nodes, 1 with too little free memory; 2 with too little free gpus",
        ),
        (
            "0/1 nodes are available: 1 node(s) didn't match node selector.",
            "1 with another node_selector than asked for",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            "2 with another node_selector or affinity than asked for",
        ),
        (
            "0/2 nodes are available: 1 node(s) had taint {gpu: only}, that the pod didn't tolerate, "
            "1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }.",
            "1 with the taint {gpu: only}, which it does not tolerate; 1 with the taint "
            "{node.kubernetes.io/disk-pressure: }, which it does not tolerate",
        ),
        ("0/1 nodes are available: 1 Too many pods.", "1 with no room for another pod"),
        (
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity.",
            "1 with another node_selector or affinity than asked for",
        ),
        ("0/0 nodes are available: .", "the cluster has none"),
        ('persistentvolumeclaim "hub-files" not found', 'persistentvolumeclaim "hub-files" not found'),
        ("", "waits for the scheduler"),
    ],
)
def test_why_no_node_takes_it(message: str, words: str) -> None:
    assert words in unschedulable_words(message)


@given(st.text(max_size=300))
def test_any_message_of_the_scheduler_becomes_words(message: str) -> None:
    assert unschedulable_words(message).startswith("waits for ")
    assert "\n" not in unschedulable_words(f"0/1 nodes are available: {message}\n").partition("node")[0]


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("ErrImagePull", "not found", "its image cannot be pulled: not found"),
        ("ImagePullBackOff", 'Back-off pulling image "x"', "its image cannot be pulled, and is tried again"),
        ("InvalidImageName", "couldn't parse", "its image has no valid name"),
        ("ErrImageNeverPull", "", "image_pull_policy says Never"),
        ("CreateContainerConfigError", 'secret "db" not found', 'lacks something it names: secret "db"'),
        ("ContainerCreating", None, "its container is being made"),
        ("SomethingNew", "of 2030", "waits (SomethingNew): of 2030"),
    ],
)
def test_why_a_container_does_not_start(reason: str, message: str | None, words: str) -> None:
    waiting = {"waiting": {"reason": reason, "message": message}}
    seen = seen_of({"phase": "Pending", "containerStatuses": container(waiting)})
    assert seen.state == "pending" and words in seen.reason


def ended(state: dict[str, object], **status: object) -> Seen:
    terminated = {"terminated": {"exitCode": 0, "reason": "Completed", **state}}
    return seen_of({"phase": "Failed", "containerStatuses": container(terminated), **status})


def test_how_a_pod_ended() -> None:
    started, finished = "2026-11-21T09:00:00Z", "2026-11-21T09:00:07Z"
    done = ended({"exitCode": 3, "reason": "Error", "startedAt": started, "finishedAt": finished}).exit
    assert done is not None and (done.code, done.signal, done.cause) == (3, None, None)
    assert done.ended_at is not None and done.started_at is not None
    assert done.ended_at - done.started_at == 7
    killed = ended({"exitCode": 139, "reason": "Error"}).exit
    assert killed is not None and (killed.code, killed.signal) == (None, 11)


@pytest.mark.parametrize(
    ("state", "status", "cause", "words"),
    [
        (
            {"exitCode": 137, "reason": "OOMKilled"},
            {},
            "memory",
            "killed at 164 MB, asked for 100 MB",
        ),
        (
            {"exitCode": 137, "reason": "Error"},
            {"reason": "Evicted", "message": "The node was low on resource: memory."},
            "vanished",
            "evicted from node-1: The node was low on resource: memory.",
        ),
        ({"exitCode": 137, "reason": "Error"}, {"reason": "DeadlineExceeded"}, "walltime", "walltime"),
        ({"exitCode": 137, "reason": "Error"}, {"reason": "NodeLost"}, "vanished", "node-1 is lost"),
        (
            {"exitCode": 143, "reason": "Error"},
            {
                "conditions": [
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "PreemptionByScheduler",
                        "message": "preempting to accommodate a higher priority pod",
                    }
                ]
            },
            "vanished",
            "PreemptionByScheduler",
        ),
        (
            {"exitCode": 128, "reason": "StartError", "message": 'exec: "python3": not found'},
            {},
            "refused",
            'cannot be started: exec: "python3": not found',
        ),
        ({"exitCode": 126, "reason": "Error", "message": "no Python 3.11"}, {}, "refused", "no Python 3.11"),
        (
            {"exitCode": 137, "reason": "ContainerStatusUnknown"},
            {},
            "vanished",
            "does not know how it ended",
        ),
        (
            {},
            {"reason": "Shutdown", "message": "Node is shutting"},
            "vanished",
            "(Shutdown): Node is shutting",
        ),
    ],
)
def test_why_a_pod_was_ended(
    state: dict[str, object], status: dict[str, object], cause: str, words: str
) -> None:
    exit_record = ended(state, **status).exit
    assert exit_record is not None and exit_record.cause == cause
    assert exit_record.detail is not None and words in exit_record.detail


def test_a_phase_nobody_knows_is_told_and_not_guessed_at() -> None:
    seen = seen_of({"phase": "Hibernating"})
    assert seen.state == "unknown" and "Hibernating" in seen.reason


def test_a_job_without_a_pod() -> None:
    def job_of(**condition: str) -> JobItem:
        conditions = [{"status": "True", **condition}] if condition else []
        text = {"metadata": {"name": "a"}, "status": {"conditions": conditions}}
        return decode(json.dumps(text).encode(), JobItem)

    assert job_seen(job_of(), None).state == "pending"
    assert job_seen(job_of(), "no pod can be made: quota").reason == "no pod can be made: quota"
    assert "suspended" in job_seen(job_of(type="Suspended"), None).reason
    failed = job_seen(job_of(type="Failed", reason="BackoffLimitExceeded", message="m"), None)
    assert failed.exit is not None and failed.exit.cause == "vanished"
    late = job_seen(job_of(type="Failed", reason="DeadlineExceeded"), None)
    assert late.exit is not None and late.exit.cause == "walltime"


def test_answers_are_read() -> None:
    assert server_version(b'{"major":"1","minor":"29+"}') == (1, 29)
    assert decode(b'{"metadata":{"resourceVersion":"7"},"items":null}', Listed[Pod]).items is None
    assert seconds("1970-01-01T00:00:01Z") == 1
    assert seconds("no time") is None and seconds(None) is None
    pod = decode(
        b'{"metadata":{"name":"a","annotations":{"batch.kubernetes.io/job-completion-index":"3"}}}', Pod
    )
    assert index_of(pod) == 3


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"major":"x","minor":"y"}', b"\xff", b"[]"])
def test_an_answer_of_another_kind_is_an_error(content: bytes) -> None:
    with pytest.raises(OutsideError) as raised:
        server_version(content)
    assert raised.value.code == "backend-answer"


@pytest.mark.parametrize(
    ("text", "indexes"),
    [(None, []), ("", []), ("0", [0]), ("1,3-5,7", [1, 3, 4, 5, 7]), ("0-1", [0, 1])],
)
def test_which_indexes_of_a_job_have_failed(text: str | None, indexes: list[int]) -> None:
    assert [n for n in range(9) if holds_index(text, n)] == indexes
