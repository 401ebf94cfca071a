"""What the hook `pre-push` of a clone does: a push takes its data along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lockgate.git.program import attempt
from lockgate.hub.exchanging.carrying import Carried, send_objects
from lockgate.hub.exchanging.clone_data import clone_store, digests_between, is_hub, known_commits
from lockgate.hub.exchanging.exchange import exchange_with
from lockgate.hub.push import ABSENT
from lockgate.hub.reaching.address import of_url


def send_pushed(root: Path, remote: str, url: str, lines: Sequence[str]) -> Carried:
    """Send the data of commits that are about to be pushed, where they go to a hub.

    `lines` are those git gives the hook: `LOCAL-REF ID REMOTE-REF ID`, see githooks(5), pre-push.
    """
    pushed = [line.split() for line in lines if len(line.split()) == 4]
    tips = [row[1] for row in pushed if row[1] != ABSENT]
    if not tips or not is_hub(root, url):
        return Carried()
    there = [row[3] for row in pushed if row[3] != ABSENT and attempt(root, "cat-file", "-e", row[3])[0] == 0]
    digests = digests_between(root, tips, [*known_commits(root, remote), *there])
    if not digests:
        return Carried()
    return send_objects(clone_store(root), exchange_with(of_url(url, root)), digests)
