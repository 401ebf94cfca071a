"""What a stage really uses is noted beside what it declares, and can be declared or allowed from there."""

from __future__ import annotations

import socket
import sys

import pytest
from e2e_place import Place, WorkTree, until
from isolation import require_isolation

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="NOT TESTED: what a stage uses: it is observed on Linux only"
)

MANIFEST = """\
# Delays, as we count them
[project]
name = "delays"
observe = true

[stages.count]
run = "python3 count.py"
needs = ["count.py", "data/a.csv", "data/b.csv"]  # b.csv is for later
makes = ["o"]
"""
SCRIPT = """\
import os, socket, subprocess
rows = open("data/a.csv").read()
rows += open({outside!r}).read()
try:
    rows += open("settings.ini").read()
except FileNotFoundError:
    pass
factor = os.environ.get("DELAY_FACTOR", "1")
socket.create_connection(("127.0.0.1", {port})).close()
rows += subprocess.run(["cat", {child!r}], capture_output=True, text=True, check=True).stdout
open("o", "w").write(rows + factor)
print(open("o").read())
"""


@pytest.fixture
def tree(place: Place) -> WorkTree:
    (place.outside / "lookup.csv").write_text("AA,American\n")
    (place.outside / "of a child.csv").write_text("1\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = SCRIPT.format(
            outside=str(place.outside / "lookup.csv"),
            child=str(place.outside / "of a child.csv"),
            port=port,
        )
        made = place.project(
            {
                "lockgate.toml": MANIFEST,
                "count.py": script,
                "data/a.csv": "1\n",
                "data/b.csv": "2\n",
                "settings.ini": "x",
            }
        )
        assert "SUCCEEDED" in made.push().err
    made.pull()
    made.path.joinpath(".port").write_text(str(port))
    return made


def test_what_a_stage_uses_is_told_beside_what_it_declares(place: Place, tree: WorkTree) -> None:
    seen = tree.show()["observations"]["count"]
    port = (tree.path / ".port").read_text()
    used = {use["what"]: use["how"] for use in seen["undeclared"]}
    assert used == {
        str(place.outside / "lookup.csv"): "read",
        str(place.outside / "of a child.csv"): "read",
        "settings.ini": "asked for, and not there",
        "env:DELAY_FACTOR": "count.py:8, not set",
        f"host:127.0.0.1:{port}": "called",
    }
    assert seen["read"] == ["count.py", "data/a.csv"]
    assert seen["unread"] == ["data/b.csv"]
    assert "DELAY_FACTOR" in seen["variables"]
    assert "PATH" not in seen.get("visible", [])
    assert seen["software_count"] > 10
    assert not seen.get("is_cut_short")

    shown = tree.lockgate("show").out
    assert f"count read {place.outside / 'lookup.csv'}: not declared" in shown
    assert "count read the variable DELAY_FACTOR (count.py:8, not set): not declared" in shown
    assert "count opened nothing of data/b.csv, which it needs" in shown
    assert f"count called 127.0.0.1:{port}" in tree.lockgate("why", "o").out


def test_what_was_not_declared_is_declared_or_allowed_with_comments_kept(
    place: Place, tree: WorkTree
) -> None:
    said = tree.lockgate("status").out
    assert "[add] [ignore]  asked for settings.ini, which is not there" in said
    assert "lockgate status --add settings.ini" in said

    outside = str(place.outside / "*")
    tree.lockgate("status", "--add", "settings.ini", "--ignore", outside, "--ignore", "env:DELAY_FACTOR")
    text = tree.read("lockgate.toml")
    assert 'needs = ["count.py", "data/a.csv", "data/b.csv", "settings.ini"]  # b.csv is for later' in text
    assert text.startswith("# Delays, as we count them\n[project]\n")
    said = tree.lockgate("status").out
    assert "[add]" not in said
    assert "lookup.csv" not in said
    assert "DELAY_FACTOR" not in said
    assert "called 127.0.0.1:" in said

    port = (tree.path / ".port").read_text()
    with socket.create_server(("127.0.0.1", int(port))):
        tree.commit()
        assert "SUCCEEDED" in tree.push().err
    seen = tree.show()["observations"]["count"]
    assert "settings.ini" in seen["read"]
    assert [use["what"] for use in seen["undeclared"]] == [f"host:127.0.0.1:{port}"]
    assert len(seen["allowed"]) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--add", "/data/x.csv"], "no file of the project"),
        (["--add", "nothing.csv"], "no stage was seen to use nothing.csv"),
    ],
)
def test_what_cannot_be_declared_changes_nothing(tree: WorkTree, words: list[str], said: str) -> None:
    before = tree.read("lockgate.toml")
    assert said in tree.lockgate("status", *words, "--ignore", "env:X", code=2).err
    assert tree.read("lockgate.toml") == before


FAILING = """\
[project]
observe = true

[stages.fail]
run = "cat {outside}; exit 3"
needs = ["lockgate.toml"]
makes = ["o"]
"""


def test_a_stage_that_failed_is_observed_too_and_the_chain_keeps_it(place: Place) -> None:
    (place.outside / "x").write_text("x")
    tree = place.project({"lockgate.toml": FAILING.format(outside=place.outside / "x")})
    assert "FAILED" in tree.push().err
    seen = tree.show()["observations"]["fail"]
    assert seen["undeclared"] == [{"what": str(place.outside / "x"), "how": "read"}]
    assert seen["unread"] == ["lockgate.toml"]
    until(lambda: not place.is_dispatched(), "the dispatcher ends")
    tree.lockgate("hub", "reindex")
    assert tree.show()["observations"]["fail"] == seen


def test_an_isolated_stage_is_observed_from_inside(place: Place) -> None:
    require_isolation()
    (place.outside / "x").write_text("x")
    text = FAILING.format(outside=place.outside / "x").replace("exit 3", "touch o")
    tree = place.project({"lockgate.toml": text})
    (place.hub / "hub.toml").write_text('[jobs]\nisolation = "required"\n')
    assert "SUCCEEDED" in tree.push().err
    seen = tree.show()["observations"]["fail"]
    assert seen["undeclared"] == [{"what": str(place.outside / "x"), "how": "read"}]


def test_notes_that_a_stage_swaps_for_a_link_or_a_pipe_are_not_followed(place: Place) -> None:
    (place.outside / "x").write_text("r/secret\0")
    text = FAILING.format(outside=place.outside / "x")
    swap = f"cd ../observed; rm calls; ln -s {place.outside}/x calls; mkfifo variables; touch ../workspace/o"
    tree = place.project({"lockgate.toml": text.replace("exit 3", swap)})
    assert "SUCCEEDED" in tree.push().err
    assert tree.show()["observations"]["fail"]["fault"] == "it left no notes"
    assert "fail was not observed: it left no notes" in tree.lockgate("show").out


def test_a_command_too_long_for_a_command_line_is_observed_too(place: Place) -> None:
    (place.outside / "x").write_text("x")
    long = f"cat {place.outside}/x; : {'y' * 200_000}; touch o"
    tree = place.project(
        {"lockgate.toml": FAILING.format(outside=place.outside / "x").replace("exit 3", long)}
    )
    assert "SUCCEEDED" in tree.push().err
    seen = tree.show()["observations"]["fail"]
    assert [use["what"] for use in seen["undeclared"]] == [str(place.outside / "x")]
