"""How Jupyter starts a kernel of a project: in the project's locked runtime, built where it is not yet.

Named by `lockgate-project` in a kernel.json, and found by Jupyter as an entry point: Lab, `jupyter execute`,
papermill and whatever else uses jupyter_client start the kernel the same way, with or without a server.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from lockgate.errors import LockgateError
from lockgate.hub.worktree.kernels import Building, Ready, build_runtime, read_kernel_of
from lockgate.jupyter.service import Service
from lockgate.project.kernel import KernelFile

#: Where a kernel finds our magics, whatever is installed in its runtime.
_INJECTED = Path(__file__).parents[1] / "notebook" / "injected"
#: Of the process around the kernel: they would lead the runtime's Python to packages of another.
_ASTRAY = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")
#: What is told of a log: its end, as much as a dialog can show.
_TOLD_CHARACTERS = 4000


class KernelNews(Building, frozen=True, kw_only=True):
    """How the start of one kernel goes."""

    kernel: str
    state: str
    """`building`, `ready` or `failed`."""


class KernelRefusedError(RuntimeError):
    """The kernel cannot be started; Jupyter shows these words."""


class ProjectProvisioner(LocalProvisioner):
    """Starts a kernel that lies in `kernels/NAME` of a project."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        prepared = await super().pre_launch(**kwargs)
        folder = Path(self.kernel_spec.resource_dir).resolve()
        root, name = folder.parents[1], folder.name
        tell = partial(_tell, self._service, root, name)
        try:
            kernel = await asyncio.to_thread(read_kernel_of, root, name)
            ready = await asyncio.to_thread(_build, root, kernel, tell)
        except LockgateError as error:
            tell("failed", f"{error.message}. {error.hint}")
            raise KernelRefusedError(in_words(error)) from None
        if not ready.was_there:
            tell("ready", f"The kernel {name} has its runtime")
        environment = environment_in(prepared["env"], ready.bin, kernel)
        program = shutil.which(kernel.argv[0], path=environment["PATH"])
        if program is None:
            words = (
                f"{kernel.argv[0]}, which starts the kernel {name}, is neither in the project's runtime nor"
            )
            tell("failed", f"{words} on this machine")
            raise KernelRefusedError(f"{words} on this machine.\nInstall it, or choose another kernel.")
        return prepared | {"env": environment, "cmd": command_in(prepared["cmd"], program, kernel)}

    @property
    def _service(self) -> Service | None:
        """The server's, where the kernel is started by one: the configurables above us lead there."""
        above: Any = self.parent
        while above is not None:
            application = getattr(above, "web_app", None)
            if application is not None:
                found: Service | None = application.settings.get("lockgate_service")
                return found
            above = getattr(above, "parent", None)
        return None


def _build(root: Path, kernel: KernelFile, tell: Callable[[str, str], None]) -> Ready:
    return build_runtime(root, kernel, lambda news: tell("building", news.words))


def _tell(service: Service | None, root: Path, kernel: str, state: str, words: str) -> None:
    if service is not None:
        service.tell("kernel", root, KernelNews(words, kernel=kernel, state=state))
    elif state == "building":
        sys.stderr.write(f"lockgate: {root.name}: {words}\n")


def environment_in(outer: dict[str, str], programs: str, kernel: KernelFile) -> dict[str, str]:
    """Return a kernel's environment: that around it, led to the runtime; our magics beside it."""
    inner = {name: value for name, value in outer.items() if name not in _ASTRAY}
    inner["PATH"] = os.pathsep.join([programs, outer.get("PATH", os.defpath)])
    # Whose commands the magics call: what is installed in the runtime may be no Lockgate, or an older one
    inner["LOCKGATE_PYTHON"] = sys.executable
    if kernel.is_python:
        inner["PYTHONPATH"] = os.fspath(_INJECTED)
    return inner


def command_in(command: list[str], program: str, kernel: KernelFile) -> list[str]:
    """Return the command with the runtime's own program in front; a Python kernel loads our magics."""
    magics = ["--IPKernelApp.extra_extensions=lockgate_magics"] if kernel.is_python else []
    return [program, *command[1:], *magics]


def in_words(error: LockgateError) -> str:
    """Return why a kernel was not started: cause, way out, and the last lines of the log it names."""
    return f"{error.message}\n{error.hint}{_end_of_log(error.hint)}"


def _end_of_log(hint: str) -> str:
    _, found, path = hint.partition("The full log: ")
    try:
        text = Path(path).read_text("utf-8", "replace") if found else ""
    except OSError:
        return ""
    return f"\n\n{text[-_TOLD_CHARACTERS:].strip()}" if text.strip() else ""
