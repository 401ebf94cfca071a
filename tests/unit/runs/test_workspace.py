"""The job's folder: laid out once, alterations told, taken away whatever the job did to it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from lockgate.errors import OutsideError, UserError
from lockgate.runs.workspace import Input, altered, clean, inventory, lay_out

SCRIPT = "#!/bin/sh\nexit 0\n"


def of(path: str, content: bytes = b"content\n", *, is_executable: bool = False) -> Input:
    return Input(path, content=lambda: content, is_executable=is_executable)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_laid_out(tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    stored.write_bytes(b"x" * 3_000_000)
    inputs = [
        of("a.txt"),
        of("bin/tool", b"#!/bin/sh\n", is_executable=True),
        of("deep/er/ä ö\n木.csv", b""),
        Input("data/large", source=stored),
        Input("link", link="deep/er"),
        Input("dangling", link="no/where"),
        Input("empty/folder", is_folder=True),
    ]
    placed = lay_out(tmp_path / "runs/1/job", SCRIPT, inputs, ["out/model", "table", "data/x/y/z/"])
    folder = tmp_path / "runs/1/job"
    workspace = folder / "workspace"
    assert sorted(path.name for path in folder.iterdir()) == ["job.sh", "programs", "tmp", "workspace"]
    assert (workspace / "a.txt").read_bytes() == b"content\n"
    assert (workspace / "data/large").read_bytes() == stored.read_bytes()
    assert (workspace / "data/large").stat().st_ino != stored.stat().st_ino
    assert (workspace / "link").readlink() == Path("deep/er")
    assert stat.S_IMODE((workspace / "a.txt").stat().st_mode) == 0o444
    assert stat.S_IMODE((workspace / "bin/tool").stat().st_mode) == 0o555
    assert (workspace / "deep/er/ä ö\n木.csv").read_bytes() == b""
    assert (workspace / "empty/folder").is_dir()
    assert (workspace / "out").is_dir() and not (workspace / "out/model").exists()
    assert (workspace / "data/x/y").is_dir() and not (workspace / "data/x/y/z").exists()
    assert [each.path for each in placed] == [each.path for each in inputs if not each.is_folder]
    assert subprocess.run(["sh", str(folder / "job.sh")], check=False).returncode == 0
    assert altered(folder, placed) == ()


def test_a_folder_laid_out_is_left_alone(tmp_path: Path) -> None:
    placed = lay_out(tmp_path / "job", SCRIPT, [of("a")])
    (tmp_path / "job/workspace/b").touch()
    assert lay_out(tmp_path / "job", "other", [of("c")]) == placed == inventory(tmp_path / "job")
    assert (tmp_path / "job/workspace/b").exists()
    assert not (tmp_path / "job/workspace/c").exists()


def test_a_started_job_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "job/workspace").mkdir(parents=True)
    (tmp_path / "job/pid").write_text("1\n")
    assert lay_out(tmp_path / "job", SCRIPT, [of("a")]) == ()
    assert not (tmp_path / "job/workspace/a").exists()


@pytest.mark.parametrize("cut", ["nothing", "folders", "inputs", "script"])
def test_what_was_cut_short_is_begun_again(tmp_path: Path, cut: str) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    if cut != "nothing":
        (folder / "workspace/sub").mkdir(parents=True)
    if cut in ("inputs", "script"):
        (folder / "workspace/a").write_bytes(b"con")
        (folder / "workspace/stray").write_bytes(b"")
    if cut == "script":
        (folder / "job.sh").write_bytes(SCRIPT.encode() + b'\n# inputs: [["a", "=')
    assert inventory(folder) is None
    lay_out(folder, SCRIPT, [of("a")])
    assert (folder / "workspace/a").read_bytes() == b"content\n"
    assert names(folder / "workspace") == ["a"]
    assert (folder / "tmp").is_dir()


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    placed = lay_out(tmp_path / "job", SCRIPT, [of(name), Input("l", link=name)])
    assert inventory(tmp_path / "job") == placed
    (tmp_path / "job/workspace" / name).unlink()
    assert altered(tmp_path / "job", placed) == (name,)


def test_many_inputs(tmp_path: Path) -> None:
    placed = lay_out(tmp_path / "job", SCRIPT, [of(f"d{n % 10}/{n}", b"%d" % n) for n in range(2_000)])
    assert inventory(tmp_path / "job") == placed
    assert altered(tmp_path / "job", placed) == ()
    assert subprocess.run(["sh", str(tmp_path / "job/job.sh")], check=False).returncode == 0


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "", ".", "a/", "a//b", "a/./b", "/a"])
def test_a_path_outside_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UserError) as caught:
        lay_out(tmp_path / "job", SCRIPT, [of(path)])
    assert caught.value.code == "input-path"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job"]


@pytest.mark.parametrize("path", ["../out/x", "/etc/x", "a/../../b/x"])
def test_a_make_outside_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UserError):
        lay_out(tmp_path / "job", SCRIPT, [], [path])


def test_no_input_through_a_link(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        lay_out(tmp_path / "job", SCRIPT, [Input("l", link=str(tmp_path)), of("l/planted")])
    assert not (tmp_path / "planted").exists()


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutsideError) as caught:
        lay_out(tmp_path / "file/job", SCRIPT, [])
    assert caught.value.code == "job-folder"
    with pytest.raises(OutsideError):
        lay_out(tmp_path / "job", SCRIPT, [Input("a", source=tmp_path / "gone")])
    assert inventory(tmp_path / "job") is None


ALTERATIONS = {
    "chmod": ("chmod 777 a", ()),
    "touch": ("touch -d 2001-01-01 a", ()),
    "same content again": ("cp a b; rm -f a; mv b a", ()),
    "unreadable": ("chmod 000 a", ()),
    "append": ("chmod u+w a; echo x >> a", ("a",)),
    "same size, old times": ("chmod u+w a; touch -r a ref; echo CONTENT > a; touch -r ref a", ("a",)),
    "remove": ("rm -f a", ("a",)),
    "folder instead": ("rm -f a; mkdir a", ("a",)),
    "link instead": ("mv a b; ln -s b a", ("a",)),
    "fifo instead": ("rm -f a; mkfifo a", ("a",)),
    "link elsewhere": ("ln -sfn elsewhere l", ("l",)),
    "link made anew": ("ln -sfn sub l", ()),
    "stored appended": ("chmod u+w s; echo x >> s", ("s",)),
    "stored touched": ("touch s", ()),
    "two": ("rm -f sub/b a", ("a", "sub/b")),
    "folder moved": ("mv sub other", ("sub/b",)),
    "a file beside": ("touch sub/c", ()),
}


@pytest.mark.parametrize("how", ALTERATIONS)
def test_alterations(tmp_path: Path, how: str) -> None:
    command, expected = ALTERATIONS[how]
    stored = tmp_path / "stored"
    stored.write_bytes(b"stored\n")
    inputs = [of("a"), of("sub/b"), Input("l", link="sub"), Input("s", source=stored)]
    placed = lay_out(tmp_path / "job", SCRIPT, inputs)
    subprocess.run(["sh", "-c", command], cwd=tmp_path / "job/workspace", check=True)
    assert altered(tmp_path / "job", placed) == expected
    assert stored.read_bytes() == b"stored\n"


def test_alterations_after_a_restart(tmp_path: Path) -> None:
    lay_out(tmp_path / "job", SCRIPT, [of("a"), of("b")])
    shutil.copytree(tmp_path / "job", tmp_path / "moved", symlinks=True)
    placed = inventory(tmp_path / "moved")
    assert placed is not None and altered(tmp_path / "moved", placed) == ()
    (tmp_path / "moved/workspace/b").chmod(0o644)
    (tmp_path / "moved/workspace/b").write_bytes(b"CONTENT\n")
    assert altered(tmp_path / "moved", placed) == ("b",)


def test_clean_keeps_script_log_and_records(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    lay_out(folder, SCRIPT, [of("a/b")])
    for name in ("output.log", "exit.json", "exit", "pid"):
        (folder / name).touch()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (folder / "workspace/link").symlink_to(tmp_path / "precious")
    (folder / "workspace/locked/in").mkdir(parents=True)
    (folder / "workspace/locked/in/f").touch()
    (folder / "workspace/locked").chmod(0o000)
    clean(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "exit",
        "exit.json",
        "job.sh",
        "output.log",
        "pid",
    ]
    assert (tmp_path / "precious/file").exists()
    clean(folder)


def test_clean_when_the_workspace_became_something_else(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (tmp_path / "job").mkdir()
    (tmp_path / "job/workspace").symlink_to(tmp_path / "precious")
    (tmp_path / "job/tmp").touch()
    clean(tmp_path / "job")
    assert names(tmp_path / "job") == []
    assert (tmp_path / "precious/file").exists()


def test_clean_of_folders_deeper_than_a_path_can_say(tmp_path: Path) -> None:
    (tmp_path / "job/workspace").mkdir(parents=True)
    deep = os.open(tmp_path / "job/workspace", os.O_RDONLY)
    for _ in range(60):
        os.mkdir("n" * 200, dir_fd=deep)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    clean(tmp_path / "job")
    assert names(tmp_path / "job") == []
