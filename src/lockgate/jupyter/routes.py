"""The paths below `/lockgate` of a Jupyter server."""

from __future__ import annotations

from jupyter_server.base.handlers import JupyterHandler

from lockgate.jupyter.api.activity import (
    Activities,
    ActivityPicture,
    Branching,
    OneActivity,
    Refreshing,
    Returning,
)
from lockgate.jupyter.api.backends import Backends
from lockgate.jupyter.api.branches import BranchesOf
from lockgate.jupyter.api.cells import Cells
from lockgate.jupyter.api.contents import States
from lockgate.jupyter.api.files import HistoryOf, WhyOf
from lockgate.jupyter.api.kernels import Kernels
from lockgate.jupyter.api.merge import Merging
from lockgate.jupyter.api.opening import Answer, Open
from lockgate.jupyter.api.projects import Projects
from lockgate.jupyter.api.run import (
    Cancelling,
    Executed,
    Log,
    OneRun,
    Opening,
    ResultFile,
    ResultTable,
    Verifying,
)
from lockgate.jupyter.api.runs import Runs
from lockgate.jupyter.api.standing import StandingOf
from lockgate.jupyter.api.sync import Syncs, Undoing
from lockgate.jupyter.api.tools import Tools

_ENTRY = r"(?P<entry>[0-9a-f]{40})"
_RUN = r"(?P<run>[0-9A-Za-z]+)"


def routes() -> list[tuple[str, type[JupyterHandler]]]:
    """Return each path, as a regular expression, with what answers there."""
    return [
        (r"/lockgate/activity", Activities),
        (r"/lockgate/activity/refresh", Refreshing),
        (rf"/lockgate/activity/{_ENTRY}", OneActivity),
        (rf"/lockgate/activity/{_ENTRY}/picture", ActivityPicture),
        (rf"/lockgate/activity/{_ENTRY}/back", Returning),
        (rf"/lockgate/activity/{_ENTRY}/branch", Branching),
        (r"/lockgate/states(?P<path>/.*)?", States),
        (r"/lockgate/backends", Backends),
        (r"/lockgate/cells", Cells),
        (r"/lockgate/kernels", Kernels),
        (r"/lockgate/project", Projects),
        (r"/lockgate/standing", StandingOf),
        (r"/lockgate/runs", Runs),
        (rf"/lockgate/runs/{_RUN}", OneRun),
        (rf"/lockgate/runs/{_RUN}/cancel", Cancelling),
        (r"/lockgate/sync", Syncs),
        (r"/lockgate/sync/undo", Undoing),
        (rf"/lockgate/runs/{_RUN}/log", Log),
        (rf"/lockgate/runs/{_RUN}/file", ResultFile),
        (rf"/lockgate/runs/{_RUN}/table", ResultTable),
        (rf"/lockgate/runs/{_RUN}/open", Opening),
        (rf"/lockgate/runs/{_RUN}/executed", Executed),
        (rf"/lockgate/runs/{_RUN}/verify", Verifying),
        (r"/lockgate/branches", BranchesOf),
        (r"/lockgate/merge", Merging),
        (r"/lockgate/open", Open),
        (r"/lockgate/answer", Answer),
        (r"/lockgate/api/tools", Tools),
        (r"/lockgate/why", WhyOf),
        (r"/lockgate/history", HistoryOf),
    ]


def tool_pages() -> list[tuple[str, type[JupyterHandler]]]:
    """Return where the pages of projects' tools lie. Needs jupyter-server-proxy, which not everybody has."""
    from lockgate.jupyter.tools.page import ToolPage  # noqa: PLC0415

    return [(r"/lockgate/tools/(?P<project>[^/]+)/(?P<name>[^/]+)(?P<rest>/.*)?", ToolPage)]
