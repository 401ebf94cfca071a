"""Kubernetes' states and reasons in Lockgate's words. Pure."""

from __future__ import annotations

import re

from lockgate.backends.kubernetes import names
from lockgate.backends.kubernetes.answers import (
    ContainerState,
    ContainerStatus,
    JobItem,
    Pod,
    Terminated,
    label,
    seconds,
    true_condition,
)
from lockgate.backends.kubernetes.manifest import CONTAINER, EXIT_REFUSED
from lockgate.backends.system import Seen
from lockgate.project.quantities import counted, size_words
from lockgate.runs.job import Cause, ExitRecord

_NODES = re.compile(r"(\d+)/(\d+) nodes are available:? ?(.*)", re.DOTALL)
_LACKS = re.compile(r"(\d+) (?:Insufficient ([\w./-]+)|Too many pods)")
_TAINT = re.compile(r"(\d+) node\(s\) had (?:untolerated )?taint (\{[^}]*\})")

#: What the scheduler says behind a number of nodes (kubernetes, pkg/scheduler/framework/plugins, ErrReason
#: constants; checked in 1.20, 1.25, 1.31 and 1.36), and how Lockgate says it.
_PLUGIN_WORDS = {
    "node(s) didn't match Pod's node affinity/selector": "another node_selector or affinity than asked for",
    "node(s) didn't match Pod's node affinity": "another node_selector or affinity than asked for",
    "node(s) didn't match node selector": "another node_selector than asked for",
    "node(s) didn't match pod affinity rules": "no pod beside which it wants to be",
    "node(s) didn't match pod anti-affinity rules": "a pod beside which it must not be",
    "node(s) didn't satisfy existing pods anti-affinity rules": "a pod that wants none such beside it",
    "node(s) didn't match pod topology spread constraints": "more of such pods than its spread allows",
    "node(s) had untolerated taint(s)": "a taint which it does not tolerate",
    "node(s) were unschedulable": "cordoned",
    "node(s) had volume node affinity conflict": "its volume elsewhere",
    "node(s) didn't have free ports for the requested pod ports": "its ports taken",
    "node(s) exceed max volume count": "no more volumes to attach",
    "node(s) did not have enough free storage": "too little free storage for its volume",
}
_RESOURCES = {"cpu": "cpus", "memory": "memory", "ephemeral-storage": "disk"}

#: Container waiting reasons (kubernetes, pkg/kubelet/images/types.go and kuberuntime, kubelet 1.20 to 1.31).
_ON_ITS_WAY = {
    None: "its container is being made",
    "ContainerCreating": "its container is being made: volumes, image, network",
    "PodInitializing": "its container is being made",
}
_IMAGE_PROBLEMS = {
    "ErrImagePull": "its image cannot be pulled",
    "ImagePullBackOff": "its image cannot be pulled, and is tried again",
    "InvalidImageName": "its image has no valid name",
    "ErrImageNeverPull": "its image is not on the node, and image_pull_policy says Never",
    "ImageInspectError": "its image is broken",
    "RegistryUnavailable": "the registry of its image does not answer",
    "SignatureValidationFailed": "the signature of its image is not valid",
}
_CONTAINER_PROBLEMS = {
    "CreateContainerConfigError": "its container lacks something it names",
    "CreateContainerError": "its container cannot be made",
    "RunContainerError": "its container cannot be started",
    "CrashLoopBackOff": "its container cannot be started",
    "PostStartHookError": "its container cannot be started",
    "PreCreateHookError": "its container cannot be made",
    "PreStartHookError": "its container cannot be started",
}


def pod_seen(pod: Pod, limit_bytes: int | None, asked_bytes: int | None) -> Seen:
    """Return what a job's pod says of it.

    Parameters
    ----------
    limit_bytes, asked_bytes
        What the pod may hold, and what its stage asked for.
    """
    key = label(pod.metadata.labels, names.KEY)
    status, state = pod.status, _state(pod)
    if status.phase in ("Succeeded", "Failed"):
        return Seen("ended", key, exit=_exit(pod, state.terminated, limit_bytes, asked_bytes))
    if status.phase == "Unknown":
        return Seen("running", key, reason=f"its node {pod.spec.node_name} does not answer")
    if status.phase == "Running":
        return Seen("running", key, reason=_lost_words(pod))
    if status.phase == "Pending":
        return Seen("pending", key, reason=pending_words(pod, state))
    return Seen("unknown", key, reason=f"its pod is in the phase {status.phase!r}")


def job_seen(job: JobItem, problem: str | None) -> Seen:
    """Return what a Job that has no pod says of itself; `problem`: why no pod can be made."""
    key = label(job.metadata.labels, names.KEY)
    failed = true_condition(job.status.conditions, "Failed")
    if failed is not None:
        return Seen("ended", key, exit=_job_failure(failed.reason, failed.message))
    if true_condition(job.status.conditions, "Complete") is not None:
        return Seen("ended", key, exit=ExitRecord())
    if true_condition(job.status.conditions, "Suspended") is not None:
        return Seen("pending", key, reason="is suspended: a queue of the cluster, or somebody, holds it back")
    return Seen("pending", key, reason=problem or "waits for its pod to be made")


def pending_words(pod: Pod, state: ContainerState) -> str:
    """Return why a pod has not started."""
    unscheduled = next((each for each in pod.status.conditions or () if each.type == "PodScheduled"), None)
    if unscheduled is not None and unscheduled.status != "True":
        if unscheduled.reason == "SchedulingGated":
            return "is held back by a scheduling gate of the cluster"
        return unschedulable_words(unscheduled.message or "")
    waiting = state.waiting
    if waiting is None or waiting.reason in _ON_ITS_WAY:
        where = f" on {pod.spec.node_name}" if pod.spec.node_name else ""
        words = _ON_ITS_WAY[waiting.reason if waiting is not None else None]
        return f"{words}{where}" if pod.spec.node_name else "waits for the scheduler"
    message = _short(waiting.message)
    reason = waiting.reason or ""
    words = _IMAGE_PROBLEMS.get(reason) or _CONTAINER_PROBLEMS.get(reason) or f"waits ({reason})"
    return f"{words}: {message}" if message else words


def unschedulable_words(message: str) -> str:
    """Turn the scheduler's message into words; what is not known of it is repeated as it is."""
    found = _NODES.match(message)
    if found is None:
        return f"waits for a node: {_short(message)}" if message else "waits for the scheduler"
    # Behind the nodes' reasons follow sentences of what would not help: preemption, claims to give back
    total, rest = int(found[2]), found[3].partition(". ")[0].strip().rstrip(".")
    if not rest:
        return "waits for a node: the cluster has none" if total == 0 else "waits for a node"
    parts = [_part_words(part) for part in re.split(r", (?=\d+ )|,\s(?=(?:pod|persistent)\w* )", rest)]
    return f"waits for a node: of {counted(total, 'node')}, {'; '.join(parts)}"


def _part_words(part: str) -> str:
    part = part.strip().rstrip(".")
    lacks = _LACKS.fullmatch(part)
    if lacks is not None:
        what = "no room for another pod" if lacks[2] is None else f"too little free {_resource(lacks[2])}"
        return f"{lacks[1]} with {what}"
    taint = _TAINT.match(part)
    if taint is not None:
        return f"{taint[1]} with the taint {taint[2]}, which it does not tolerate"
    number, _, words = part.partition(" ")
    if number.isdecimal() and words in _PLUGIN_WORDS:
        return f"{number} with {_PLUGIN_WORDS[words]}"
    return part


def _resource(name: str) -> str:
    return _RESOURCES.get(name) or ("gpus" if name.endswith("/gpu") else name)


def _state(pod: Pod) -> ContainerState:
    statuses = pod.status.container_statuses or ()
    nothing = ContainerStatus(CONTAINER)
    return next((each for each in statuses if each.name == CONTAINER), nothing).state


def _lost_words(pod: Pod) -> str:
    if pod.status.reason == "NodeLost":
        return f"its node {pod.spec.node_name} does not answer"
    return ""


def _exit(pod: Pod, ended: Terminated | None, limit_bytes: int | None, asked_bytes: int | None) -> ExitRecord:
    reason, message = pod.status.reason, _short(pod.status.message)
    if ended is None:
        times = ExitRecord(started_at=None)
    else:
        number = ended.exit_code - 128
        is_signal = 0 < number < 65
        times = ExitRecord(
            code=None if is_signal else ended.exit_code,
            signal=number if is_signal else None,
            started_at=seconds(ended.started_at),
            ended_at=seconds(ended.finished_at),
        )
    cause, detail = _cause(pod, ended, reason, message, limit_bytes, asked_bytes)
    return ExitRecord(
        code=times.code,
        signal=times.signal,
        cause=cause,
        detail=detail,
        started_at=times.started_at,
        ended_at=times.ended_at,
    )


def _cause(
    pod: Pod,
    ended: Terminated | None,
    reason: str | None,
    message: str,
    limit_bytes: int | None,
    asked_bytes: int | None,
) -> tuple[Cause | None, str | None]:
    node = pod.spec.node_name or "its node"
    if reason == "DeadlineExceeded":
        return "walltime", "ended by Kubernetes, long after the walltime asked for"
    if ended is not None and ended.reason == "OOMKilled":
        return "memory", oom_words(limit_bytes, asked_bytes)
    if reason == "Evicted":
        return "vanished", f"evicted from {node}: {message}"
    disrupted = true_condition(pod.status.conditions, "DisruptionTarget")
    if disrupted is not None:
        return "vanished", f"ended by the cluster on {node} ({disrupted.reason}): {_short(disrupted.message)}"
    if reason == "NodeLost":
        return "vanished", f"its node {node} is lost"
    if reason is not None:
        return "vanished", f"ended by the cluster on {node} ({reason}): {message}"
    if ended is None:
        return "vanished", f"its pod on {node} failed, and nothing tells how {message}".strip()
    if ended.reason in ("StartError", "ContainerCannotRun"):
        return "refused", f"its container cannot be started: {_short(ended.message)}"
    if ended.exit_code == EXIT_REFUSED and ended.message:
        return "refused", _short(ended.message)
    if _was_deleted(pod, ended):
        return "vanished", deleted_words(pod)
    if ended.reason == "ContainerStatusUnknown":
        return "vanished", f"its node {node} was lost, and does not know how it ended"
    return None, None


def deleted_words(pod: Pod) -> str:
    """Return how a pod that was deleted before its job's end went."""
    where = f" on {pod.spec.node_name}" if pod.spec.node_name else ""
    name = pod.metadata.name
    return f"its pod {name}{where} was deleted before it had ended: by somebody, or with its node"


def was_cut_short(pod: Pod) -> bool:
    """Return whether a pod that is gone had not come to its own end."""
    if pod.status.phase not in ("Succeeded", "Failed"):
        return True
    ended = _state(pod).terminated
    return ended is not None and _was_deleted(pod, ended)


def _was_deleted(pod: Pod, ended: Terminated) -> bool:
    """Whether a container ended in the grace period of its pod's deletion, and not well."""
    deadline, finished = seconds(pod.metadata.deletion_timestamp), seconds(ended.finished_at)
    if deadline is None or finished is None or ended.exit_code == 0:
        return False
    return finished >= deadline - (pod.metadata.deletion_grace_period_seconds or 0) - 1


def oom_words(limit_bytes: int | None, asked_bytes: int | None) -> str:
    """Return how a job that held all it may hold was killed."""
    if limit_bytes is None or asked_bytes is None:
        return "killed for want of memory on its node; it asked for no amount"
    return f"killed at {size_words(limit_bytes)}, asked for {size_words(asked_bytes)}"


def _job_failure(reason: str | None, message: str | None) -> ExitRecord:
    if reason == "DeadlineExceeded":
        detail = "ended by Kubernetes: the Job was active longer than its deadline"
        return ExitRecord(cause="walltime", detail=detail)
    words = f"{reason}: {_short(message)}" if reason else _short(message)
    return ExitRecord(cause="vanished", detail=f"its Job failed and its pod is gone ({words})")


def _short(message: str | None) -> str:
    """Return a message on one line, of a length that can be shown."""
    line = " ".join((message or "").split())
    return line if len(line) <= 300 else f"{line[:297]}…"
