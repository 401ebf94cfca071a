"""What a job's story, or its ad, is to the engine. Pure."""

from __future__ import annotations

import re

from lockgate.backends.htcondor import holds
from lockgate.backends.htcondor.answers import Ad
from lockgate.backends.htcondor.events import Story
from lockgate.backends.system import Seen
from lockgate.project.pipeline import Resources
from lockgate.project.quantities import size_words
from lockgate.runs.job import Cause, ExitRecord

#: What `condor_rm` is given as the reason of our own removals.
OUR_REASON = "cancelled by Lockgate"
#: ReasonCode of an eviction because the job was removed; manual, "Vacate Reason Codes".
JOB_REMOVED = 1023

_BY_USER = re.compile(r"^(.*?) *\(by user ([^)]*)\)$")
_PEAK = re.compile(r"Peak usage: (\d+) megabytes")
_POLICY_OF_OURS = re.compile(r"(job attribute )?PeriodicRemove expression")
_NO_ANSWER = "HTCondor has lost contact with its worker and tries again"


def seen_of_story(story: Story, asked: Resources) -> Seen:
    """Return what is to be said of a job by the log."""
    if story.strange:
        return Seen("unknown", story.key, f"HTCondor's event log says {story.strange!r} of it")
    if story.is_over:
        return Seen("ended", story.key, exit=_exit(story, asked))
    if story.state == "running":
        if story.is_disconnected:
            return Seen("running", story.key, _NO_ANSWER)
        return Seen("running", story.key, "brings its outputs back" if story.is_carrying == "output" else "")
    if story.state == "held":
        return Seen(
            "pending", story.key, f"held: {holds.hold_words(story.code, story.subcode, story.reason)}"
        )
    return Seen(
        "pending", story.key, "its inputs are carried to its worker" if story.is_carrying == "input" else ""
    )


def seen_of_ad(ad: Ad, asked: Resources) -> Seen:
    """Return what is to be said of a job by its ad, where the log is silent.

    Source: HTCondor manual, "Job ClassAd Attributes", JobStatus.
    """
    key = ad.get("LockgateKey")
    story = Story(
        key=key if isinstance(key, str) else None,
        starts=_number(ad, "NumJobStarts"),
        code=_number(ad, "HoldReasonCode"),
        subcode=_number(ad, "HoldReasonSubCode"),
        reason=str(ad.get("HoldReason") or ad.get("RemoveReason") or ""),
    )
    status = ad.get("JobStatus")
    states = {1: "idle", 2: "running", 3: "removed", 4: "done", 5: "held", 6: "running", 7: "running"}
    if not isinstance(status, int) or status not in states:
        return Seen("unknown", story.key, f"HTCondor says JobStatus {status!r} of it")
    is_signal = ad.get("ExitBySignal") is True
    told = Story(
        state=states[status],
        key=story.key,
        starts=story.starts,
        code=story.code,
        subcode=story.subcode,
        reason=story.reason,
        is_carrying="output" if status == 6 else "",
        exit_code=None if is_signal or "ExitCode" not in ad else _number(ad, "ExitCode"),
        signal=_number(ad, "ExitSignal") if is_signal else None,
    )
    return seen_of_story(told, asked)


def _exit(story: Story, asked: Resources) -> ExitRecord:
    cause, detail = _cause(story, asked)
    return ExitRecord(
        code=story.exit_code,
        signal=story.signal,
        cause=cause,
        detail=detail,
        started_at=story.started_at,
        ended_at=story.ended_at,
        peak_memory_bytes=story.peak_bytes,
    )


def _cause(story: Story, asked: Resources) -> tuple[Cause | None, str | None]:
    if story.state == "done":
        return None, None
    if story.state == "held":
        return _held(story, asked)
    where = f" on {story.host}" if story.host else ""
    if story.state == "restarted":
        return "vanished", f"HTCondor started it a second time{where}, as it had lost its first start"
    if story.state == "removed" or story.code == JOB_REMOVED:
        return _removed(story.reason)
    return "vanished", f"HTCondor took it off its worker{where}: {story.reason or 'it does not say why'}"


def _held(story: Story, asked: Resources) -> tuple[Cause, str]:
    """A job that began and is held can never go on under its number."""
    words = holds.hold_words(story.code, story.subcode, story.reason)
    if story.code == holds.OUT_OF_RESOURCES and story.subcode != holds.DISK_SUBCODE:
        found = _PEAK.search(story.reason)
        peak_bytes = max(story.peak_bytes or 0, int(found[1]) << 20 if found else 0)
        if peak_bytes and asked.memory_bytes:
            return "memory", f"killed at {size_words(peak_bytes)}, asked for {size_words(asked.memory_bytes)}"
        return "memory", words
    if story.code in (holds.DURATION, holds.EXECUTE_DURATION):
        return "walltime", words
    return "vanished", f"HTCondor stopped and held it: {words}"


def _removed(reason: str) -> tuple[Cause, str]:
    if _POLICY_OF_OURS.search(reason):
        return "vanished", "HTCondor put it back into its queue after it had started"
    found = _BY_USER.match(reason)
    said, who = (found[1], found[2]) if found else (reason, "")
    if said == OUR_REASON:
        return "cancelled", "cancelled"
    if said.startswith("via condor_rm"):
        said = ""
    words = f"removed by {who}" if who else "removed"
    return "cancelled", f"{words}: {said}" if said else words


def _number(ad: Ad, name: str) -> int:
    value = ad.get(name)
    return value if isinstance(value, int) else 0
