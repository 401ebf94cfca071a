"""What HTCondor answers: real answers, failures sorted, words for holds and for waiting."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.htcondor import answers, holds
from lockgate.backends.htcondor.analysis import analysis_words
from lockgate.backends.htcondor.seeing import seen_of_ad
from lockgate.errors import OutsideError, UserError
from lockgate.project.pipeline import Resources

GOLDEN = Path(__file__).parents[2] / "golden/htcondor/25.14"


def test_terse() -> None:
    assert answers.parse_submitted("5.0 - 5.9\n") == (5, 10)
    assert answers.parse_submitted("WARNING: x\n7.0 - 7.0\n") == (7, 1)


@pytest.mark.parametrize("text", ["", "5.0", "5.0 - 6.9", "5.1 - 5.9", "5.0 - 5.1\n6.0 - 6.1\n", "ok"])
def test_a_terse_answer_that_is_none(text: str) -> None:
    with pytest.raises(OutsideError) as caught:
        answers.parse_submitted(text)
    assert caught.value.code == "htcondor-answer" and not caught.value.is_transient


def test_an_empty_queue_answers_nothing_at_all() -> None:
    assert answers.parse_ads("condor_q", "") == []
    assert answers.parse_ads("condor_history", "[\n]\n") == []


def test_a_queue_that_is_no_json_is_an_error() -> None:
    with pytest.raises(OutsideError, match="condor_q is not understood"):
        answers.parse_ads("condor_q", "-- Schedd: x")


def test_held_jobs_of_the_queue() -> None:
    ads = answers.parse_ads("condor_q", (GOLDEN / "q-held.json").read_text())
    assert [answers.native_id(ad) for ad in ads] == ["11.0", "12.0"]
    said = seen_of_ad(ads[0], Resources())
    assert (said.state, said.key) == ("pending", "lg-key-1")
    assert said.reason.startswith("held: its folder is not there") and "/tmp/htcx/gone" in said.reason


@pytest.mark.parametrize(
    ("ad", "state"),
    [
        ({"JobStatus": 1}, "pending"),
        ({"JobStatus": 2}, "running"),
        ({"JobStatus": 3, "RemoveReason": "via condor_rm (by user ann)"}, "ended"),
        ({"JobStatus": 4, "ExitCode": 3}, "ended"),
        ({"JobStatus": 6}, "running"),
        ({"JobStatus": 7}, "running"),
        ({"JobStatus": 8}, "unknown"),
        ({"JobStatus": "x"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_every_status(ad: dict[str, object], state: str) -> None:
    assert seen_of_ad(ad, Resources()).state == state


def test_how_a_job_of_the_history_ended() -> None:
    ended = seen_of_ad({"JobStatus": 4, "ExitCode": 3, "ExitBySignal": False}, Resources()).exit
    assert ended is not None and (ended.code, ended.signal, ended.cause) == (3, None, None)
    killed = seen_of_ad({"JobStatus": 4, "ExitSignal": 9, "ExitBySignal": True}, Resources()).exit
    assert killed is not None and (killed.code, killed.signal) == (None, 9)


def test_constraints_are_short() -> None:
    ids = [f"7.{n}" for n in range(1000)] + ["9.4", "9.6"]
    assert answers.constraint_of(ids) == (
        "(ClusterId == 7 && ((ProcId >= 0 && ProcId <= 999))) || "
        "(ClusterId == 9 && (ProcId == 4 || ProcId == 6))"
    )
    assert answers.constraint_of([]) == "false"
    with pytest.raises(OutsideError):
        answers.constraint_of(["7.0 || true"])


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("\nERROR: Can't find address of local schedd\n", OutsideError, "htcondor-unreachable"),
        ("SECMAN:2007:This service is running, but did not respond", OutsideError, "htcondor-unreachable"),
        ("\nERROR: Failed to connect to local queue manager\nCEDAR", OutsideError, "htcondor-unreachable"),
        ("", OutsideError, "htcondor-unreachable"),
        ("ERROR: Parse error in expression: \n\tRequirements = ((Cpus >)", UserError, "htcondor-refused"),
        ("ERROR: Failed to create new User record\nThe given user is not allowed to own jobs", UserError,
         "htcondor-refused"),
        ('"" does not exist.\n/etc/ nor ~condor/ contain a condor_config source.', OutsideError,
         "htcondor-missing"),
    ],
)  # fmt: skip
def test_failures_are_sorted(said: str, kind: type[Exception], code: str) -> None:
    error = answers.failure("condor_submit", said)
    assert isinstance(error, kind) and error.code == code
    assert "\n" not in error.message and error.hint
    assert error.is_transient == (code == "htcondor-unreachable")


def test_a_parse_error_names_the_expression() -> None:
    error = answers.failure(
        "condor_submit", "ERROR: Parse error in expression: \n\tRequirements = ((Cpus >)\n"
    )
    assert "Requirements = ((Cpus >)" in error.message


def test_every_hold_code_of_the_manual_has_words() -> None:
    """HTCondor manual 25, "Hold Reason Codes": 1, 3 to 27, 32 to 48."""
    assert holds.known_codes() >= {1, *range(3, 28), *range(32, 49)}
    for code in holds.known_codes():
        words = holds.hold_words(code, 0, "Because.")
        assert words.endswith("(Because)") and not words.startswith("for a reason with")


def test_a_hold_nobody_knows_keeps_its_words_and_number() -> None:
    reading = "reading from file /execute/dir_7/scratch/htcondor.tar: (errno 2) No such file or directory"
    assert "its folder there not writable" in holds.hold_words(12, 2, reading)
    assert "brought back" in holds.hold_words(12, 28, "writing to file /jobs/1/htcondor.tar: (errno 28)")
    assert holds.hold_words(4711, 1, "moon") == "for a reason with the unknown code 4711 (moon)"


def test_why_a_job_waits_that_nothing_fits() -> None:
    assert analysis_words((GOLDEN / "analyze.txt").read_text()) == {"4.0": "waits: no slot has 64 cpus"}


def test_why_a_job_waits_that_others_are_before() -> None:
    said = analysis_words((GOLDEN / "analyze-busy.txt").read_text())
    assert said == {"15.1": "waits for room: a slot could run it once other jobs on it have ended"}


OLD = """
The Requirements expression for job 12.003 is

    (TARGET.Arch == "X86_64") && (TARGET.HasGraphviz)

The Requirements expression for job 12.003 reduces to these conditions:

         Slots
Step    Matched  Condition
-----  --------  ---------
[0]         30  TARGET.Arch == "X86_64"
[1]          0  TARGET.HasGraphviz
[2]          0  TARGET.Memory >= RequestMemory
[3]          0  (TARGET.FileSystemDomain == MY.FileSystemDomain)

012.003:  Run analysis summary ignoring user priority.  Of 30 machines,
"""


def test_several_conditions() -> None:
    said = analysis_words(OLD)["12.3"]
    assert said.startswith("waits: no slot satisfies TARGET.HasGraphviz; no slot has the memory it asks for")
    assert "`transfer = true`" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("   12 slots reject your job because of their own requirements", "own policy (START)"),
        ("    3 slots match but are serving other users", "one of 3 slots that could run it serves"),
        ("    1 slots match and are willing to run your job", "waits for its turn: a slot could run it"),
    ],
)  # fmt: skip
def test_summaries(line: str, words: str) -> None:
    head = "The Requirements expression for job 1.000 is\nx\n001.000:  Of 12 slots on 4 machines,\n"
    assert words in analysis_words(head + line + "\n")["1.0"]


@given(st.text(max_size=200))
def test_any_text_is_analysed_without_a_word_too_many(text: str) -> None:
    assert analysis_words(text) == {} or "The Requirements expression" in text
