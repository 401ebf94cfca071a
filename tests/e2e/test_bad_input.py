"""Whatever is wrong in a project is said in one line with what to do, by `lockgate run` and by the push."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from e2e_place import ONE_STAGE, Done, Place, WorkTree, receipts, run_program, until

STAGE = '[stages.s]\nrun = "cat i > o"\nneeds = {needs}\nmakes = {makes}\n'


def manifest(needs: str = '["i"]', makes: str = '["o"]') -> str:
    return STAGE.format(needs=needs, makes=makes)


#: What is wrong → the manifest, the words that must be said.
WRONG_MANIFESTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "no stage is declared"),
    "no stages": ('[project]\nname = "p"\n', "no stage is declared"),
    "not TOML": ("[stages.s\n", "lockgate.toml:1"),
    "not UTF-8": (b'[stages.s]\nrun = "\xff"\n', "lockgate.toml:2: not UTF-8"),
    "unknown key": (manifest() + 'colour = "red"\n', "lockgate.toml:5"),
    "unknown table": (manifest() + "[nonsense]\nx = 1\n", "nonsense"),
    "wrong type": (manifest() + 'cpus = "many"\n', "lockgate.toml:5"),
    "missing need": (manifest(needs='["i", "absent.csv"]'), "absent.csv"),
    "circle": (
        '[stages.a]\nrun="x"\nneeds=["y"]\nmakes=["z"]\n[stages.b]\nrun="x"\nneeds=["z"]\nmakes=["y"]\n',
        "circle",
    ),
    "two makers": (
        '[stages.a]\nrun="x"\nneeds=["i"]\nmakes=["z"]\n[stages.b]\nrun="x"\nneeds=["i"]\nmakes=["z"]\n',
        "lockgate.toml:",
    ),
    "absolute need": (manifest(needs='["/etc/passwd"]'), "/etc/passwd"),
    "absolute make": (manifest(makes='["/tmp/o"]'), "/tmp/o"),
    "need above": (manifest(needs='["../i"]'), "../i"),
    "make above": (manifest(makes='["a/../../o"]'), "a/../../o"),
    "make in .git": (manifest(makes='[".git/hooks/post-checkout"]'), ".git"),
    "nothing to run": ('[stages.s]\nneeds = ["i"]\nmakes = ["o"]\n', "lockgate.toml:1"),
    "run and notebook": ('[stages.s]\nrun = "x"\nnotebook = "n.ipynb"\nmakes = ["o"]\n', "notebook"),
    "unknown backend": (manifest() + 'backend = "mainframe"\n', "mainframe"),
    "unknown parameter in a command": (
        manifest().replace("cat i", "cat i {depht}") + "params = { depth = 1 }\n",
        "depht",
    ),
    "a NUL in the command": (
        '[stages.s]\nrun = "cat \\u0000 i"\nneeds = ["i"]\nmakes = ["o"]\n',
        "lockgate.toml",
    ),
    "negative memory": (manifest() + 'memory = "-1 GB"\n', "memory"),
    "endless walltime": (manifest() + 'walltime = "many days"\n', "walltime"),
}


def both_refuse(tree: WorkTree, words: str, *options: str) -> None:
    """`lockgate run` and a push say the same one line of cause, a hint, and do nothing."""
    before = tree.place.refs()
    run = tree.lockgate("run", code=None)
    assert run.code == 2, run.said
    cause, hint = told(run)
    assert words in cause + hint, run.err
    push = tree.push(code=None)
    assert push.code != 0
    assert cause in push.err
    assert hint.split(" [")[0] in push.err
    assert tree.place.refs() == before
    assert tree.place.runs() == []


def told(done: Done) -> tuple[str, str]:
    lines = done.err.splitlines()
    assert len(lines) == 2, done.err
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  ")
    return lines[0].removeprefix("error: "), lines[1].strip()


@pytest.mark.parametrize("wrong", WRONG_MANIFESTS)
def test_what_is_wrong_in_a_manifest_is_said_by_run_and_push(place: Place, wrong: str) -> None:
    text, words = WRONG_MANIFESTS[wrong]
    both_refuse(place.project({"lockgate.toml": text, "i": "1\n"}), words)


WRONG_FILES: dict[str, tuple[Mapping[str, str | bytes], str]] = {
    "a notebook that is no JSON": (
        {"lockgate.toml": '[stages.n]\nnotebook = "n.ipynb"\nmakes = ["n.html"]\n', "n.ipynb": "not json"},
        "n.ipynb",
    ),
    "a notebook that is not there": (
        {"lockgate.toml": '[stages.n]\nnotebook = "n.ipynb"\nmakes = ["n.html"]\n'},
        "n.ipynb",
    ),
    "a lock that is none": (
        {"lockgate.toml": ONE_STAGE, "i": "", "lockgate.lock": "<<<<<<< HEAD\n"},
        "lockgate.lock",
    ),
    "requirements that are none": (
        {"lockgate.toml": ONE_STAGE, "i": "", "requirements.txt": "not a requirement at all !!\n"},
        "requirements",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_what_is_wrong_in_a_file_is_said_by_run_and_push(place: Place, wrong: str) -> None:
    files, words = WRONG_FILES[wrong]
    both_refuse(place.project(files), words)


@pytest.mark.parametrize(
    ("arguments", "option", "words"),
    [
        (["-p", "nosuch=1"], "param.nosuch=1", "nosuch"),
        (["nosuch"], "only=nosuch", "nosuch"),
        (["--force", "nosuch"], "force=nosuch", "nosuch"),
        (["--on", "mainframe"], "backend=mainframe", "mainframe"),
    ],
)
def test_what_is_wrong_in_an_option_is_said_by_run_and_push(
    place: Place, arguments: list[str], option: str, words: str
) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    done = tree.lockgate("run", *arguments, code=2)
    cause, _ = told(done)
    assert words in cause
    push = tree.git("push", "-o", option, "hub", "main", code=1)
    assert cause in push.err
    assert place.runs() == []


def test_an_unknown_push_option_is_refused_with_those_there_are(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    said = tree.git("push", "-o", "wiat", "hub", "main", code=1).err
    assert "git push -o wiat: no such option" in said
    assert "only=STAGE" in said
    assert place.refs("refs/heads") == {}


@pytest.mark.parametrize(
    "ref", ["refs/lockgate/activity", "refs/lockgate/queue/x", "refs/lockgate/snapshots/x"]
)
def test_the_hubs_own_refs_are_not_for_pushing(place: Place, ref: str) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    before = place.refs()
    tree.git("push", "hub", f"HEAD:{ref}", code=1)
    assert place.refs() == before


def test_a_folder_that_is_no_repository(place: Place) -> None:
    folder = place.root / "plain"
    folder.mkdir()
    for words in (["run"], ["status"], ["runs"]):
        cause, _ = told(run_program(["lockgate", *words], folder, place.env, 2))
        assert "not" in cause
        assert "repository" in cause


def test_a_repository_without_a_manifest(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    (tree.path / "lockgate.toml").unlink()
    cause, hint = told(tree.lockgate("run", code=2))
    assert "there is no lockgate.toml" in cause
    assert "lockgate init" in hint


def test_a_repository_without_a_commit_runs_and_stays_without_one(place: Place) -> None:
    tree = WorkTree(place, place.root / "new")
    tree.path.mkdir()
    tree.git("init", "--quiet")
    tree.write({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.lockgate("run")
    assert tree.read("o") == "1\n"
    assert tree.git("rev-parse", "--verify", "-q", "HEAD", code=1).out == ""
    push = tree.push("HEAD:refs/heads/main", code=None)
    assert push.code != 0


def test_a_folder_without_anything_is_set_up_and_run(place: Place) -> None:
    folder = place.root / "fresh"
    folder.mkdir()
    (folder / "lockgate.toml").write_text(ONE_STAGE)
    (folder / "i").write_text("1\n")
    run_program(["lockgate", "init"], folder, place.env)
    run_program(["lockgate", "run"], folder, place.env)
    assert (folder / "o").read_text() == "1\n"


def test_a_detached_head_runs_and_pushes(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("checkout", "--quiet", "--detach")
    tree.lockgate("run")
    assert tree.read("o") == "1\n"
    assert "SUCCEEDED" in tree.push("HEAD:refs/heads/main").err
    assert tree.git("symbolic-ref", "-q", "HEAD", code=1).out == ""


def test_a_submodule_is_left_alone_or_named(place: Place) -> None:
    sub = place.project({"x": "1\n", "lockgate.toml": ONE_STAGE, "i": ""}, name="sub")
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"}, name="p")
    tree.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(sub.path), "lib")
    tree.commit()
    assert "SUCCEEDED" in tree.push().err
    tree.commit({"lockgate.toml": ONE_STAGE.replace('["i"]', '["i", "lib"]')})
    done = tree.git("push", "-f", "-o", "wait", "hub", "main", code=None)
    assert "Traceback" not in done.err
    assert done.code != 0 or "FAILED" in done.err
    assert "lib" in done.err
    assert "submodule" in done.err


NAMES = ["two words", "größe-€-日本", "quote'\"s", "-dash", "new\nline", "tab\t", "back\\slash", "star*[x]?"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_a_file_can_have(place: Place, name: str) -> None:
    text = (
        "[stages.s]\n"
        "run = '''for f in ./*; do cat \"$f\"; done > o'''\n"
        f"needs = {json.dumps([name.replace('[', '[[]').replace('*', '[*]').replace('?', '[?]')])}\n"
        f'makes = ["o", {json.dumps("out/" + name)}]\n'
    )
    text = text.replace("> o'''", f"> ../tmp/o; mv ../tmp/o o; cp o out/; mv out/o {_shell(name)}'''")
    tree = place.project({"lockgate.toml": text, name: "content\n"})
    done = tree.push(code=None)
    if done.code != 0:
        assert "lockgate: nothing was queued: lockgate.toml:" in done.err
        return
    assert "SUCCEEDED" in done.err, done.err
    tree.pull()
    assert tree.read("o") == "content\n"
    assert tree.read("out/" + name) == "content\n"
    assert tree.git("status", "--porcelain").out == ""
    tree.commit({name: "changed\n"})
    assert "SUCCEEDED" in tree.push().err
    tree.lockgate("run")
    assert tree.read("out/" + name) == "changed\n"


def _shell(name: str) -> str:
    return "'out/" + name.replace("'", "'\\''") + "'" if "'" not in name else '"out/quote\'\\"s"'


def test_names_that_are_no_text_at_all_do_no_harm(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    Path(os.fsdecode(os.fsencode(tree.path) + b"/latin-\xe9")).write_text("x")
    tree.lockgate("run")
    assert tree.read("o") == "1\n"
    tree.commit()
    assert "SUCCEEDED" in tree.push().err


def test_a_link_out_of_the_tree_leads_nowhere(place: Place) -> None:
    secret = place.root / "secret"
    secret.write_text("secret\n")
    tree = place.project({"lockgate.toml": ONE_STAGE, "x": ""})
    (tree.path / "i").symlink_to(secret)
    tree.commit()
    done = tree.push(code=None)
    assert done.code != 0 or "FAILED" in done.err
    assert not any("secret" in content for content in _blobs(place))


def _blobs(place: Place) -> list[str]:
    commits = place.on_hub("rev-list", "--all").split()
    return [place.on_hub("show", f"{commit}:o", code=None) for commit in commits]


def test_a_link_inside_the_tree_is_an_input_like_any_other(place: Place) -> None:
    text = ONE_STAGE.replace('["i"]', '["i", "real"]')
    tree = place.project({"lockgate.toml": text, "real": "1\n"})
    (tree.path / "i").symlink_to("real")
    tree.commit()
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    assert tree.read("o") == "1\n"


@pytest.mark.slow
def test_ten_thousand_files_are_snapshotted_planned_and_run_in_seconds(place: Place) -> None:
    text = '[stages.s]\nrun = "cat many/* | wc -l > o"\nneeds = ["many"]\nmakes = ["o"]\n'
    files = {f"many/{n % 97}-{n}.txt": f"{n}\n" for n in range(10_000)}
    tree = place.project({"lockgate.toml": text, **files})
    tree.lockgate("run")
    assert tree.read("o").strip() == "10000"
    began = time.monotonic()
    tree.lockgate("run")
    again_s = time.monotonic() - began
    (tree.path / "many" / "0-0.txt").write_text("0\n0\n")
    began = time.monotonic()
    tree.lockgate("run")
    changed_s = time.monotonic() - began
    assert tree.read("o").strip() == "10001"
    sys.stderr.write(f"10,000 files: nothing to do in {again_s:.2f} s, one changed in {changed_s:.2f} s\n")
    assert again_s < 10
    assert changed_s < 30


def test_a_huge_manifest_is_planned_or_refused_in_words(place: Place) -> None:
    stages = "".join(
        f'[stages.s{n}]\nrun = "cat i > o{n}"\nneeds = ["i"]\nmakes = ["o{n}"]\n' for n in range(3000)
    )
    tree = place.project({"lockgate.toml": stages, "i": "1\n"})
    done = tree.git("push", "-o", "only=s7", "-o", "wait", "hub", "main")
    assert len(receipts(done)) == 1
    tree.pull()
    assert tree.read("o7") == "1\n"
    assert len(done.err.splitlines()) < 60


def test_twenty_megabytes_of_manifest_do_no_harm(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE + "# " + "x" * 20_000_000 + "\n", "i": "1\n"})
    done = tree.push(code=None)
    assert done.code != 0 or "SUCCEEDED" in done.err


def test_edits_made_while_a_run_goes_on_are_kept(place: Place) -> None:
    gate = place.outside / "gate"
    text = ONE_STAGE.replace(
        "cat i > o", f"touch {gate}.up; until [ -e {gate} ]; do sleep 0.02; done; cat i > o"
    )
    tree = place.project({"lockgate.toml": text, "i": "1\n", "o": "old\n"})
    run = subprocess.Popen(
        ["lockgate", "run"], cwd=tree.path, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until((place.outside / "gate.up").exists, "the stage runs")
    tree.write({"o": "mine\n"})
    gate.touch()
    said = run.communicate(timeout=60)[0].decode()
    assert run.returncode == 0, said
    assert "left as you edited them meanwhile: o" in said
    assert tree.read("o") == "mine\n"


def test_uncommitted_work_is_run_and_no_branch_moves(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    head, index = tree.head(), (tree.path / ".git" / "index").read_bytes()
    tree.write({"i": "uncommitted\n", "untracked": "x\n"})
    tree.lockgate("run")
    assert tree.read("o") == "uncommitted\n"
    assert tree.head() == head
    assert (tree.path / ".git" / "index").read_bytes() == index
    assert tree.git("diff", "--cached", "--name-only").out == ""
    assert place.refs("refs/heads") == {}
    assert place.refs("refs/lockgate/snapshots") == {}
