"""What is handed to Slurm: the words of sbatch, the script, the options."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.backends.ledger import link_members
from lockgate.backends.slurm.options import Options, generic_resources, read_options
from lockgate.backends.slurm.script import array_sizes, batch_script, log_pattern, native_ids, sbatch_words
from lockgate.backends.wrapper import wrapper_script
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job

FULL = {
    "partition": "gpu",
    "account": "physics",
    "qos": "long",
    "gres": "gpu:a100",
    "constraint": "avx512&ib",
    "reservation": "course",
    "nodelist": "n[1-3]",
    "exclude": "n4",
    "extra": ["--comment=weekly run", "-x"],
}


def options(table: Mapping[str, object]) -> Options:
    read = read_options(table)
    assert isinstance(read, Options), read
    return read


def test_words_of_one_small_job() -> None:
    words = sbatch_words("lg-a-1", "/hub/b", "/hub/b/s.sh", 1, Resources(), Options())
    assert words == [
        "sbatch",
        "--parsable",
        "--job-name=lg-a-1",
        "--chdir=/hub/b",
        "--output=/hub/b/slurm.log",
        "--open-mode=append",
        "--export=ALL",
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        "--cpus-per-task=1",
        "/hub/b/s.sh",
    ]


def test_words_of_an_array_with_everything() -> None:
    asked = Resources(cpus=4, gpus=2, memory_bytes=1_000_000_000, walltime_s=3601)
    words = sbatch_words("k", "/h", "s", 200, asked, options(FULL))
    assert words[11:] == [
        "--array=0-199",
        "--mem=954M",
        "--time=62",
        "--time-min=61",
        "--gres=gpu:a100:2",
        "--partition=gpu",
        "--account=physics",
        "--qos=long",
        "--constraint=avx512&ib",
        "--reservation=course",
        "--nodelist=n[1-3]",
        "--exclude=n4",
        "--comment=weekly run",
        "-x",
        "s",
    ]


@given(st.integers(1, 10**15), st.integers(1, 10**7))
def test_what_is_asked_of_slurm_is_never_less(memory_bytes: int, walltime_s: int) -> None:
    asked = Resources(memory_bytes=memory_bytes, walltime_s=walltime_s)
    words = dict(
        word.split("=")
        for word in sbatch_words("k", "/h", "s", 1, asked, Options())
        if word.startswith(("--m", "--time"))
    )
    mib = int(words["--mem"].removesuffix("M"))
    assert 0 <= mib * 2**20 - memory_bytes < 2**20
    assert int(words["--time"]) * 60 >= walltime_s + 60
    assert 0 <= int(words["--time-min"]) * 60 - walltime_s < 60


@pytest.mark.parametrize(
    ("gres", "gpus", "expected"),
    [
        (None, 0, ""),
        (None, 2, "gpu:2"),
        ("scratch:10G", 1, "scratch:10G,gpu:1"),
        ("gpu", 3, "gpu:3"),
        ("gpu:a100", 2, "gpu:a100:2"),
        ("gpu:a100:1", 2, "gpu:a100:1"),
        ("gpu:a100", 0, ""),
        ("gpu:2(S:0)", 4, "gpu:2(S:0)"),
        ("lustre:1,gpu:v100", 1, "lustre:1,gpu:v100:1"),
    ],
)
def test_generic_resources(gres: str | None, gpus: int, expected: str) -> None:
    assert generic_resources(Options(gres=gres), gpus) == expected


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"partitoin": "x"}, "has no key 'partitoin'; known are partition, account"),
        ({"partition": 3}, "partition must be a text, not 3"),
        ({"extra": "--x"}, "extra must be a list of words, not '--x'"),
        ({"extra": [1]}, "extra must be a list of words"),
        ({"qos": ""}, "qos holds ''"),
        ({"account": "a\nb"}, "account holds"),
        ({"extra": ["--array=0-9"]}, "a stage's matrix becomes an array by itself"),
        ({"extra": ["-a0-9"]}, "a stage's matrix becomes an array by itself"),
        ({"extra": ["--wra=echo"]}, "its own script"),
        ({"extra": ["--time=5"]}, "say `walltime` of the stage instead"),
        ({"extra": ["-t", "5"]}, "say `walltime` of the stage instead"),
        ({"extra": ["--comment", "weekly"]}, "'weekly', which is no option of sbatch"),
        ({"extra": ["job.sh"]}, "which is no option of sbatch"),
    ],
)
def test_options_refused_in_words(table: dict[str, object], words: str) -> None:
    said = read_options(table)
    assert isinstance(said, str) and said.startswith("[batch.slurm] ") and words in said


@pytest.mark.parametrize(
    "word", ["--comment=x", "--exclusive", "-C", "--mail-type=END", "-n4", "--licenses=a:1"]
)
def test_options_let_through(word: str) -> None:
    assert options({"extra": [word]}).extra == (word,)


@given(st.integers(1, 5000), st.integers(1, 1500))
def test_arrays_hold_every_job_once(count: int, limit: int) -> None:
    sizes = array_sizes(count, limit)
    assert sum(sizes) == count and max(sizes) <= limit
    assert all(size == limit for size in sizes[:-1])


def test_native_ids() -> None:
    assert native_ids("7", 1) == ["7"]
    assert native_ids("7", 3) == ["7_0", "7_1", "7_2"]


def test_a_path_is_no_pattern() -> None:
    assert log_pattern("/a%j/b c") == "/a%%j/b c/slurm.log"
    assert log_pattern("/a\\b") == "/dev/null"


@pytest.mark.parametrize(("task", "first", "member"), [(None, 0, "a"), ("2", 0, "c d"), ("1", 2, "e'$x")])
def test_the_script_runs_its_member(tmp_path: Path, task: str | None, first: int, member: str) -> None:
    folder = tmp_path / 'it\'s $a "b" %j'
    folder.mkdir()
    link_members(folder, [Job("01RUN", "s", each, Resources()) for each in ("a", "b", "c d", "e'$x")])
    (folder / "wrapper.sh").write_text('printf %s "$(readlink "$1")"; exit 7\n')
    env = {} if task is None else {"SLURM_ARRAY_TASK_ID": task}
    script = batch_script(str(folder), first)
    done = subprocess.run(["sh"], input=script, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (member, "", 7)


def test_the_script_says_what_it_lacks(tmp_path: Path) -> None:
    link_members(tmp_path, [Job("01RUN", "s", "/not/there", Resources())])
    (tmp_path / "wrapper.sh").write_text(wrapper_script())
    done = subprocess.run(
        ["sh"], input=batch_script(str(tmp_path)), env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "-> /not/there" in done.stderr
