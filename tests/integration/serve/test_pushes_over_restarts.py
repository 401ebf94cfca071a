"""Two members push all the time while the service is restarted again and again: nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pushing_team import Pusher, add_members, make_project, missing, seconds
from served_hub import ServedHub

from lockgate.hub.directory import create_hub

PUSHING_S = seconds(20.0)
#: A busy machine may need so much longer to do enough for the test to say something.
LONGER_S = 100.0
ENOUGH_RESTARTS, ENOUGH_PUSHES = 3, 4
#: Between two restarts.
PAUSE_S = 0.5

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480 + 3 * PUSHING_S)]


def test_no_push_is_lost_over_restarts(tmp_path: Path) -> None:
    hub = create_hub(tmp_path / "hub")[0]
    make_project(hub)
    secrets = add_members(hub, ("ada", "ben"))
    with ServedHub(hub.root, env={"LOCKGATE_LINGER_S": "0.3"}) as served:
        host = served.url.removeprefix("http://")
        team = [
            Pusher(tmp_path, f"http://{name}:{secret}@{host}/git/p.git", name)
            for name, secret in secrets.items()
        ]
        for pusher in team:
            pusher.start()
        began = time.monotonic()
        restarts = 0

        def is_enough() -> bool:
            return restarts >= ENOUGH_RESTARTS and all(len(each.pushed) >= ENOUGH_PUSHES for each in team)

        while (lasted := time.monotonic() - began) < PUSHING_S or not is_enough():
            assert lasted < PUSHING_S + LONGER_S, (
                f"{restarts} restarts, {[len(p.pushed) for p in team]} pushes"
            )
            time.sleep(PAUSE_S)
            served.restart()
            restarts += 1
        for pusher in team:
            pusher.stop()
        lines = served.lines("request")
    pushes = [push for pusher in team for push in pusher.pushed]
    print(f"{len(pushes)} pushes over {restarts} restarts")
    assert [fault for pusher in team for fault in pusher.faults] == []
    assert missing(hub, pushes) == []
    assert {line["member"] for line in lines if line["status"] == 200} == {"ada", "ben"}
    assert not served.lines("worker.killed")
