"""The paths below `/lockgate` of a Jupyter server."""

from __future__ import annotations

from lockgate.jupyter.api.backends import Backends
from lockgate.jupyter.api.kernels import Kernels
from lockgate.jupyter.api.projects import Projects
from lockgate.jupyter.api.run import Cancelling, OneRun
from lockgate.jupyter.api.runs import Runs
from lockgate.jupyter.api.standing import StandingOf
from lockgate.jupyter.handler import Handler

_RUN = r"(?P<run>[0-9A-Za-z]+)"


def routes() -> list[tuple[str, type[Handler]]]:
    return [
        (r"/lockgate/backends", Backends),
        (r"/lockgate/kernels", Kernels),
        (r"/lockgate/project", Projects),
        (r"/lockgate/standing", StandingOf),
        (r"/lockgate/runs", Runs),
        (rf"/lockgate/runs/{_RUN}", OneRun),
        (rf"/lockgate/runs/{_RUN}/cancel", Cancelling),
    ]
