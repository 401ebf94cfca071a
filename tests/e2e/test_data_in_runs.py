"""Data behind pointers: sent to the hub with the run, laid into workspaces, known by its content."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from pathlib import Path

from data_place import add_data, forget, hub_store
from e2e_place import Place, WorkTree, run_program, until

COUNT = """\
[stages.count]
run = "wc -l < data/x.csv > o"
needs = ["data/x.csv"]
makes = ["o"]
"""


def project(place: Place, manifest: str = COUNT, **files: str) -> WorkTree:
    tree = place.project({"lockgate.toml": manifest, **files})
    tree.write({"data/x.csv": "1\n2\n3\n"})
    add_data(tree, "data/x.csv")
    tree.commit()
    return tree


def test_data_is_sent_with_the_run_and_a_colleague_has_the_result(place: Place) -> None:
    tree = project(place)
    said = tree.lockgate("run").out
    assert "sent to the hub: 1 object, 6 bytes" in said
    assert tree.read("o").strip() == "3"
    assert tree.lockgate("run").out.count("sent to the hub") == 0

    tree.git("push", "--quiet", "-o", "wait", "hub", "main")
    other = place.clone("other", "other@example.org")
    assert other.read("o").strip() == "3"
    assert not other.has("data/x.csv")
    # What its data is, is known without it
    assert "nothing to do" in other.lockgate("run").out
    assert "data/x.csv" in other.lockgate("why", "o").out
    assert "count" in other.lockgate("why", "data/x.csv").out


def test_a_description_makes_nothing_stale_and_new_content_does(place: Place) -> None:
    tree = project(place)
    tree.lockgate("run")
    add_data(tree, "data/x.csv", desc="three rows")
    assert "nothing to do" in tree.lockgate("run").out
    tree.write({"data/x.csv": "1\n"})
    add_data(tree, "data/x.csv")
    assert "data changed: data/x.csv" in tree.lockgate("run").out
    assert tree.read("o").strip() == "1"


def test_a_folder_is_needed_whole_in_part_by_pattern_and_with_the_repository(place: Place) -> None:
    manifest = """\
[stages.whole]
run = "ls pics | wc -l > whole"
needs = ["pics"]
makes = ["whole"]

[stages.part]
run = "ls -R pics > part"
needs = ["pics/cats"]
makes = ["part"]

[stages.one]
run = "cat pics/dogs/c > one"
needs = ["pics/dogs/c"]
makes = ["one"]

[stages.pattern]
run = "find pics -name '*.txt' | sort > pattern"
needs = ["pics/**/*.txt"]
makes = ["pattern"]

[stages.all]
run = "cat pics/cats/a pics/note.txt i > all; ls pics.dvc >> all 2>&1 || true"
makes = ["all"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "i\n"})
    tree.write({"pics/cats/a": "a\n", "pics/cats/b": "b\n", "pics/dogs/c": "c\n", "pics/note.txt": "n\n"})
    add_data(tree, "pics")
    tree.commit()
    tree.lockgate("run")
    assert tree.read("whole").strip() == "3"
    assert "dogs" not in tree.read("part") and "note" not in tree.read("part")
    assert tree.read("one") == "c\n"
    assert tree.read("pattern") == "pics/note.txt\n"
    assert tree.read("all").startswith("a\nn\ni\n")
    assert "cannot access" in tree.read("all")

    tree.write({"pics/dogs/c": "changed\n"})
    add_data(tree, "pics")
    tree.commit()
    tree.lockgate("run")
    states = place.states(place.runs()[-1].request.id)
    assert states == {
        "whole": "succeeded", "part": "cached", "one": "succeeded", "pattern": "cached", "all": "succeeded",
    }  # fmt: skip


def test_an_undeclared_file_of_a_folder_is_named(place: Place) -> None:
    manifest = '[stages.s]\nrun = "cat pics/a > o"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "i\n"})
    tree.write({"pics/a": "a\n"})
    add_data(tree, "pics")
    assert 'add "pics/a" to needs' in tree.lockgate("run", code=1).out


def test_a_stage_that_writes_over_its_data_fails_and_the_store_is_whole(place: Place) -> None:
    manifest = COUNT.replace("wc -l < data/x.csv > o", "chmod u+w data/x.csv; echo y > data/x.csv; echo > o")
    tree = project(place, manifest)
    assert "it altered data/x.csv" in tree.lockgate("run", code=1).out
    store = hub_store(tree)
    digest = add_data(tree, "data/x.csv")
    assert store.check(digest)


def test_data_nobody_has_is_refused_in_words_before_anything_runs(place: Place) -> None:
    tree = project(place)
    forget(tree)
    refused = tree.lockgate("run", code=2).err
    assert "data/x.csv (6 bytes) is not on the hub, nor on the project's remote" in refused
    assert "lockgate hub send" in refused
    said = tree.push().err
    assert "FAILED" in said
    row = place.runs()[-1]
    assert "data/x.csv (6 bytes) is not on the hub" in (row.cause or "")
    assert place.jobs(row.request.id) == {}

    # What no stage that runs needs, is not asked for
    tree.commit({"lockgate.toml": '[stages.s]\nrun = "cat i > o"\nneeds = ["i"]\nmakes = ["o"]\n', "i": "1"})
    assert "SUCCEEDED" in tree.push().err


def test_data_comes_from_the_projects_remote(place: Place, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    tree = project(place, f'{COUNT}\n[data]\nremote = "{remote}"\n')
    store = tree.path / ".dvc" / "cache"
    store.rename(remote)
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    assert tree.read("o").strip() == "3"


def test_another_projects_data_is_not_to_be_had_by_its_name(place: Place) -> None:
    tree = project(place)
    tree.lockgate("run")
    thief = place.project({"lockgate.toml": COUNT, "data/x.csv.dvc": tree.read("data/x.csv.dvc")}, "q")
    assert "is not on the hub" in thief.lockgate("run", code=2).err
    # With the bytes it is: what is sent is theirs
    thief.write({"data/x.csv": "1\n2\n3\n"})
    add_data(thief, "data/x.csv")
    thief.lockgate("run")
    assert thief.read("o").strip() == "3"


def test_a_large_file_goes_on_where_the_hub_was_killed(place: Place) -> None:
    tree = project(place)
    tree.lockgate("run")
    content = os.urandom(120_000_000)
    md5 = hashlib.md5(content).hexdigest()
    words = ["--hub", str(place.hub), "--project", "p"]
    taking = subprocess.Popen(["lockgate", "hub", "take", *words], stdin=subprocess.PIPE, env=place.env)
    assert taking.stdin is not None
    taking.stdin.write(f"{md5} {len(content)} 0\n".encode() + content[:60_000_000])
    taking.stdin.flush()
    part = place.hub / "incoming" / "p" / f"{md5}.part"
    until(lambda: part.exists() and part.stat().st_size > 50_000_000, "much has come")
    taking.send_signal(signal.SIGKILL)
    taking.wait()
    taking.stdin.close()

    store = hub_store(tree)
    assert not store.has(md5)

    def lacking() -> dict[str, int]:
        asked: list[str | Path] = ["lockgate", "hub", "lacking", "--json", *words]
        told = run_program(asked, place.root, place.env, stdin=json.dumps([md5]))
        found: dict[str, int] = json.loads(told.out)["lacking"]
        return found

    offset = lacking()[md5]
    assert 50_000_000 < offset <= 60_000_000
    rest = f"{md5} {len(content)} {offset}\n".encode() + content[offset:] + b"end\n"
    subprocess.run(["lockgate", "hub", "take", *words], input=rest, env=place.env, check=True)
    assert store.check(md5)
    assert not part.exists()
    assert lacking() == {}


def test_a_program_behind_a_pointer_can_be_executed(place: Place) -> None:
    manifest = '[stages.go]\nrun = "./tool.sh > o"\nneeds = ["tool.sh"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest})
    tree.write({"tool.sh": "#!/bin/sh\necho went\n"})
    (tree.path / "tool.sh").chmod(0o755)
    tree.lockgate("data", "add", "tool.sh")
    assert "isexec: true" in tree.read("tool.sh.dvc")
    tree.commit()
    tree.lockgate("run")
    assert tree.read("o") == "went\n"


def test_data_behind_a_pointer_of_dvc_2_is_refused_in_words(place: Place) -> None:
    tree = project(place)
    forget(tree)
    # DVC 2's form: no word of the digest's kind, which is of text with other line ends
    tree.commit({"data/x.csv.dvc": tree.read("data/x.csv.dvc").replace("  hash: md5\n", "")})
    refused = tree.lockgate("run", code=2).err
    assert "data/x.csv (6 bytes) is behind a pointer of DVC 2" in refused and "[data-legacy]" in refused
    assert "dvc checkout" in refused and "lockgate data add data/x.csv" in refused
