"""The commands, the script and the answers of a described batch system."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.described import answers, commands
from lockgate.backends.described.script import script_text
from lockgate.backends.described.system import DescribedSystem
from lockgate.backends.system import Batch, Submitted
from lockgate.errors import OutsideError, UserError
from lockgate.project.described import ArrayDescription, Description, parse_description
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job

TABLE: dict[str, object] = {
    "submit": "qsub -N {name} -l n={cpus}{with_gpus} {with_memory} {with_walltime} {script}",
    "submitted": r"^(?P<id>\d+)",
    "with_memory": '-l "mem={memory_mb}mb"',
    "with_walltime": "-l t={walltime}",
    "with_gpus": ":gpu={gpus}",
    "status": "qstat -x {ids}",
    "line": r"^(?P<id>[\d_]+) (?P<state>\S+) (?P<name>\S+)( (?P<reason>.*))?$",
    "skip": "^Job",
    "pending": ["Q"],
    "running": ["R"],
    "ended": ["F"],
    "causes": {"T": "walltime"},
    "cancel": "qdel {ids}",
    "find": "qselect {names}",
}


def described(**changes: object) -> Description:
    return parse_description("q", {**TABLE, **changes})


def submission(asked: Resources, table: Description | None = None) -> list[str]:
    return commands.submission(table or described(), asked, name="lg-a-1", script="/s p/x", folder="/s p")


def test_what_is_not_asked_for_is_left_out() -> None:
    assert submission(Resources()) == ["qsub", "-N", "lg-a-1", "-l", "n=1", "/s p/x"]
    everything = Resources(cpus=2, gpus=1, memory_bytes=1_000_001, walltime_s=90_061)
    assert submission(everything) == [
        *("qsub", "-N", "lg-a-1", "-l", "n=2:gpu=1", "-l", "mem=2mb", "-l", "t=25:01:01", "/s p/x")
    ]


@given(st.text().filter(lambda text: "\0" not in text))
def test_no_value_becomes_another_word(path: str) -> None:
    argv = commands.submission(described(), Resources(), name="n", script=path, folder=path)
    assert argv[-1] == path and len(argv) == 6


def test_what_cannot_be_written_is_refused() -> None:
    bare = {key: value for key, value in TABLE.items() if not key.startswith("with_")}
    fixed = parse_description("q", {**bare, "submit": "qsub -l {memory_gib} {script}"})
    words = commands.lacking(fixed, Resources())
    assert words is not None and words.startswith("says no memory, and [batch.q] writes {memory_gib}")
    assert commands.lacking(fixed, Resources(memory_bytes=1)) is None
    words = commands.lacking(fixed, Resources(memory_bytes=1, gpus=1))
    assert words is not None and "add with_gpus" in words


def test_ids_each_or_joined() -> None:
    assert list(commands.status(described(), ["1", "2"])) == [["qstat", "-x", "1", "2"]]
    joined = described(status="squeue -j {ids}", separator=",")
    assert list(commands.status(joined, ["1", "2"])) == [["squeue", "-j", "1,2"]]
    one = described(cancel="qdel {id}")
    assert list(commands.cancel(one, ["1", "2"])) == [["qdel", "1"], ["qdel", "2"]]
    many = [f"{n:0100}" for n in range(3000)]
    calls = list(commands.status(described(), many))
    assert [word for call in calls for word in call[2:]] == many and 1 < len(calls) < 5


def test_states() -> None:
    text = (
        "Job heading\n1 Q lg-a full\n2 R lg-a\n3 F lg-a\n4 T lg-a at last\n5 Z lg-a\n6 R other\n\n7 R lg-a\n"
    )
    lines = answers.parse_lines(described(), text)
    job = Job("r", "s", "/f", Resources(walltime_s=60))
    jobs = {native_id: Submitted(job, "lg-a-1", native_id, 0.0) for native_id in "123456"}
    said = answers.look(described(), lines, jobs)
    assert {native_id: seen.state for native_id, seen in said.items()} == {
        "1": "pending",
        "2": "running",
        "3": "ended",
        "4": "ended",
        "5": "unknown",
        "6": "running",
    }
    assert said["1"].reason == "full"
    assert said["4"].exit is not None and said["4"].exit.cause == "walltime"
    assert said["4"].exit.detail == "q says T: at last; the walltime asked for was 1 min"
    assert "'Z'" in said["5"].reason
    assert (said["1"].key, said["6"].key) == ("lg-a-1", "other")


@pytest.mark.parametrize("text", ["error: no", "1 R", "-1 R lg-a", "1_ R"])
def test_a_line_nobody_knows_is_an_error(text: str) -> None:
    with pytest.raises(OutsideError, match="neither `line` nor `skip` knows"):
        answers.parse_lines(described(), f"1 R lg-a\n{text}\n")


@given(st.text())
def test_any_answer_is_understood_or_an_error(text: str) -> None:
    for parse in (answers.parse_lines, answers.parse_submitted):
        try:
            parse(described(), text)
        except OutsideError as error:
            assert error.code == "backend-answer"


def test_members_of_an_array_are_found_in_their_order() -> None:
    array = {
        "submit": "qsub -t {first}-{last} {with_gpus}{with_memory}{with_walltime} {script}",
        "variable": "N",
    }
    table = described(array=array)
    lines = answers.parse_lines(table, "7_10 R k\n7_2 R k\n7_1 F k\n8_1 R x\n")
    assert answers.find(table, lines, ["k", "y"]) == {"k": ["7_1", "7_2", "7_10"]}
    assert commands.member_id(table, "7", 1) == "7_2"


def test_the_script_knows_its_member(tmp_path: Path) -> None:
    (tmp_path / "wrapper.sh").write_text('printf "%s" "$1" >"$OUT"')
    folders = ["/a b", "/'\"$(x)`\\", "/line\nbreak", "/%a"]
    script = tmp_path / "script"
    script.write_text(script_text("k", str(tmp_path), folders, ArrayDescription(submit="", variable="N")))
    for number, folder in enumerate(folders, start=1):
        out = tmp_path / str(number)
        subprocess.run(["sh", script], env={"N": str(number), "OUT": str(out)}, check=True, timeout=20)
        assert out.read_text() == folder
    lost = subprocess.run(["sh", script], env={"N": "9"}, capture_output=True, check=False, timeout=20)
    assert lost.returncode == 64 and b"no job has the number N says" in lost.stderr


def failing(tmp_path: Path, words: str, **changes: object) -> Exception:
    """Return the error of a submission whose command says `words` and fails."""
    (tmp_path / "batch").mkdir()
    pieces = "{with_gpus}{with_memory}{with_walltime}"
    text = f"""sh -c 'echo "$2" >&2; exit 1' sh {{script}} "{words}" {pieces}"""
    job = Job("r", "s", str(tmp_path / "job"), Resources())
    with pytest.raises((OutsideError, UserError)) as caught:
        DescribedSystem(described(submit=text, **changes)).submit(Batch("k", str(tmp_path / "batch"), (job,)))
    return caught.value


def test_a_refusal_and_an_outage_are_told_apart(tmp_path: Path) -> None:
    for number, (words, changes, is_refused) in enumerate(
        [
            ("no such queue", {}, True),
            ("Unable to contact slurm controller", {}, False),
            ("no such queue", {"refused": "such queue"}, True),
            ("who knows", {"refused": "such queue"}, False),
            ("zzz", {"down": "^z+$"}, False),
        ]
    ):
        place = tmp_path / str(number)
        place.mkdir()
        error = failing(place, words, **changes)
        assert isinstance(error, UserError) is is_refused, words
        assert words in str(error)
