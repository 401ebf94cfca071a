"""A stage sees what it declares and nothing else, and leaves it as it was: no result is ever stale."""

from __future__ import annotations

import pytest
from e2e_place import Place, WorkTree

JOIN = """\
[stages.join]
run = "cat i j > o"
needs = [{needs}]
makes = ["o"]
"""


def failed(tree: WorkTree) -> str:
    """Push; the run must fail and move nothing. Return its cause."""
    before = tree.place.refs("refs/heads")
    said = tree.push().err
    assert "FAILED" in said
    assert tree.place.refs("refs/heads") == before | {"refs/heads/main": tree.head()}
    row = tree.place.runs()[-1]
    assert row.state == "failed"
    return row.cause or ""


def test_an_undeclared_input_fails_at_once_and_the_message_says_what_to_add(place: Place) -> None:
    tree = place.project({"lockgate.toml": JOIN.format(needs='"i"'), "i": "1\n", "j": "a\n"})
    cause = failed(tree)
    assert "it read j, which it does not declare" in cause
    assert 'add "j" to needs' in cause
    assert "lockgate.toml:3" in cause
    assert tree.lockgate("run", code=1).code == 1

    tree.commit({"lockgate.toml": JOIN.format(needs='"i", "j"')})
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    assert tree.read("o") == "1\na\n"

    tree.commit({"j": "b\n"})
    assert "will run: data changed: j" in tree.push().err
    tree.pull()
    assert tree.read("o") == "1\nb\n"


def test_a_script_that_gets_by_without_a_file_never_depends_on_it(place: Place) -> None:
    manifest = """\
[stages.tolerant]
run = "cat i > o; if [ -f j ]; then cat j >> o; fi; cat j 2>/dev/null >> o || true"
needs = ["i"]
makes = ["o"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n", "j": "a\n"})
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    assert tree.read("o") == "1\n"
    tree.commit({"j": "b\n"})
    assert "nothing to do" in tree.push().err
    tree.lockgate("run")
    assert tree.read("o") == "1\n"


def test_without_needs_a_stage_depends_on_every_file(place: Place) -> None:
    manifest = '[stages.all]\nrun = "cat i j > o"\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n", "j": "a\n"})
    tree.push()
    tree.pull()
    tree.commit({"j": "b\n"})
    tree.push()
    tree.pull()
    assert tree.read("o") == "1\nb\n"


def test_another_stages_artifact_is_no_input_unless_declared(place: Place) -> None:
    manifest = """\
[stages.first]
run = "cat i > made"
needs = ["i"]
makes = ["made"]

[stages.second]
run = "cat i made > o"
needs = ["i"]
makes = ["o"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    cause = failed(tree)
    assert "it read made, which it does not declare" in cause
    assert "lockgate.toml:8" in cause


def test_a_python_script_that_opens_an_undeclared_file(place: Place) -> None:
    manifest = '[stages.py]\nrun = "python3 s.py"\nneeds = ["s.py"]\nmakes = ["o"]\n'
    script = 'import pathlib\npathlib.Path("o").write_text(open("data/j.csv").read())\n'
    tree = place.project({"lockgate.toml": manifest, "s.py": script, "data/j.csv": "a\n"})
    cause = failed(tree)
    assert "FileNotFoundError" in cause
    assert 'add "data/j.csv" to needs' in cause


@pytest.mark.parametrize("package", ["extra.py", "extra/__init__.py"])
def test_a_python_script_that_imports_an_undeclared_module(place: Place, package: str) -> None:
    manifest = '[stages.py]\nrun = "python3 s.py"\nneeds = ["s.py"]\nmakes = ["o"]\n'
    script = 'import extra\nopen("o", "w").write(extra.WORD)\n'
    tree = place.project({"lockgate.toml": manifest, "s.py": script, package: 'WORD = "x"\n'})
    cause = failed(tree)
    assert "ModuleNotFoundError" in cause
    assert "which it does not declare" in cause
    assert "extra" in cause
    fixed = manifest.replace('"s.py"]', '"s.py", "extra"]' if "/" in package else '"s.py", "extra.py"]')
    tree.commit({"lockgate.toml": fixed})
    assert "SUCCEEDED" in tree.push().err


def test_the_projects_own_folder_is_out_of_sight(place: Place) -> None:
    """What lies beside the repository, or in an earlier run's workspace, is not found by a relative path."""
    manifest = (
        '[stages.up]\nrun = "ls -a .. ../.. > seen; ls -a . > o"\nmakes = ["o", "seen"]\nneeds = ["i"]\n'
    )
    tree = place.project({"lockgate.toml": manifest, "i": "1\n", "secret": "x\n"})
    tree.push()
    tree.pull()
    assert "secret" not in tree.read("seen")
    assert tree.read("o").split() == [".", "..", "i", "o", "seen"]


ALTERATIONS = {
    "appends to": "chmod u+w i; echo more >> i",
    "rewrites": "chmod u+w i; echo other > i",
    "replaces": "echo other > n; mv -f n i",
    "deletes": "rm -f i",
    "moves": "mv i k",
    "edits in place": "sed -i s/1/2/ i",
    "makes a folder of": "rm -f i; mkdir i",
    "makes a link of": "rm -f i; echo 1 > k; ln -s k i",
}


@pytest.mark.parametrize("how", ALTERATIONS)
def test_a_stage_that_alters_its_input_fails_and_harms_nobody(place: Place, how: str) -> None:
    manifest = f"""\
[stages.bad]
run = "cat i > o; {ALTERATIONS[how]}; true"
needs = ["i"]
makes = ["o"]

[stages.good]
run = "cat i > p"
needs = ["i"]
makes = ["p"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    cause = failed(tree)
    assert cause.startswith("bad: it altered i, which it needs")
    assert "write to a path of its own" in cause
    assert place.states(place.runs()[-1].request.id) == {"bad": "failed", "good": "succeeded"}
    assert place.on_hub("show", "main:i") == "1"
    assert place.on_hub("fsck", "--no-dangling") == ""
    assert tree.read("i") == "1\n"
    good = place.runs()[-1].result_commit
    assert place.on_hub("show", f"{good}:p") == "1"


def test_a_stage_that_alters_an_upstream_artifact_does_not_alter_it_for_others(place: Place) -> None:
    manifest = """\
[data]
result_limit = "10 B"

[stages.make]
run = "seq 1000 > large"
makes = ["large"]
needs = ["i"]

[stages.bad]
run = "cat large > o; chmod u+w large; echo evil >> large"
needs = ["large"]
makes = ["o"]

[stages.good]
run = "wc -l < large > p"
needs = ["large"]
makes = ["p"]
"""
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    assert "it altered large" in failed(tree)
    fixed = manifest.replace("chmod u+w large; echo evil >> large", "true")
    tree.commit({"lockgate.toml": fixed})
    assert "SUCCEEDED" in tree.push().err
    tree.lockgate("run")
    assert len(tree.read("large").splitlines()) == 1000
    assert len(tree.read("o").splitlines()) == 1000


def test_inputs_are_write_protected(place: Place) -> None:
    manifest = '[stages.s]\nrun = "cat i > o; ls -l i | cut -c1-10 >> o"\nneeds = ["i"]\nmakes = ["o"]\n'
    tree = place.project({"lockgate.toml": manifest, "i": "1\n"})
    tree.push()
    tree.pull()
    assert tree.read("o") == "1\n-r--r--r--\n"
