"""What Slurm answers, read: real answers, and what nobody expects."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.slurm import answers
from lockgate.backends.slurm.outlook import partition_words, start_words
from lockgate.backends.slurm.reasons import reason_words
from lockgate.backends.slurm.refusals import TooManyError, failure
from lockgate.backends.slurm.states import SHORT_STATES, STATES, full_state, has_ended, seen
from lockgate.errors import LockgateError, OutsideError, UserError
from lockgate.project.pipeline import Resources
from lockgate.runs.job import ExitRecord

GOLDEN = Path(__file__).parents[2] / "golden/slurm"


MARK = "6d61726b"
#: What these answered is kept whole, of the same jobs.
CAPTURED = pytest.mark.parametrize("version", ["22.05", "24.11"])


def golden(name: str, version: str = "22.05") -> str:
    return (GOLDEN / version / name).read_text()


def refusal(name: str, version: str = "22.05") -> LockgateError:
    said, _, code = golden(f"refused-{name}.txt", version).rpartition("exit ")
    return failure("sbatch", int(code), said)


@CAPTURED
def test_the_queue(version: str) -> None:
    made = answers.queue_rows(golden("squeue-mixed.txt", version), MARK)
    rows = {row.key: row for row in made}
    assert rows["lg-running"].state == "RUNNING" and rows["lg-running"].native_ids() == ["13"]
    waiting = rows["lg-wait"]
    assert waiting.tasks == tuple(range(0, 201, 2)) and waiting.native_ids()[-1] == "15_200"
    assert (waiting.state, waiting.reason) == ("PENDING", "Priority")
    assert (rows["lg-prio"].start_at, rows["lg-prio"].end_at) == (None, None)
    assert rows["lg-begin"].start_at == {"22.05": 1795255148.0, "24.11": 1795637660.0}[version]
    assert rows["lg-array"].array_id == "5"
    assert rows["lg-closed"].partition == "closed" and rows["lg-closed"].folder == "/home/u/w"
    array = [row for row in made if row.key == "lg-array"]
    assert sorted(id for row in array for id in row.native_ids()) == ["5_0", "5_1", "5_2", "5_3"]


@CAPTURED
@pytest.mark.parametrize("name", ["squeue-mixed.txt", "squeue-drained.txt"])
def test_every_job_of_the_queue_has_a_state_and_a_reason_that_are_known(name: str, version: str) -> None:
    for row in answers.queue_rows(golden(name, version), MARK):
        said = seen(row.state, row.reason, row.key, Resources())
        assert said.state != "unknown" and "Slurm's reason:" not in said.reason, row


@CAPTURED
def test_a_name_may_hold_what_looks_like_a_line(version: str) -> None:
    made = answers.queue_rows(golden("squeue-mixed.txt", version), MARK)
    (odd,) = (row for row in made if row.array_id == "7")
    assert odd.key == "a " and odd.folder == " name\nlockgate|of two|/home/u/w"


@pytest.mark.parametrize(
    "line",
    [f"{MARK}|", f"{MARK}|x|N/A|R|1|2|p|None|k|/f", f"{MARK}|1|?|R|1|2|p|None|k|/f", f"{MARK}|1|N/A|R|1"],
)
def test_an_odd_line_of_the_queue_is_an_error(line: str) -> None:
    with pytest.raises(OutsideError) as raised:
        answers.queue_rows(line + "\n", MARK)
    assert raised.value.code == "slurm-answer" and not raised.value.is_transient


def test_an_empty_queue() -> None:
    assert answers.queue_rows("", MARK) == [] and answers.queue_rows("some warning\n", MARK) == []


@CAPTURED
def test_accounts(version: str) -> None:
    told = answers.accounts(golden("sacct-mixed.txt", version))
    assert (told["2"].code, told["2"].signal, told["2"].key) == (3, None, "lg-three")
    assert (told["3"].code, told["3"].signal) == (None, 9)
    expected = {"22.05": (1105920, 0.232, 1795251544.0), "24.11": (1224704, 0.456, 1795634058.0)}[version]
    assert told["5_3"].code == 3 and told["4"].state == "OUT_OF_MEMORY"
    assert (told["5_3"].peak_memory_bytes, told["4"].cpu_time_s, told["9"].ended_at) == expected
    assert told["9"].state == "CANCELLED by 64030"
    assert not has_ended(told["13"].state) and told["13"].ended_at is None
    by_name = answers.accounts(golden("sacct-name.txt", version))
    assert set(by_name) == {"5_0", "5_1", "5_2", "5_3"} and by_name["5_2"].code == 2


def test_no_accounts() -> None:
    assert answers.accounts("") == {}


@CAPTURED
def test_exit_codes(version: str) -> None:
    codes = answers.exit_codes(golden("scontrol-job.txt", version))
    assert codes == {"5_3": (3, None), "5_2": (2, None), "5_1": (1, None), "5_0": (0, None)}


def test_an_exit_code_in_a_name() -> None:
    assert answers.exit_codes("JobId=7 JobName=a ExitCode=9:0 JobState=FAILED ExitCode=0:53\n") == {
        "7": (9, None)
    }


@CAPTURED
def test_how_a_cluster_is_set_up(version: str) -> None:
    text = golden("config-accounting.txt", version)
    made = answers.cluster(text)
    assert made == answers.Cluster(True, True, True, 2000)
    bare = answers.cluster(
        "ClusterName = x\nAccountingStorageType = accounting_storage/none\nMaxArraySize = 1001\n"
    )
    assert bare == answers.Cluster(False, False, False, 1001)
    fewer = text.replace("SchedulerParameters     = ", "SchedulerParameters     = max_array_tasks=50,")
    assert answers.cluster(fewer).array_limit == 50
    assert not answers.cluster(text.replace("CR_CORE_MEMORY", "CR_CORE")).keeps_memory
    with pytest.raises(OutsideError):
        answers.cluster("nothing\n")


@pytest.mark.parametrize(
    ("answer", "number"), [("17\n", "17"), ("17;cluster\n", "17"), ("Welcome!\n17\n", "17")]
)
def test_submitted(answer: str, number: str) -> None:
    assert answers.submitted_id(answer) == number


@pytest.mark.parametrize("answer", ["", "Submitted batch job", "x;y", "-1"])
def test_submitted_oddly(answer: str) -> None:
    with pytest.raises(OutsideError):
        answers.submitted_id(answer)


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(0, 60)), min_size=1, unique=True))
def test_task_expressions_name_exactly_those(pairs: list[tuple[int, int]]) -> None:
    native_ids = [f"{array}_{task}" for array, task in pairs]
    found = []
    for word in answers.task_expressions(native_ids):
        array, _, spans = word.partition("_")
        line = f"{MARK}|{array}|{spans}|PENDING|N/A|N/A|p|None|k|/f\n"
        (row,) = answers.queue_rows(line, MARK)
        found += row.native_ids()
    assert sorted(found) == sorted(native_ids)


@given(st.text())
def test_any_answer_is_read_or_an_error(text: str) -> None:
    for read in (
        lambda answer: answers.queue_rows(answer, "|"),
        answers.accounts,
        answers.exit_codes,
        partition_words,
    ):
        try:
            read(text)
        except OutsideError as error:
            assert error.code == "slurm-answer"


def test_every_state_of_the_manual_is_known() -> None:
    for word in STATES | SHORT_STATES:
        assert seen(word, "None", None, Resources()).state != "unknown", word
    assert {full_state(word) for word in SHORT_STATES} <= STATES
    assert len(STATES) == 29


def test_an_unknown_state_is_told_and_not_guessed() -> None:
    said = seen("WANDERING", "None", "k", Resources())
    assert said.state == "unknown" and "'WANDERING'" in said.reason


def test_waiting_in_words() -> None:
    said = seen("PENDING", "Resources", "k", Resources())
    assert (said.state, said.reason) == ("pending", "waits for cpus, memory or nodes that other jobs use")
    assert seen("SUSPENDED", "None", "k", Resources()).state == "running"


@pytest.mark.parametrize(
    ("state", "reason", "cause", "detail"),
    [
        ("COMPLETED", "None", None, None),
        ("FAILED", "NonZeroExitCode", None, None),
        ("FAILED", "JobLaunchFailure", "vanished", "Slurm could not run it: could not be launched"),
        ("CANCELLED by 7", "None", "cancelled", "cancelled by somebody"),
        ("TIMEOUT", "TimeLimit", "walltime", "killed after 1 min 30 s, the walltime asked for"),
        ("OUT_OF_MEMORY", "OutOfMemory", "memory", "killed at 64.0 MB, asked for 63.0 MB"),
        ("NODE_FAIL", "NodeDown", "vanished", "its node failed"),
        ("PREEMPTED", "None", "vanished", "it had to make way"),
        ("BOOT_FAIL", "None", "vanished", "its node could not be booted"),
        ("DEADLINE", "DeadLine", "vanished", "Slurm ended it"),
        ("REVOKED", "None", "vanished", "it was started by another cluster"),
    ],
)
def test_ends(state: str, reason: str, cause: str | None, detail: str | None) -> None:
    asked = Resources(memory_bytes=63_000_000, walltime_s=90)
    said = seen(state, reason, "k", asked, ender="by somebody with scancel")
    assert said.state == "ended" and said.exit is not None and has_ended(state)
    assert said.exit.cause == cause
    assert (said.exit.detail or "").startswith(detail or "") and bool(said.exit.detail) == bool(detail)
    assert said.exit.is_success == (state == "COMPLETED")


def test_a_signal_is_no_launch_failure() -> None:
    killed = seen("FAILED", "JobLaunchFailure", "k", Resources(), told=ExitRecord(signal=9)).exit
    assert killed is not None and (killed.signal, killed.cause) == (9, None)
    never = seen("FAILED", "JobLaunchFailure", "k", Resources(), told=ExitRecord(signal=53)).exit
    assert never is not None and (never.signal, never.cause) == (None, "vanished")
    raised = seen("FAILED", "RaisedSignal:11(Segmentation_fault)", "k", Resources()).exit
    assert raised is not None and raised.signal == 11


def test_memory_without_a_request() -> None:
    end = seen(
        "OUT_OF_MEMORY", "OutOfMemory", "k", Resources(), told=ExitRecord(peak_memory_bytes=10**8)
    ).exit
    assert end is not None
    assert end.detail == "killed at 100 MB, the memory that Slurm gives by default; say the stage's `memory`"


def test_every_reason_has_words() -> None:
    reasons = (GOLDEN / "reasons.txt").read_text().split()
    assert len(reasons) > 200
    for reason in reasons:
        words = reason_words(reason)
        assert reason not in words.split() or reason == "Prolog", words
        assert words.split()[0] in {
            "waits", "waits:", "asks", "is", "was", "ended", "ran", "met", "has", "needs", "may", "cannot",
            "could", "depends", "does",
        }, words  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("QOSMaxCpuPerUserLimit", "waits: the hub's user has reached the limit of its QOS (cpus)"),
        ("AssocGrpCPUMinutesLimit", "waits: its account has used up its cpus × minutes"),
        ("QOSMinGRES", "asks for less (gpus or other generic resources) than its QOS demands"),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "(not available: n1)"),
        ("ReqNodeNotAvail, Reserved for maintenance", "(Reserved for maintenance)"),
        ("(Resources)", "waits for cpus, memory or nodes"),
        ("", "waits; Slurm names no reason"),
        ("(null)", "waits; Slurm names no reason"),
        ("NewReason", "waits; Slurm's reason: NewReason (see squeue(1), JOB REASON CODES)"),
        (
            "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions",
            "waits for nodes that are down, drained",
        ),
    ],
)
def test_reasons_in_words(reason: str, words: str) -> None:
    assert words in reason_words(reason)


@pytest.mark.parametrize(
    ("name", "version", "hint"),
    [
        ("partition", "24.11", "`partition`"),
        ("memory", "24.11", "`memory`"),
        ("gres", "24.11", "`gres`"),
        ("constraint", "24.11", "`constraint`"),
        ("reservation", "24.11", "`reservation`"),
        ("nodelist", "24.11", "`nodelist`"),
        ("license", "24.11", "--licenses"),
        ("option", "24.11", "`extra`"),
        ("array", "24.11", "matrix"),
        ("partition", "22.05", "`partition`"),
        ("account", "26.05", "`account`"),
        ("qos", "26.05", "`qos`"),
        ("memory", "22.05", "`memory`"),
        ("gres", "22.05", "`gres`"),
        ("constraint", "22.05", "`constraint`"),
        ("reservation", "22.05", "`reservation`"),
        ("nodelist", "22.05", "`nodelist`"),
        ("license", "22.05", "--licenses"),
        ("option", "22.05", "`extra`"),
        ("array", "22.05", "matrix"),
        ("time-limit", "26.05", "`walltime`"),
    ],
)
def test_refusals_say_what_to_change(name: str, version: str, hint: str) -> None:
    error = refusal(name, version)
    assert isinstance(error, UserError) and error.code == "slurm-refused"
    assert hint in error.hint and "sbatch: " not in error.message and "\n" not in error.message


@pytest.mark.parametrize(
    ("name", "version"),
    [("down", "22.05"), ("munge", "22.05"), ("no-configuration", "22.05"), ("down", "24.11")],
)
def test_outages_are_tried_again(name: str, version: str) -> None:
    error = refusal(name, version)
    assert isinstance(error, OutsideError) and error.is_transient and error.code == "slurm-unreachable"


def test_too_many_jobs_are_told_from_a_refusal() -> None:
    error = refusal("submit-limit", "26.05")
    assert isinstance(error, TooManyError) and error.is_transient


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("squeue-down", "22.05"),
        ("squeue-munge", "22.05"),
        ("scontrol-down", "22.05"),
        ("sacct-down", "22.05"),
        ("squeue-down", "24.11"),
        ("scontrol-down", "24.11"),
        ("scancel-down", "24.11"),
    ],
)
def test_other_commands_fail_for_a_time(name: str, version: str) -> None:
    error = failure(name.partition("-")[0], 1, golden(f"failed-{name}.txt", version))
    assert isinstance(error, OutsideError) and error.is_transient and error.code == "slurm-unreachable"


def test_a_command_that_says_nothing() -> None:
    assert "sbatch failed with exit code 9 and said nothing" in failure("sbatch", 9, "").message


@CAPTURED
def test_partitions_in_words(version: str) -> None:
    words = partition_words(golden("sinfo-drained.txt", version))
    assert words["batch"] == "partition batch: 0 of 4 cpus free, 1 node draining (to be mended | soon)"
    assert words["closed"].startswith("partition closed: 0 of 4 cpus free, it is down")


def test_when_it_may_start() -> None:
    assert start_words(1795255148.0) == "Slurm expects to start it at 2026-11-21 09:59 UTC"
    assert start_words(None) == ""
