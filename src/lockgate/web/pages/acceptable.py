"""Whether a page offers to accept a table's drift: there is some, not accepted yet, and the visitor may."""

from __future__ import annotations

from lockgate.hub.datasets.accepting import drifted_alone, may_accept_drift
from lockgate.hub.datasets.dataset_checks import DatasetChecks
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


def may_accept(service: Service, visitor: Visitor, project: str, path: str, checks: DatasetChecks) -> bool:
    newest = checks.newest
    if newest is None or not drifted_alone(newest):
        return False
    if any(each.run == newest.run for each in checks.drift_accepted):
        return False
    return may_accept_drift(service.hub, service.book, visitor.actor, project, path)
