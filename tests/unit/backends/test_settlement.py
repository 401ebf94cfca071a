"""How a job ended, when its own record, its wrapper and the batch system each say something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.settlement import Traces, settle
from lockgate.project.pipeline import Resources
from lockgate.runs.job import ExitRecord

ASKED = Resources(memory_bytes=1_000_000_000, walltime_s=600)
GOOD = ExitRecord(code=0, started_at=10.0, ended_at=20.0, cpu_time_s=3.0)
BAD = ExitRecord(code=3, started_at=10.0, ended_at=20.0)
TERMINATED = ExitRecord(signal=15, started_at=10.0, ended_at=20.0)


def settled(traces: Traces, said: ExitRecord | None = None, *, is_cancelled: bool = False) -> ExitRecord:
    return settle(
        traces,
        said,
        folder="/jobs/1",
        resources=ASKED,
        is_cancelled=is_cancelled,
        system="Slurm",
        native_id="7_1",
    )


def test_its_own_record_counts() -> None:
    assert settled(Traces(own=BAD), ExitRecord(code=1)) == BAD
    assert settled(Traces(own=GOOD), ExitRecord(code=0)) == GOOD
    assert settled(Traces(own=GOOD)) == GOOD


@pytest.mark.parametrize("cause", ["walltime", "cancelled", "vanished"])
def test_a_command_that_ended_well_did_so_whatever_came_after(cause: str) -> None:
    said = ExitRecord(cause=cause, detail="its node failed")  # type: ignore[arg-type]
    assert settled(Traces(own=GOOD), said).is_success
    assert settled(Traces(own=GOOD), is_cancelled=True).is_success


def test_a_process_killed_for_memory_spoils_what_the_command_calls_a_good_end() -> None:
    said = ExitRecord(cause="memory", detail="killed at 1.2 GB, asked for 1.0 GB")
    record = settled(Traces(own=GOOD), said)
    assert (record.cause, record.detail) == ("memory", said.detail)


def test_the_wrappers_word_on_why_it_ended_the_job() -> None:
    record = settled(Traces(own=TERMINATED, ending="walltime"), ExitRecord(signal=15))
    assert (record.cause, record.detail) == ("walltime", "killed after 10 min, the walltime asked for")
    record = settled(Traces(own=TERMINATED, ending="memory 1200000000", peak_bytes=1_200_000_000))
    assert (record.cause, record.detail) == ("memory", "killed at 1.2 GB, asked for 1.0 GB")
    assert record.peak_memory_bytes == 1_200_000_000


def test_cancelled_by_us_and_by_others() -> None:
    assert settled(Traces(own=TERMINATED), is_cancelled=True).cause == "cancelled"
    record = settled(Traces(own=TERMINATED), ExitRecord(cause="cancelled", detail="scancel by ana"))
    assert (record.cause, record.detail) == ("cancelled", "scancel by ana")


@pytest.mark.parametrize(
    ("traces", "said", "words"),
    [
        (Traces(), ExitRecord(code=1), "could not start its job.sh (exit code 1)"),
        (Traces(started_at=1.0), ExitRecord(code=0), "ended (exit code 0) but left no record"),
        (Traces(started_at=1.0), ExitRecord(signal=9), "ended (signal 9) but left no record"),
        (Traces(started_at=1.0), ExitRecord(code=75), "was started a second time"),
        (Traces(), ExitRecord(code=75), "cannot write to /jobs/1 on its node: make it writable"),
        (Traces(started_at=1.0, is_writable=False), ExitRecord(code=0), "cannot write to /jobs/1: its mode"),
        (Traces(started_at=1.0), None, "is gone and left no record"),
        (Traces(), None, "is gone and left no record"),
    ],
)
def test_without_a_record_it_has_vanished(traces: Traces, said: ExitRecord | None, words: str) -> None:
    record = settled(traces, said)
    assert record.cause == "vanished" and record.detail is not None
    assert record.detail.startswith("Slurm job 7_1 ") and words in record.detail


def test_what_one_side_does_not_know_the_other_supplies() -> None:
    said = ExitRecord(code=0, started_at=9.0, ended_at=21.0, peak_memory_bytes=500, cpu_time_s=4.0)
    record = settled(Traces(own=ExitRecord(code=0), started_at=10.0, peak_bytes=700), said)
    assert (record.started_at, record.ended_at) == (10.0, 21.0)
    assert (record.peak_memory_bytes, record.cpu_time_s) == (700, 4.0)


RECORDS = st.builds(
    ExitRecord,
    code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 31),
    cause=st.none() | st.sampled_from(["memory", "walltime", "cancelled", "vanished"]),
    started_at=st.none() | st.floats(0, 1e9),
    ended_at=st.none() | st.floats(0, 1e9),
)
OWN = st.builds(ExitRecord, code=st.integers(0, 255), started_at=st.none() | st.floats(0, 1e9))
TRACES = st.builds(
    Traces,
    own=st.none() | OWN,
    started_at=st.none() | st.floats(0, 1e9),
    ending=st.none() | st.sampled_from(["walltime", "memory 12", "memory", "", "memory x", "rubbish"]),
)


@given(TRACES, st.none() | RECORDS, st.booleans())
def test_success_is_never_made_up(traces: Traces, said: ExitRecord | None, is_cancelled: bool) -> None:
    record = settled(traces, said, is_cancelled=is_cancelled)
    if record.is_success:
        assert traces.own is not None and traces.own.code == 0
    if record.cause is not None:
        assert record.cause != "vanished" or record.detail or (said is not None and said.cause == "vanished")
    if record.started_at is not None and record.ended_at is not None:
        assert record.started_at <= record.ended_at
