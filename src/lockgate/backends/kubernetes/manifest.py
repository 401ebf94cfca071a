"""The Jobs that a batch becomes, as the API takes them. Pure: texts in, dictionaries out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import msgspec

from lockgate.backends.kubernetes import names
from lockgate.backends.kubernetes.options import Options, Shared
from lockgate.backends.system import MEMBERS, Batch
from lockgate.project.pipeline import Resources

#: Where a pod that shares no files has its job's folder.
CARRIED_FOLDER = "/lockgate/job"
#: The name of the one container.
CONTAINER = "job"
#: What a pod says of a failure before its job, beside its exit code: read from the container's status.
TERMINATION_LOG = "/dev/termination-log"
EXIT_REFUSED = 126
GRACE_S = 20
#: A pod may take so much longer than its job's walltime: image, start, files. The wrapper keeps the time.
BACKSTOP_S = 3600
#: What carrying the files takes of a pod's memory.
CARRIER_BYTES = 64_000_000

# Runs in a pod that shares the hub's files: finds the member's folder, and replaces itself by the wrapper.
_SHARED_SCRIPT = """\
folder=$1 wrapper=$2 python=$3
if [ -n "$JOB_COMPLETION_INDEX" ]; then folder=$folder/$JOB_COMPLETION_INDEX; fi
if ! cd -P -- "$folder"; then
    echo "the job's folder $folder is not there: is the volume the hub's?" >{log}
    exit {code}
fi
if [ -n "$python" ] && [ ! -x "$python" ] && [ ! -e pid ]; then
    said="this image has no Python where the runtime $python looks for it: $(readlink "$python")"
    echo "lockgate: $said" | tee {log} >output.log
    exit {code}
fi
exec /bin/sh "$wrapper" "$PWD"
"""


class Carried(msgspec.Struct, frozen=True):
    """How a pod without shared files gets what it needs."""

    url: str
    """Where the batch's files are; a member's number comes behind it."""
    program: str
    """The Python program that carries them."""


def runtime_folder(job_script: str) -> str | None:
    """Return the runtime's virtual environment that a job.sh puts first on PATH; None: it has none."""
    for line in job_script.splitlines():
        if line.startswith("export VIRTUAL_ENV="):
            words = shlex.split(line.partition("=")[2])
            return words[0] if words else None
        if line.startswith("(cd "):
            return None
    return None


def has_indexes(server: tuple[int, int]) -> bool:
    """Return whether a server lets one index of a Job fail and the others go on: `backoffLimitPerIndex` is
    on by default since 1.29 (Kubernetes, KEP-3850). Before, one failing pod ends or repeats others."""
    return server >= (1, 29)


def manifests(
    batch: Batch,
    options: Options,
    *,
    server: tuple[int, int],
    owner: tuple[int, int],
    venv: str | None,
    carried: Carried | None,
) -> list[dict[str, object]]:
    """Return the Jobs for a batch: one Indexed Job where the server can, else one for each member.

    Parameters
    ----------
    server
        Its version, as `(1, 29)`.
    owner
        The hub's user and group, as which jobs write into shared folders.
    venv
        The virtual environment of the runtime; None: the jobs have none.
    carried
        How files come to the pods; None: they are shared.
    """
    if len(batch.jobs) > 1 and has_indexes(server):
        template = _template(batch, options, None, owner, venv, carried)
        spec = _job_spec(options, template) | {
            "completionMode": "Indexed",
            "completions": len(batch.jobs),
            "parallelism": len(batch.jobs),
            "backoffLimitPerIndex": 0,
        }
        return [_job(batch, options, names.job_name(batch.key), None, spec)]
    is_alone = len(batch.jobs) == 1
    made = []
    for number in range(len(batch.jobs)):
        template = _template(batch, options, number, owner, venv, carried)
        spec = _job_spec(options, template) | {"backoffLimit": 0}
        name = names.job_name(batch.key, None if is_alone else number)
        made.append(_job(batch, options, name, number, spec))
    return made


def native_ids(batch: Batch, namespace: str, server: tuple[int, int]) -> list[str]:
    """Return the ids of a batch's members as `manifests` names them."""
    count = len(batch.jobs)
    if count == 1:
        return [str(names.NativeId(namespace, names.job_name(batch.key)))]
    if has_indexes(server):
        return [str(names.NativeId(namespace, names.job_name(batch.key), n)) for n in range(count)]
    return [str(names.NativeId(namespace, names.job_name(batch.key, n))) for n in range(count)]


def literal(text: str) -> str:
    """Return a text so that the kubelet gives it to the program as it is: `$(NAME)` would be expanded
    (Kubernetes API, Container v1 core, args)."""
    return text.replace("$", "$$")


def shared_problem(options: Options, folder: str) -> str | None:
    """Return in words why a job's folder is not among the shared ones, or None."""
    if not options.shared or any(_lies_in(folder, each.path) for each in options.shared):
        return None
    paths = ", ".join(each.path for each in options.shared)
    return f"its folder {folder} lies in none of the folders shared with the nodes: {paths}"


def _lies_in(path: str, folder: str) -> bool:
    return path == folder.rstrip("/") or path.startswith(f"{folder.rstrip('/')}/")


def _job(
    batch: Batch, options: Options, name: str, number: int | None, spec: dict[str, object]
) -> dict[str, object]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": _labels(batch, options, number),
            "annotations": _annotations(batch, options, number),
        },
        "spec": spec,
    }


def _labels(batch: Batch, options: Options, number: int | None) -> dict[str, str]:
    own = {
        names.MANAGED_BY: names.OWNER,
        names.KEY: batch.key,
        names.RUN: names.label_value(batch.jobs[0].run),
        names.STAGE: names.label_value(batch.jobs[number or 0].stage.partition("@")[0]),
    }
    if number is not None:
        own[names.INDEX] = str(number)
    return dict(options.labels) | own


def _annotations(batch: Batch, options: Options, number: int | None) -> dict[str, str]:
    if number is None:
        return dict(options.annotations)
    return dict(options.annotations) | {names.STAGE: batch.jobs[number].stage}


def _job_spec(options: Options, template: dict[str, object]) -> dict[str, object]:
    return {"ttlSecondsAfterFinished": options.keep_s, "template": template}


def _template(
    batch: Batch,
    options: Options,
    number: int | None,
    owner: tuple[int, int],
    venv: str | None,
    carried: Carried | None,
) -> dict[str, object]:
    volumes, mounts = _volumes(options, venv, carried)
    container = {
        "name": CONTAINER,
        "image": options.image,
        "command": _command(batch, options, number, venv, carried),
        "resources": _resources(batch.jobs[0].resources, options, is_carried=carried is not None),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }
    if options.secrets:
        container["env"] = [_secret_variable(*each) for each in options.secrets.items()]
    if options.image_pull_policy is not None:
        container["imagePullPolicy"] = options.image_pull_policy
    spec: dict[str, object] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "enableServiceLinks": False,
        "automountServiceAccountToken": options.service_account is not None,
        "containers": [container],
        "volumes": volumes,
    }
    walltime_s = batch.jobs[0].resources.walltime_s
    if walltime_s is not None:
        spec["activeDeadlineSeconds"] = walltime_s + BACKSTOP_S
    user = options.user if options.user is not None or carried is not None else owner[0]
    group = options.group if options.group is not None or carried is not None else owner[1]
    security = {"runAsUser": user, "runAsGroup": group}
    security = {name: value for name, value in security.items() if value is not None}
    if security:
        spec["securityContext"] = security
    for name, value in (
        ("serviceAccountName", options.service_account),
        ("priorityClassName", options.priority_class),
        ("nodeSelector", options.node_selector),
        ("tolerations", [dict(each) for each in options.tolerations]),
        ("imagePullSecrets", [{"name": each} for each in options.image_pull_secrets]),
    ):
        if value:
            spec[name] = value
    metadata: dict[str, object] = {"labels": _labels(batch, options, number)}
    if options.annotations:
        metadata["annotations"] = dict(options.annotations)
    return {"metadata": metadata, "spec": merged(spec, options.pod)}


def merged(spec: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    """Return a pod's spec with the lead's further fields: tables are merged, lists are joined."""
    result = dict(spec)
    for name, value in more.items():
        own = result.get(name)
        if isinstance(own, Mapping) and isinstance(value, Mapping):
            result[name] = merged(own, value)
        elif isinstance(own, list) and isinstance(value, list):
            result[name] = [*own, *value]
        else:
            result[name] = value
    return result


def _command(
    batch: Batch, options: Options, number: int | None, venv: str | None, carried: Carried | None
) -> list[str]:
    python = f"{venv}/bin/python" if venv is not None and options.runtime == "hub" else ""
    if carried is not None:
        words = ["python3", "-c", carried.program, carried.url, "" if number is None else str(number)]
        words += [CARRIED_FOLDER, venv or "" if options.runtime == "hub" else "", options.image or ""]
    else:
        folder = f"{batch.folder}/{MEMBERS}" if number is None else batch.jobs[number].folder
        script = _SHARED_SCRIPT.format(log=TERMINATION_LOG, code=EXIT_REFUSED)
        words = ["/bin/sh", "-c", script, "lockgate", folder, f"{batch.folder}/wrapper.sh", python]
    return [literal(word) for word in words]


def _volumes(
    options: Options, venv: str | None, carried: Carried | None
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    volumes: list[dict[str, object]] = []
    mounts: list[dict[str, object]] = []

    def add(name: str, source: dict[str, object], **mount: object) -> None:
        volumes.append({"name": name, **source})
        mounts.append({"name": name, **mount})

    for number, each in enumerate(options.shared):
        add(f"shared-{number}", _source(each), mountPath=each.path, **_sub_path(each))
    if carried is not None:
        add("carried", {"emptyDir": {}}, mountPath="/lockgate")
    if venv is not None and (carried is not None or options.runtime == "image"):
        # Carried: its programs hold its path. Image: the hub's runtime on a shared volume is hidden.
        place = venv.rpartition("/")[0] if carried is not None else venv
        add("runtime", {"emptyDir": {}}, mountPath=place)
    for number, (path, secret) in enumerate(options.secret_files.items()):
        add(f"secret-{number}", {"secret": {"secretName": secret}}, mountPath=path, readOnly=True)
    return volumes, mounts


def _source(each: Shared) -> dict[str, object]:
    if each.claim is not None:
        return {"persistentVolumeClaim": {"claimName": each.claim}}
    return {"hostPath": {"path": each.host_path, "type": "Directory"}}


def _sub_path(each: Shared) -> dict[str, object]:
    return {} if each.sub_path is None else {"subPath": each.sub_path}


def _secret_variable(name: str, place: str) -> dict[str, object]:
    secret, _, key = place.partition("/")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def memory_limit(resources: Resources, *, is_carried: bool) -> int | None:
    """Return the bytes a pod may hold: what its job asked for, and what carrying its files takes."""
    if resources.memory_bytes is None:
        return None
    return resources.memory_bytes + (CARRIER_BYTES if is_carried else 0)


def _resources(asked: Resources, options: Options, *, is_carried: bool) -> dict[str, dict[str, str]]:
    requests, limits = {"cpu": str(asked.cpus)}, {}
    if options.limit_cpus:
        limits["cpu"] = str(asked.cpus)
    memory = memory_limit(asked, is_carried=is_carried)
    if memory is not None:
        requests["memory"] = limits["memory"] = str(memory)
    if asked.gpus:
        requests[options.gpu_resource] = limits[options.gpu_resource] = str(asked.gpus)
    return {"requests": requests, "limits": limits} if limits else {"requests": requests}
