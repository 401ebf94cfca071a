"""Reading what HTCondor's commands answer, and writing what they are asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lockgate.errors import LockgateError, OutsideError, UserError

Ad = Mapping[str, object]

#: "5.0 - 5.9" of `condor_submit -terse`.
_TERSE = re.compile(r"(\d+)\.(\d+) - (\d+)\.(\d+)")
_NATIVE = re.compile(r"(\d+)\.(\d+)")

#: Words of a failure that come of the way to the access point, and not of what was asked.
_UNREACHABLE = (
    "Can't find address",
    "Unable to locate",
    "Can't connect",
    "Failed to connect",
    "Couldn't contact",
    "Failed to fetch ads",
    "Failed to end classad message",
    "SECMAN:",
    "CEDAR:",
    "DaemonCore error",
    "AUTHENTICATE:",
    "Connection refused",
    "did not respond",
    "Failed to get information",
    "Failed to create new proc",
    "Failed to create cluster",
    "Failed to begin transaction",
    "Failed to commit job submission into the queue",
    "Unable to begin transaction",
    "Unable to connect",
)
#: …but for these, which come of what was asked.
_REFUSED = ("SUBMIT_REQUIREMENT", "not allowed to own jobs", "MAX_JOBS", "was refused", "Submitter", "exceed")
_NO_CONFIG = ("contain a condor_config source", "CONDOR_CONFIG environment variable")


def parse_submitted(text: str) -> tuple[int, int]:
    """Return the cluster and how many jobs it has; raises `OutsideError` (`htcondor-answer`)."""
    found = _TERSE.findall(text)
    if len(found) != 1 or found[0][0] != found[0][2] or found[0][1] != "0":
        raise not_understood("condor_submit -terse", text)
    return int(found[0][0]), int(found[0][3]) + 1


def parse_ads(program: str, text: str) -> list[Ad]:
    """Return the ads of a `-json` answer, which is empty where there are none."""
    if not text.strip():
        return []
    try:
        ads: list[Ad] = msgspec.json.decode(text, type=list[dict[str, object]])
    except (msgspec.DecodeError, UnicodeError):
        raise not_understood(program, text) from None
    return ads


def native_id(ad: Ad) -> str | None:
    cluster, proc = ad.get("ClusterId"), ad.get("ProcId")
    return f"{cluster}.{proc}" if isinstance(cluster, int) and isinstance(proc, int) else None


def split_native(native: str) -> tuple[int, int]:
    """Return cluster and number of a job; raises `OutsideError` (`htcondor-answer`)."""
    found = _NATIVE.fullmatch(native)
    if not found:
        raise not_understood("a job's id", native)
    return int(found[1]), int(found[2])


def constraint_of(native_ids: Iterable[str]) -> str:
    """Return the ClassAd expression that is true of just these jobs, short for whole clusters' parts."""
    clusters: dict[int, list[int]] = {}
    for native in native_ids:
        cluster, proc = split_native(native)
        clusters.setdefault(cluster, []).append(proc)
    parts = []
    for cluster, procs in sorted(clusters.items()):
        spans = " || ".join(
            f"ProcId == {first}" if first == last else f"(ProcId >= {first} && ProcId <= {last})"
            for first, last in _spans(procs)
        )
        parts.append(f"(ClusterId == {cluster} && ({spans}))")
    return " || ".join(parts) or "false"


def _spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans


def key_constraint(attribute: str, keys: Sequence[str]) -> str:
    return " || ".join(f'{attribute} == "{key}"' for key in keys) or "false"


def failure(program: str, said: str) -> LockgateError:
    """Return the error that a failed command, or a failed call of the bindings, is to us."""
    message = _first_words(said)
    if any(sign in said for sign in _NO_CONFIG):
        return OutsideError(
            "HTCondor has no configuration on this host",
            "Set CONDOR_CONFIG for the hub to the pool's condor_config, or install HTCondor's own.",
            code="htcondor-missing",
        )
    is_refused = any(sign in said for sign in _REFUSED)
    if not is_refused and (not message or any(sign in said for sign in _UNREACHABLE)):
        return OutsideError(
            f"HTCondor's access point does not answer {program}" + (f": {message}" if message else ""),
            "Jobs that run go on, and it is asked again. If it stays so, `condor_status -schedd` tells more.",
            code="htcondor-unreachable",
            is_transient=True,
        )
    return UserError(
        f"HTCondor refuses: {message}",
        "Correct [batch.htcondor] or the stage's resources.",
        code="htcondor-refused",
    )


def not_understood(program: str, text: str) -> OutsideError:
    return OutsideError(
        f"the answer of {program} is not understood: {' '.join(text.split())[:200]!r}",
        "Please report it with HTCondor's version: condor_version.",
        code="htcondor-answer",
    )


def _first_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line] or [
        line for line in lines if not line.startswith("WARNING")
    ]
    if not errors:
        return ""
    at = lines.index(errors[0])
    text = " ".join(lines[at : at + 2]) if errors[0].endswith(":") else errors[0]
    return " ".join(text.removeprefix("ERROR:").split())[:300]
