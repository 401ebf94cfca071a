"""The table `[batch.kubernetes]`: what a lead may choose of a cluster. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from lockgate.runs.checked import is_check
from lockgate.runs.job import Job

TABLE = "[batch.kubernetes]"


class Shared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A folder that the hub and the nodes see alike; mounted into the pods at the path it has at the hub."""

    path: str
    claim: str | None = None
    """A PersistentVolumeClaim whose root is the folder."""
    host_path: str | None = None
    """The folder's path on every node."""
    sub_path: str | None = None
    """Of a claim: which of its folders it is."""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See docs/how-to/kubernetes.md; names of Kubernetes' own fields are told there."""

    image: str | None = None
    checks_image: str | None = None
    """The image that tables are checked in, whatever the project's has; a Python of the hub's version."""
    runtime: Literal["hub", "image"] = "hub"
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    shared: tuple[Shared, ...] = ()
    serve: str | None = None
    """HOST:PORT where the hub serves the jobs' files, when none are shared."""
    reach: str | None = None
    """The address by which pods reach `serve`, where it is another: a URL."""
    user: int | None = None
    group: int | None = None
    service_account: str | None = None
    priority_class: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str | int], ...] = ()
    secrets: dict[str, str] = {}
    """Variable → `SECRET/KEY`."""
    secret_files: dict[str, str] = {}
    """Folder → the secret that is mounted there."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    gpu_resource: str = "nvidia.com/gpu"
    limit_cpus: bool = False
    keep_s: int = 86400
    pod: dict[str, object] = {}
    """Further fields of the pod's `spec`."""


#: Fields of a pod's spec that would take a job out of Lockgate's hands, and what to do instead.
_OURS = {
    "activeDeadlineSeconds": "say `walltime` of the stage instead",
    "containers": "the job's container is Lockgate's; say `image` and the other keys instead",
    "imagePullSecrets": "say `image_pull_secrets` instead",
    "initContainers": "a container that fails before the job's would look like the job failing",
    "nodeSelector": "say `node_selector` instead",
    "restartPolicy": "Lockgate itself starts a job again, once",
    "serviceAccountName": "say `service_account` instead",
    "terminationGracePeriodSeconds": "a job that is ended has 5 s to save what it has",
    "tolerations": "say `tolerations` instead",
}
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: distribution/reference, reference.go: name, then `:tag`, then `@algorithm:digest`; each part optional.
_IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
#: Kubernetes, concepts/overview/working-with-objects/labels: prefix/name, value.
_LABEL_NAME = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s/]+):(\d{1,5})")
_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


def read_options(table: Mapping[str, object]) -> Options | str:
    """Return the options, or in words what is wrong with the table."""
    known = [field.name for field in msgspec.structs.fields(Options)]
    unknown = sorted(set(table) - set(known))
    if unknown:
        return f"{TABLE} has no key {unknown[0]!r}; known are {', '.join(known)}"
    try:
        options = msgspec.convert(dict(table), Options)
    except msgspec.ValidationError as error:
        return f"{TABLE} is wrong: {_in_words(str(error))}"
    return _problem(options) or options


def options_of(job: Job) -> Options | str:
    """Return what counts for a job, or in words what is wrong with the table.

    Checks run in a runtime of Lockgate's own, which an image of the project's does not have.
    """
    options = read_options(job.options)
    if isinstance(options, str) or not is_check(job.stage):
        return options
    if options.checks_image is not None:
        return replace(options, image=options.checks_image, runtime="hub")
    if options.runtime == "image":
        return (
            f'{TABLE} has runtime = "image", where checks have no runtime: say which image with the hub\'s '
            'Python they run in, as checks_image = "python:3.11-slim"'
        )
    return options


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of a checked `serve`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def has_digest(image: str) -> bool:
    """Return whether an image is named by its digest, and so is the same for ever."""
    return "@sha256:" in image


def _in_words(message: str) -> str:
    """Turn msgspec's `Expected `str`, got `int` - at `$.image`` into what a lead reads in TOML."""
    what, _, place = message.partition(" - at `$.")
    return f"{place.rstrip('`')}: {what[:1].lower()}{what[1:]}" if place else message


def _problem(options: Options) -> str | None:
    if options.image is None:
        return (
            f"{TABLE} names no image: say which container image its jobs run in, as "
            'image = "registry/team/image@sha256:…"'
        )
    for key, image in (("image", options.image), ("checks_image", options.checks_image)):
        if image is not None and _IMAGE.fullmatch(image) is None:
            return f"{TABLE} {key}: {image!r} is no name of a container image"
    if options.namespace is not None and _DNS_LABEL.fullmatch(options.namespace) is None:
        return f"{TABLE} namespace: {options.namespace!r} is no name of a namespace"
    return _file_problem(options) or _name_problem(options) or _pod_problem(options)


def _file_problem(options: Options) -> str | None:
    if bool(options.shared) == (options.serve is not None):
        return (
            f"{TABLE} needs either `shared`, the folders that hub and nodes have in common, or `serve`, "
            "the address where the hub serves the jobs' files to the pods"
        )
    for each in options.shared:
        if not each.path.startswith("/") or "/../" in f"{each.path}/":
            return f"{TABLE} shared: path = {each.path!r} is no absolute path"
        if (each.claim is None) == (each.host_path is None):
            return f"{TABLE} shared: {each.path!r} needs either `claim` or `host_path`"
    if options.serve is not None:
        found = _ADDRESS.fullmatch(options.serve)
        if found is None or not 0 < int(found[2]) < 65536:
            return f'{TABLE} serve: {options.serve!r} is no address; write it as "10.0.0.5:8731"'
    if options.reach is not None and _URL.fullmatch(options.reach) is None:
        return f'{TABLE} reach: {options.reach!r} is no URL; write it as "https://hub.example.org/jobs"'
    if options.reach is not None and options.serve is None:
        return f"{TABLE} reach: there is nothing to reach without `serve`"
    return None


def _name_problem(options: Options) -> str | None:
    for variable, place in options.secrets.items():
        secret, _, key = place.partition("/")
        if _VARIABLE.fullmatch(variable) is None or _DNS_NAME.fullmatch(secret) is None or not key:
            return f'{TABLE} secrets: write {variable} = "SECRET/KEY", not {place!r}'
    for path, secret in options.secret_files.items():
        if not path.startswith("/") or _DNS_NAME.fullmatch(secret) is None:
            return f'{TABLE} secret_files: write "/absolute/path" = "SECRET", not {path!r} = {secret!r}'
    for name, value in (*options.labels.items(), *options.node_selector.items()):
        if _LABEL_NAME.fullmatch(name) is None or _LABEL_VALUE.fullmatch(value) is None:
            return f"{TABLE}: {name!r} = {value!r} is no label as Kubernetes writes them"
    for name in (*options.labels, *options.annotations):
        if name.startswith(("lockgate/", "app.kubernetes.io/managed-by")):
            return f"{TABLE}: the label {name!r} is Lockgate's own"
    if options.keep_s < 60:
        return f"{TABLE} keep_s: {options.keep_s} s is too short to see how a job ended; at least 60"
    return None


def _pod_problem(options: Options) -> str | None:
    for name in options.pod:
        if name in _OURS:
            return f"{TABLE} pod holds {name!r}, which Lockgate cannot let through: {_OURS[name]}"
    return None
