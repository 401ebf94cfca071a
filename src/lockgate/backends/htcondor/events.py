"""Reading a job event log in XML, and what its events make of each job. Pure.

Source: HTCondor manual, "Job Event Log Codes"; condor_submit(1), `log_xml`; the attributes are those that
`toClassAd` of each event writes, src/condor_utils/condor_event.cpp, 9.0 to 25.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from xml.etree import ElementTree

import msgspec

Value = str | int | float | bool | None
Event = Mapping[str, Value]

#: Of an event; what is nested in it is indented.
_OPEN, _CLOSE = b"\n<c>\n", b"\n</c>\n"


class Story(msgspec.Struct, frozen=True):
    """What the log has told of one job."""

    state: str = "idle"
    """`idle`, `running`, `held`, `done` (it ended by itself), `removed`, `evicted`, `restarted`."""
    key: str | None = None
    starts: int = 0
    reason: str = ""
    """Of a job that is held, removed or evicted: HTCondor's words."""
    code: int = 0
    """HoldReasonCode, or the ReasonCode of an eviction."""
    subcode: int = 0
    host: str = ""
    is_disconnected: bool = False
    is_carrying: str = ""
    """`input` or `output` while files are carried."""
    exit_code: int | None = None
    signal: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    peak_bytes: int | None = None
    strange: str = ""
    """The event that is not known, by its name."""

    @property
    def is_over(self) -> bool:
        """Whether it can never run again."""
        is_held_for_good = self.state == "held" and self.starts > 0
        return is_held_for_good or self.state in ("done", "removed", "evicted", "restarted")


def split_log(data: bytes) -> tuple[list[Event], int]:
    """Return the whole events in this piece of a log, and how many bytes they take from its beginning.

    What a crash left half-written between whole events is passed over; an event that is still being written
    is left for later.
    """
    events, end = [], 0
    while (close := data.find(_CLOSE, end)) >= 0:
        piece, end = data[end : close + len(_CLOSE)], close + len(_CLOSE)
        opening = piece.rfind(_OPEN) + 1
        event = _parse(piece[opening:])
        if event is not None:
            events.append(event)
    return events, end


def tell(stories: Mapping[str, Story], events: Iterable[Event]) -> dict[str, Story]:
    """Return the stories, by native id, with these events added."""
    told = dict(stories)
    for event in events:
        cluster, proc = event.get("Cluster"), event.get("Proc")
        if isinstance(cluster, int) and isinstance(proc, int) and proc >= 0:
            native_id = f"{cluster}.{proc}"
            told[native_id] = _after(told.get(native_id, Story()), event)
    return told


def _after(story: Story, event: Event) -> Story:
    """Return the story after one event. What ended a job first is what ended it."""
    number = event.get("EventTypeNumber")
    if number == 0:
        return Story(key=_text(event, "UserNotes") or None)
    if story.is_over:
        return _afterwards(story, event)
    if number in _SILENT:
        return story
    tell_one = _TELLERS.get(number) if isinstance(number, int) else None
    if tell_one is None:
        return msgspec.structs.replace(story, strange=_text(event, "MyType") or f"event {number}")
    return tell_one(story, event)


#: Executable error, checkpoint, shadow exception, suspended and not, remote error, ad information, status
#: unknown and known, attribute update, cluster submit and remove, materialisation paused and resumed, space,
#: common files: none of them changes what a job is.
_SILENT = frozenset({2, 3, 7, 10, 11, 21, 28, 29, 30, 33, 35, 36, 37, 38, 39, 41, 42, 43, 44, 45, 46, 47})


def _afterwards(story: Story, event: Event) -> Story:
    """An eviction says that a job went, what follows says why: held for memory, removed by somebody."""
    if story.state != "evicted":
        return story
    number = event.get("EventTypeNumber")
    if number == 12:
        return _held(story, event)
    if number == 9 and not _text(event, "Reason").startswith(_BY_POLICY):
        return msgspec.structs.replace(story, state="removed", reason=_text(event, "Reason"))
    return story


_BY_POLICY = ("The job attribute PeriodicRemove", "The PeriodicRemove")


def _executed(story: Story, event: Event) -> Story:
    starts = story.starts + 1
    host = _text(event, "SlotName") or _text(event, "ExecuteHost")
    state = "running" if starts == 1 else "restarted"
    started_at = _time(event) if starts == 1 else story.started_at
    return msgspec.structs.replace(
        story, state=state, starts=starts, host=host, started_at=started_at, is_carrying="", reason=""
    )


def _evicted(story: Story, event: Event) -> Story:
    """A job that never began goes back to the queue as if nothing had been."""
    if story.starts == 0:
        return msgspec.structs.replace(story, state="idle", is_disconnected=False, is_carrying="")
    if event.get("TerminatedAndRequeued"):
        return msgspec.structs.replace(story, state="evicted", reason="it was put back into the queue")
    return msgspec.structs.replace(
        story,
        state="evicted",
        reason=_text(event, "Reason"),
        code=_whole(event, "ReasonCode") or 0,
        subcode=_whole(event, "ReasonSubCode") or 0,
        ended_at=_time(event),
    )


def _held(story: Story, event: Event) -> Story:
    return msgspec.structs.replace(
        story,
        state="held",
        reason=_text(event, "HoldReason"),
        code=_whole(event, "HoldReasonCode") or 0,
        subcode=_whole(event, "HoldReasonSubCode") or 0,
        is_carrying="",
    )


def _terminated(story: Story, event: Event) -> Story:
    is_normal = event.get("TerminatedNormally") is True
    return msgspec.structs.replace(
        story,
        state="done",
        exit_code=_whole(event, "ReturnValue") if is_normal else None,
        signal=None if is_normal else _whole(event, "TerminatedBySignal"),
        ended_at=_time(event),
        is_carrying="",
    )


def _sized(story: Story, event: Event) -> Story:
    peak = max(story.peak_bytes or 0, 1024 * (_whole(event, "ResidentSetSize") or 0))
    return msgspec.structs.replace(story, peak_bytes=peak or None)


def _removed(story: Story, event: Event) -> Story:
    return msgspec.structs.replace(
        story, state="removed", reason=_text(event, "Reason"), ended_at=_time(event)
    )


def _released(story: Story, event: Event) -> Story:
    return msgspec.structs.replace(story, state="idle", reason="", code=0, subcode=0)


def _connected(story: Story, event: Event) -> Story:
    return msgspec.structs.replace(story, is_disconnected=event.get("EventTypeNumber") != 23)


def _carried(story: Story, event: Event) -> Story:
    return msgspec.structs.replace(story, is_carrying=_carrying(event))


_TELLERS: Mapping[int, Callable[[Story, Event], Story]] = {
    1: _executed,
    4: _evicted,
    5: _terminated,
    6: _sized,
    9: _removed,
    12: _held,
    13: _released,
    22: _connected,
    23: _connected,
    24: _connected,
    40: _carried,
}


def _carrying(event: Event) -> str:
    """Type of FileTransferEvent: 1 to 3 of input, 4 to 6 of output; queued, started, finished."""
    kind = event.get("Type")
    return {1: "input", 2: "input", 4: "output", 5: "output"}.get(kind, "") if isinstance(kind, int) else ""


def _parse(block: bytes) -> Event | None:
    try:
        root = ElementTree.fromstring(block)
    except ElementTree.ParseError:
        return None
    event: dict[str, Value] = {}
    for attribute in root:
        name = attribute.get("n")
        if name is not None and len(attribute) == 1:
            event[name] = _value(attribute[0])
    return event


def _value(element: ElementTree.Element) -> Value:
    text = element.text or ""
    try:
        if element.tag == "i":
            return int(text)
        if element.tag == "r":
            return float(text)
    except ValueError:
        return None
    if element.tag == "b":
        return element.get("v") == "t"
    return text if element.tag == "s" else None


def _text(event: Event, name: str) -> str:
    value = event.get(name)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _whole(event: Event, name: str) -> int | None:
    value = event.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(event: Event) -> float | None:
    """EventTime is ISO 8601 in the local time of the access point, or in UTC with a `Z`."""
    try:
        return datetime.datetime.fromisoformat(_text(event, "EventTime").replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
