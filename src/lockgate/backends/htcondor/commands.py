"""HTCondor's commands, run with bounded time-outs and in one language."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lockgate.backends import programs
from lockgate.backends.htcondor import answers
from lockgate.backends.htcondor.answers import Ad
from lockgate.backends.htcondor.place import Place

#: Longer than a busy access point takes by its own rules: 20 s for each connection, and some repeats.
_TIMEOUT_S = 90.0
_WAY_OUT = programs.WayOut(
    missing_code="htcondor-missing",
    unreachable_code="htcondor-unreachable",
    install="Install HTCondor's commands beside the hub and put them on its PATH, or: pip install htcondor",
    wait="Jobs that run go on, and it is asked again. If it stays so, `condor_status -schedd` tells more.",
)
#: What condor_rm says of jobs that are gone already.
_GONE = (
    "There are no jobs in the queue",
    "not found",
    "No jobs found",
    "Couldn't find/remove all jobs matching",
)


class Commands:
    """An access point by condor_submit, condor_q, condor_rm and condor_history.

    Every call raises `OutsideError` where a program is missing (`htcondor-missing`) or the access point is
    out of reach (`htcondor-unreachable`, transient), and `UserError` (`htcondor-refused`) where it says no.
    """

    def submit(self, description: str, place: Place) -> tuple[int, int]:
        """Hand over the submit description in this file; return the cluster and how many jobs it has."""
        words = ["condor_submit", "-terse", *place.words(), description]
        return answers.parse_submitted(_run(words))

    def query(self, constraint: str, attributes: Sequence[str], place: Place) -> list[Ad]:
        """Return these attributes of the jobs in the queue of which the expression is true."""
        words = ["condor_q", *place.words(), "-allusers", "-json", "-attributes", ",".join(attributes)]
        return answers.parse_ads("condor_q", _run([*words, "-constraint", constraint]))

    def history(self, constraint: str, attributes: Sequence[str], limit: int, place: Place) -> list[Ad]:
        """Return these attributes of at most so many jobs that left the queue."""
        words = ["condor_history", *place.words(), "-json", "-attributes", ",".join(attributes)]
        words += ["-limit", str(limit), "-constraint", constraint]
        return answers.parse_ads("condor_history", _run(words))

    def remove(self, constraint: str, reason: str, place: Place) -> None:
        """Remove the jobs of which the expression is true; none of them being there is no error."""
        _run(["condor_rm", *place.words(), "-reason", reason, "-constraint", constraint], may_say=_GONE)

    def analyse(self, native_ids: Sequence[str], place: Place) -> str:
        """Return what `condor_q -better-analyze` says of these jobs."""
        return _run(["condor_q", *place.words(), "-better-analyze", *native_ids])


def _run(words: Sequence[str], *, may_say: Sequence[str] = ()) -> str:
    said = programs.run(words, environment=_environment(), timeout_s=_TIMEOUT_S, way_out=_WAY_OUT)
    if said.code == 0 or any(sign in said.errors for sign in may_say):
        return said.output
    raise answers.failure(words[0], said.errors)


def _environment() -> dict[str, str]:
    """A pool may be chosen by CONDOR_CONFIG and by `_CONDOR_` variables, which therefore stay."""
    return dict(os.environ) | {"LC_ALL": "C"}
