"""Where outputs of notebooks are kept out of git: what a run makes of them, and what comes back."""

from __future__ import annotations

import json
import re
from typing import Any

from e2e_place import Place, WorkTree

MANIFEST = """\
[notebooks]
outputs = "{policy}"

[stages.look]
notebook = "look.ipynb"
needs = ["i"]
makes = ["seen.txt"]
"""


def notebook(*sources: str, count: int | None = None) -> str:
    """Cells of these sources, as JupyterLab saves them; executed by a member if there is a count."""
    said = [{"name": "stdout", "output_type": "stream", "text": ["by a member\n"]}]
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": count, "id": f"c{number}", "metadata": {},
         "outputs": said if count else [], "source": [source]}
        for number, source in enumerate(sources)
    ]  # fmt: skip
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1) + "\n"


def printed(text: str) -> list[str]:
    """Return what the cells of a notebook printed."""
    found: list[dict[str, Any]] = json.loads(text)["cells"]
    return ["".join(each["text"]) for cell in found for each in cell["outputs"]]


def in_git(tree: WorkTree, path: str, commit: str = "main") -> str | None:
    """Return a file of a commit on the hub; None: it is not in git."""
    if path not in tree.place.on_hub("ls-tree", "-r", "--name-only", commit).splitlines():
        return None
    return tree.place.on_hub("show", f"{commit}:{path}")


LOOK = "text = open('i').read()\nprint(text)\n_ = open('seen.txt', 'w').write(text.upper())"


def test_a_notebook_goes_to_the_hub_without_outputs_and_its_executed_copy_comes_back_with_them(
    place: Place,
) -> None:
    tree = place.project({"lockgate.toml": MANIFEST.format(policy="strip"), "i": "barge"})
    mine = notebook(LOOK, count=3)
    tree.commit({"look.ipynb": mine}, "look")
    tree.push()
    tree.pull()
    source = in_git(tree, "look.ipynb")
    assert source is not None and printed(source) == []
    assert in_git(tree, "look.executed.ipynb") is None and in_git(tree, "look.html") is None
    assert in_git(tree, "seen.txt") == "BARGE"
    # The member's own file is as it was
    assert tree.read("look.ipynb") == mine
    assert set(tree.lockgate("fetch").out.split()) == {"look.executed.ipynb", "look.html"}
    assert printed(tree.read("look.executed.ipynb")) == ["barge\n"]
    assert tree.git("status", "--porcelain").out == ""
    assert "nothing to do" in tree.lockgate("status").out
    # Executing it is no change, and a sync has nothing to bring
    tree.write({"look.ipynb": notebook(LOOK, count=4)})
    assert "nothing to do" in tree.lockgate("status", "--exit-code").out
    assert json.loads(tree.lockgate("sync", "--json").out)["committed"] is None
    assert tree.git("status", "--porcelain").out == ""
    assert tree.lockgate("verify", "latest").code == 0

    # A colleague's clone by plain git, in which outputs get into a commit: what is told takes them out again
    other = place.clone("other", "other@example.org")
    other.commit({"look.ipynb": notebook(LOOK, "1", count=5), "more.ipynb": notebook("2", count=1)})
    told = other.lockgate("status").out
    advice = re.search(
        r"outputs of look.ipynb, more.ipynb are in commit .* (git reset \w+): your files", told
    )
    assert advice is not None, told
    other.git(*advice[1].split()[1:])
    other.lockgate("sync")
    assert printed(place.on_hub("show", "main:more.ipynb")) == []
    assert "by a member" not in place.on_hub("log", "-p", "--no-textconv", "--branches", "--", "*.ipynb")
    changed = notebook(LOOK.replace("upper", "title"), count=7)
    other.write({"look.ipynb": changed})
    other.lockgate("run")
    assert other.read("seen.txt") == "Barge"
    assert other.read("look.ipynb") == changed
    assert printed(other.read("look.executed.ipynb")) == ["barge\n"]
    assert printed(place.on_hub("show", f"{place.runs()[-1].request.commit}:look.ipynb")) == []
    other.lockgate("sync")
    assert in_git(other, "look.executed.ipynb") is None
    assert printed(in_git(other, "look.ipynb") or "") == []

    # The lead wants executed copies to be seen in git
    tree.lockgate("sync")
    tree.write({"lockgate.toml": MANIFEST.format(policy="run copy only"), "i": "lock"})
    tree.lockgate("sync")
    run = place.runs()[-1].request.id
    tree.lockgate("logs", "-f", run)
    tree.lockgate("sync")
    assert printed(in_git(tree, "look.executed.ipynb") or "") == ["lock\n"]
    assert printed(tree.read("look.executed.ipynb")) == ["lock\n"]
    assert printed(in_git(tree, "look.ipynb") or "") == []
    assert tree.git("status", "--porcelain").out == ""
    assert "nothing to do" in tree.lockgate("status").out
