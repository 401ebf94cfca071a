"""What is handed to HTCondor: options, the submit description, the scripts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.backends.htcondor.description import start_script, submit_description
from lockgate.backends.htcondor.options import Options, read_options
from lockgate.backends.ledger import link_members
from lockgate.project.pipeline import Resources
from lockgate.runs.job import Job

GOLDEN = Path(__file__).parents[2] / "golden/htcondor"
FULL = {
    "requirements": "HasFastDisk || Memory > 1000",
    "rank": "KFlops",
    "accounting_group": "group_physics",
    "request_disk": "2 GB",
    "container_image": "docker://python:3.11",
    "max_materialize": 1000,
    "priority": -5,
    "extra": ["nice_user = true", '+ProjectName = "flights"'],
}


def options(table: dict[str, object]) -> Options:
    read = read_options(table)
    assert isinstance(read, Options), read
    return read


def described(table: dict[str, object], folder: str = "/hub/jobs/.batches/lg-train-1", **asked: int) -> str:
    return submit_description("lg-train-1", folder, 3, Resources(**asked), options(table))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shared", described({})),
        ("carried", described({"transfer": True}, cpus=2, memory_bytes=4_000_000_000, walltime_s=600)),
        ("full", described(FULL, gpus=1, memory_bytes=1)),
    ],
)
def test_submit_description(name: str, text: str) -> None:
    assert text == (GOLDEN / f"{name}.sub").read_text()


def test_a_path_begins_no_macro() -> None:
    text = described({}, folder="/h/$(Process) $ENV(HOME)")
    assert "initialdir = /h/$(DOLLAR)(Process) $(DOLLAR)ENV(HOME)\n" in text


def test_memory_is_asked_for_in_whole_mebibytes_and_never_less() -> None:
    assert "request_memory = 29\n" in described({}, memory_bytes=30_000_000)
    assert "request_memory = 2\n" in described({}, memory_bytes=2 << 20)
    assert "request_memory" not in described({})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"colour": "red"}, "has no key 'colour'; known are requirements"),
        ({"rank": 3}, "rank must be a text"),
        ({"transfer": "yes"}, "transfer must be true or false"),
        ({"max_idle": 0}, "max_idle must be 1 or more"),
        ({"max_idle": "many"}, "max_idle must be a whole number"),
        ({"extra": "nice_user = true"}, "extra must be a list of lines"),
        ({"extra": ["nice_user"]}, "is no submit command"),
        ({"extra": [""]}, "empty or no plain text"),
        ({"extra": ["queue 5"]}, "cannot let through"),
        ({"extra": ["QUEUE"]}, "cannot let through"),
        ({"extra": ["Executable = /bin/rm"]}, "cannot let through"),
        ({"extra": ["on_exit_remove = false"]}, "Lockgate itself starts a job again"),
        ({"extra": ["nice_user = true\nqueue 5"]}, "no plain text"),
        ({"extra": ["nice_user = true \\"]}, "ends with a backslash"),
        ({"requirements": "true\nexecutable = /bin/rm"}, "no plain text"),
        ({"rank": "  "}, "empty"),
        ({"pool": "-name"}, "pool must be a name"),
        ({"transfer": True, "universe": "grid"}, "does not go with the universe"),
    ],
)
def test_options_that_are_wrong_are_told_in_words(table: dict[str, object], words: str) -> None:
    said = read_options(table)
    assert isinstance(said, str) and words in said and said.startswith("[batch.htcondor]")


def test_every_line_of_ours_may_be_set_by_its_own_key_only() -> None:
    for line in described(FULL).splitlines():
        name = line.partition("=")[0].strip()
        if name.startswith(("+", "nice_user", "queue")):
            continue
        assert name in ("priority", "notification", "want_graceful_removal", "job_max_vacate_time",
                        "max_materialize", "My.LockgateKey") or isinstance(
            read_options({"extra": [f"{name} = x"]}), str
        ), name  # fmt: skip


def test_the_shared_script_finds_its_member(tmp_path: Path) -> None:
    batch = tmp_path / "it's a $batch"
    batch.mkdir()
    jobs = [Job("01RUN", "s", folder, Resources()) for folder in ("/first", "/se cond", "-third")]
    link_members(batch, jobs)
    (batch / "wrapper.sh").write_text('readlink "$1"\n')
    (batch / "start.sh").write_text(start_script(str(batch), "", is_carried=False))

    def run(number: int) -> subprocess.CompletedProcess[str]:
        words = ["/bin/sh", "start.sh", str(number)]
        return subprocess.run(words, cwd=batch, capture_output=True, text=True, check=False, env={})

    assert [run(number).stdout for number in range(3)] == ["/first\n", "/se cond\n", "-third\n"]
    assert run(3).returncode == 1 and run(3).stdout == ""


@pytest.mark.parametrize("code", [0, 3, 75])
def test_the_carried_script_packs_what_is_there(tmp_path: Path, code: int) -> None:
    wrapper = (
        'cd "$1"; echo 1 >pid; echo made >workspace/out; echo said >output.log\n'
        f"echo {code} >exit; exit {code}\n"
    )
    (tmp_path / "start.sh").write_text(start_script("/nowhere", wrapper, is_carried=True))
    done = subprocess.run(
        ["/bin/sh", "start.sh"], cwd=tmp_path, capture_output=True, text=True, check=False, env={}
    )
    assert done.returncode == code, done.stderr
    assert done.stdout in ("", "said\n")
    listed = subprocess.run(
        ["tar", "tf", "htcondor.tar"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == ["workspace/", "workspace/out", "output.log", "pid", "exit"]
