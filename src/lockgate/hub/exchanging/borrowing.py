"""Asking a clone's hub for data of another project: by path, ssh or HTTP."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

import msgspec

from lockgate.data.dataset_name import DatasetName
from lockgate.errors import OutsideError, UserError
from lockgate.git.program import clean_environment
from lockgate.hub.datasets.lending import Loan, LoanRequest, Loans, acting, answer
from lockgate.hub.exchanging.exchange import told_fault
from lockgate.hub.reaching.address import Address, HttpHub, LocalHub, RemoteHub
from lockgate.hub.reaching.http_client import HttpClient

_LAST = re.compile(r"[^/:]+?(\.git)?/*$")


def borrow(place: Address, names: Sequence[DatasetName], *, is_taken: bool) -> tuple[Loan, ...]:
    """Ask the hub of a project what these are; `is_taken`: have them be the project's too.

    Raises what the hub refuses all of it with.
    """
    request = LoanRequest(tuple(names), is_taken)
    match place:
        case LocalHub():
            actor = acting(place.hub, os.environ)
            return answer(place.hub, place.project, request, actor).loans
        case RemoteHub():
            return _by_ssh(place, request)
        case HttpHub():
            words = ["projects", place.project, "loans"]
            return HttpClient(place.base).post(words, Loans, request).loans


def address_of(place: Address, url: str, project: str) -> str:
    """Return the URL of another project on the same hub; `url` is that of this one. It holds no secret."""
    match place:
        case LocalHub():
            return str(place.hub.repository(project))
        case HttpHub():
            return f"{place.base}/git/{project}.git"
        case RemoteHub():
            return _LAST.sub(f"{project}.git", url)


def _by_ssh(place: RemoteHub, request: LoanRequest) -> tuple[Loan, ...]:
    words = place.words(["hub", "lend", "--json"])
    try:
        done = subprocess.run(
            words,
            input=msgspec.json.encode(request),
            capture_output=True,
            env=clean_environment(),
            check=False,
        )
    except FileNotFoundError:
        raise place.no_ssh(words[0]) from None
    if done.returncode != 0:
        told = told_fault(done.stdout, done.stderr.decode("utf-8", "replace"))
        if told is None:
            raise place.no_answer()
        kind = OutsideError if done.returncode == 3 else UserError
        raise kind(told.message, told.hint, code=told.code)
    return msgspec.json.decode(done.stdout, type=Loans).loans
