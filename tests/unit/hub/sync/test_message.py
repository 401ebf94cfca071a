from __future__ import annotations

import pytest

from lockgate.git.worktree import Changes
from lockgate.hub.sync.message import message_of


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (Changes("h", "b", changed=("a.py",)), "Change a.py"),
        (Changes("h", "b", untracked=("a", "b")), "Add a and b"),
        (Changes("h", "b", ("t",), ("m",), ("x",)), "Change t; add m; remove x"),
        (Changes("h", "b", changed=("a", "b", "c", "d")), "Change 4 files"),
        (Changes("h", "b", changed=("d" * 50 + "/look.ipynb",)), "Change look.ipynb"),
        (Changes("h", "b"), "Sync"),
        (Changes("h", "b", changed=("a\nb\udcff",)), "Change a?b?"),
    ],
)
def test_the_title_says_what_changed(changes: Changes, title: str) -> None:
    assert message_of(changes).splitlines()[0] == title


def test_many_paths_are_listed_below_and_very_many_counted() -> None:
    lines = message_of(Changes("h", "b", untracked=tuple(f"f{n:03}" for n in range(40)))).splitlines()
    assert lines[:3] == ["Add 40 files", "", "add f000"]
    assert lines[-1] == "and 10 more"
    assert max(map(len, message_of(Changes("h", "b", ("a" * 40, "b" * 40))).splitlines()[:1])) <= 72
