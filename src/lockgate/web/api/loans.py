"""Datasets of other projects: what they are, and having them."""

from __future__ import annotations

from litestar import post

from lockgate.hub.datasets.lending import LoanRequest, Loans, answer
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor


@post("/projects/{project:str}/loans", status_code=200, sync_to_thread=True)
def borrow(service: Service, visitor: Visitor, project: str, data: LoanRequest) -> Loans:
    """What datasets of other projects are; with `is_taken` they are the project's too from then on."""
    visitor.require("push" if data.is_taken else "read", project)
    return answer(service.hub, project, data, visitor.actor)


handlers = [borrow]
