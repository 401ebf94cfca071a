"""`lockgate verify --on`: a run made again by another batch system than the one it ran on."""

from __future__ import annotations

import json

from e2e_place import Place

#: A batch system of few lines: the number of a job is its process, and what no process has is gone.
_QUEUE = """\
[batch.own]
submit = '''sh -c 'setsid sh "$1" >/dev/null 2>&1 & echo "$! $2" | tee -a "$0"' {list} {{script}} {{name}}'''
submitted = '^(?P<id>\\d+) '
status = '''sh -c 'while read -r id name; do if kill -0 "$id" 2>/dev/null; then echo "$id $name R"; \
else echo "$id $name F"; fi; done < "$0"' {list}'''
line = '^(?P<id>\\d+) (?P<name>\\S+) (?P<state>[RF])$'
running = ["R"]
ended = ["F"]
interval = "0.1 s"
cancel = "kill {{ids}}"

[stages.copy]
run = "cat i > o; echo $LOCKGATE_STAGE >> o"
needs = ["i"]
makes = ["o"]
"""


def test_a_run_of_this_host_is_verified_by_a_batch_system(place: Place) -> None:
    listed = place.outside / "jobs"
    listed.touch()
    tree = place.project({"lockgate.toml": _QUEUE.format(list=listed), "i": "hello\n"})
    tree.push()
    assert listed.read_text() == ""
    found = json.loads(tree.lockgate("verify", "latest", "--on", "own", "--json").out)
    assert found["verdict"] == "identical"
    assert len(listed.read_text().splitlines()) == 1
    refused = tree.lockgate("verify", "latest", "--on", "nowhere", code=2)
    assert "nowhere" in refused.err
