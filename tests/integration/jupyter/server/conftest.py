"""A Jupyter server in this process. As a plug-in, pytest-jupyter would give every test of the session one."""

from __future__ import annotations

from pytest_jupyter.jupyter_core import *  # noqa: F403
from pytest_jupyter.jupyter_server import *  # noqa: F403
