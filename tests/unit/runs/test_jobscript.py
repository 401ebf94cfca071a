"""job.sh, run by every shell at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.runs.exitrecord import parse_raw
from lockgate.runs.jobscript import ALREADY_STARTED, base_environment, job_script, quoted

SHELLS = [path for path in map(shutil.which, ("dash", "bash", "ksh", "busybox")) if path]
TEXT = 'it\'s "$HOME" `id` \\ \n* é → 木 \t!#%{}'


def start(
    folder: Path, script: str, shell: str = "/bin/sh", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    (folder / "workspace").mkdir(exist_ok=True)
    (folder / "job.sh").write_text(script)
    shell_words = [shell, "sh"] if shell.endswith("busybox") else [shell]
    return subprocess.run(
        [*shell_words, str(folder / "job.sh")],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        check=False,
        cwd="/",
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_runs_the_command_and_records_how_it_ended(tmp_path: Path, shell: str) -> None:
    script = job_script(f"pwd; printf %s {quoted(TEXT)} >&2; exit 3", {"PATH": os.environ["PATH"]})
    done = start(tmp_path, script, shell)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
    assert (tmp_path / "output.log").read_text() == f"{tmp_path}/workspace\n{TEXT}"
    raw = parse_raw((tmp_path / "exit").read_bytes())
    assert raw is not None and raw.code == 3 and raw.cpu_time_s is not None
    assert (tmp_path / "pid").read_text().strip().isdigit()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("own_shell", ["", "echo $$ >/dev/null; "])
def test_a_command_longer_than_a_word_of_a_command_line_runs_as_any_other(
    tmp_path: Path, shell: str, own_shell: str
) -> None:
    text = "it's long; " * 100_000
    script = job_script(
        f"{own_shell}printf '%s' {quoted(text)} | wc -c; printf '%s\n' {quoted(TEXT)}; pwd; exit 3",
        {"PATH": os.environ["PATH"]},
    )
    done = start(tmp_path, script, shell)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
    length, *rest = (tmp_path / "output.log").read_text().split("\n", 1)
    assert int(length) == len(text)
    assert rest == [f"{TEXT}\n{tmp_path}/workspace\n"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_second_start_touches_nothing(tmp_path: Path, shell: str) -> None:
    script = job_script("echo ran >> ../count", {"PATH": os.environ["PATH"]})
    start(tmp_path, script, shell)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    done = start(tmp_path, script, shell)
    assert (done.returncode, done.stdout, done.stderr) == (ALREADY_STARTED, b"", b"")
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after.pop("job.sh") and before.pop("job.sh")
    assert after == before
    assert (tmp_path / "count").read_text() == "ran\n"


def test_two_at_once_run_once(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "job.sh").write_text(job_script("echo ran >> ../count", {"PATH": os.environ["PATH"]}))
    started = [subprocess.Popen(["sh", str(tmp_path / "job.sh")]) for _ in range(8)]
    codes = sorted(each.wait() for each in started)
    assert codes == [0] + [ALREADY_STARTED] * 7
    assert (tmp_path / "count").read_text() == "ran\n"


def test_its_head_says_how_to_run_it_again_and_that_works(tmp_path: Path) -> None:
    script = job_script("echo ran >> ../count", {"PATH": os.environ["PATH"]}, title="Stage s\nof run r.")
    assert script.splitlines()[1] == "# Stage s of run r."
    assert "remove `pid` and `exit`" in script.splitlines()[2]
    start(tmp_path, script)
    (tmp_path / "pid").unlink()
    (tmp_path / "exit").unlink()
    assert subprocess.run(["sh", "job.sh"], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "count").read_text() == "ran\nran\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_environment_arrives_whatever_it_holds(tmp_path: Path, shell: str) -> None:
    values = {"PATH": os.environ["PATH"], "A": TEXT, "EMPTY": "", "MINUS": "-n"}
    script = job_script("env -0", values, from_folder={"HOME": "tmp", "X": "a'b"})
    start(tmp_path, script, shell, GIT_DIR="/elsewhere", PYTHONPATH="/elsewhere", CDPATH="/usr:/tmp")
    lines = (tmp_path / "output.log").read_bytes().decode().split("\0")
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    assert {name: found[name] for name in values} == values
    assert found["HOME"] == f"{tmp_path}/tmp" and found["X"] == f"{tmp_path}/a'b"
    assert not {"GIT_DIR", "PYTHONPATH", "CDPATH"} & set(found)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("false; true", 0),
        ("set -e; false; true", 1),
        ("exit 300", 44),
        ("(", 2),
        ("exec sh -c 'exit 9'", 9),
        ("echo x | cat\n\nsh -c 'exit 6'", 6),
        ("trap 'exit 4' EXIT; exit 5", 4),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("rm -rf ../workspace; exit 8", 8),
        ("cat; exit 1", 1),
        ("> a; echo x > a", 0),
    ],
)
def test_exit_codes(tmp_path: Path, command: str, code: int) -> None:
    assert start(tmp_path, job_script(command, {"PATH": os.environ["PATH"]})).returncode == code
    raw = parse_raw((tmp_path / "exit").read_bytes())
    assert raw is not None and raw.code == code


def test_a_missing_workspace_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text(job_script("true", {}))
    assert subprocess.run(["sh", str(tmp_path / "job.sh")], check=False).returncode != 0
    assert (tmp_path / "output.log").read_text()


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "É", "A\n"])
def test_a_name_no_variable_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="shell variable"):
        job_script("true", {name: "x"})
    with pytest.raises(ValueError, match="shell variable"):
        job_script("true", {}, from_folder={name: "x"})


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        job_script("a\0b", {})
    with pytest.raises(ValueError, match="NUL"):
        job_script("a", {"A": "\0"})


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_one_word(text: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {quoted(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text


def test_the_base_environment() -> None:
    values, inside = base_environment(
        run="01R", stage="train", cpus=4, source_date_epoch=12, runtime_bin=Path("/r/bin"), cache=Path("/c")
    )
    assert values["PATH"].startswith("/r/bin:/usr/local/bin:")
    assert values["VIRTUAL_ENV"] == "/r"
    assert values["MPLCONFIGDIR"] == "/c/matplotlib"
    assert (values["LOCKGATE_RUN"], values["LOCKGATE_STAGE"]) == ("01R", "train")
    assert (values["SOURCE_DATE_EPOCH"], values["TZ"], values["LC_ALL"]) == ("12", "UTC", "C.UTF-8")
    assert values["PYTHONHASHSEED"] == "0"
    assert {values[name] for name in values if name.endswith("_THREADS")} == {"4"}
    assert inside == {"HOME": "tmp", "TMPDIR": "tmp"}
    assert not any(name.startswith("GIT_") for name in values)


def test_the_base_environment_without_a_runtime() -> None:
    values, inside = base_environment(run="01R", stage="s", cpus=0, source_date_epoch=0)
    assert "VIRTUAL_ENV" not in values and "MPLCONFIGDIR" not in values
    assert inside["MPLCONFIGDIR"].startswith("tmp/")
    assert values["OMP_NUM_THREADS"] == "1"


def test_a_backend_adds_to_the_environment(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text('A="$A and more"\nHERE=$PWD\nexport HERE\n')
    script = job_script('printf "%s|%s" "$A" "$HERE"', {"PATH": os.environ["PATH"], "A": "first"})
    assert start(tmp_path, script).returncode == 0
    assert (tmp_path / "output.log").read_text() == f"first and more|{tmp_path}"
