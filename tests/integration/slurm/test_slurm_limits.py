"""Limits and outages that a small cluster does not have, played by stand-ins for Slurm's programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.backends.slurm.refusals import TooManyError
from lockgate.backends.slurm.system import SlurmSystem
from lockgate.backends.system import Batch, Submitted
from lockgate.errors import OutsideError
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job

GOLDEN = Path(__file__).parents[2] / "golden/slurm"
CONFIG = f"cat '{GOLDEN}/22.05/config-accounting.txt'"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    play(folder, "scontrol", CONFIG)
    play(folder, "squeue", ":")
    return folder


def play(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def batch(folder: Path, count: int) -> Batch:
    jobs = tuple(Job("r", f"s{n}", f"{folder}/{n}", Resources()) for n in range(count))
    return Batch("lg-k-1", str(folder), jobs)


def test_a_limit_on_submitted_jobs_makes_smaller_batches(programs: Path, tmp_path: Path) -> None:
    play(programs, "sbatch", f"head -n 2 '{GOLDEN}/26.05/refused-submit-limit.txt' >&2; exit 1")
    system = SlurmSystem()
    assert system.batch_limit() == 1000
    with pytest.raises(TooManyError) as raised:
        system.submit(batch(tmp_path, 400))
    assert raised.value.is_transient and "AssocMaxSubmitJobLimit" in raised.value.message
    assert system.batch_limit() == 200
    play(programs, "sbatch", "echo 7")
    assert system.submit(batch(tmp_path, 150)) == [f"7_{n}" for n in range(150)]
    assert system.batch_limit() == 300


def test_a_batch_longer_than_an_array_may_be_is_several(programs: Path, tmp_path: Path) -> None:
    play(programs, "scontrol", f"{CONFIG} | sed 's/^MaxArraySize.*/MaxArraySize = 3/'")
    play(programs, "sbatch", f"echo \"$*\" >>'{tmp_path}/said'; echo $((10 + $(wc -l <'{tmp_path}/said')))")
    system = SlurmSystem()
    made = system.submit(batch(tmp_path, 7))
    assert made == ["11_0", "11_1", "11_2", "12_0", "12_1", "12_2", "13"]
    scripts = [line.split()[-1] for line in (tmp_path / "said").read_text().splitlines()]
    assert scripts == [f"{tmp_path}/slurm-{first}.sh" for first in (0, 3, 6)]
    assert "--array" not in (tmp_path / "said").read_text().splitlines()[-1]


def test_a_job_gone_from_the_queue_is_not_lost_while_the_accounting_is_down(
    programs: Path, tmp_path: Path
) -> None:
    play(programs, "sacct", f"cat '{GOLDEN}/22.05/failed-sacct-down.txt' >&2; exit 1")
    job = Submitted(Job("r", "s", str(tmp_path), Resources()), "lg-k-1", "7", 0.0)
    seen = SlurmSystem().look([job])["7"]
    assert seen.state == "running" and "slurmdbd" in seen.reason
    play(programs, "sacct", ":")
    assert SlurmSystem().look([job]) == {}


def test_a_job_that_only_the_accounting_remembers(programs: Path, tmp_path: Path) -> None:
    play(programs, "sacct", f"cat '{GOLDEN}/22.05/sacct-mixed.txt'")
    jobs = [
        Submitted(Job("r", "s", str(tmp_path), Resources()), key, number, 0.0)
        for key, number in (("lg-three", "2"), ("lg-mem", "4"), ("lg-other", "9"), ("lg-running", "13"))
    ]
    seen = SlurmSystem().look(jobs)
    ends = {number: each.exit for number, each in seen.items()}
    assert set(ends) == {"2", "4", "9"}
    assert ends["2"] is not None and ends["2"].code == 3 and ends["2"].started_at == 1795251539.0
    assert ends["4"] is not None and ends["4"].cause == "memory"
    assert ends["9"] is not None and ends["9"].cause == "cancelled"
    assert (ends["9"].detail or "").endswith(" with scancel")


def test_the_queue_of_another_program(programs: Path, tmp_path: Path) -> None:
    play(programs, "squeue", "echo gone wrong >&2; exit 3")
    with pytest.raises(OutsideError) as raised:
        SlurmSystem().look([])
    assert raised.value.code == "slurm-answer" and "gone wrong" in raised.value.message
