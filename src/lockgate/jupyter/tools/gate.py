"""What a server's projects offer as tools, and the way to one: only what its member confirmed is started."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import msgspec

from lockgate.errors import UserError
from lockgate.git.worktree import find_root
from lockgate.jupyter.service import Service
from lockgate.jupyter.tools.address import address, folder_of
from lockgate.jupyter.tools.confirmed import Confirmations, digest_of
from lockgate.jupyter.tools.running import RunningTools, Wanted
from lockgate.project.lines import locate
from lockgate.project.manifest import Manifest, parse_manifest
from lockgate.project.pipeline import MANIFEST_FILE
from lockgate.project.tool import Tool

#: A page asks for a hundred files; their project is not sought for each.
_KEPT_AT_MOST = 100


class ShownTool(msgspec.Struct, frozen=True):
    """One tool, as a launcher and the question before its start show it."""

    name: str
    title: str
    command: str
    """As somebody would type it, its placeholders left in."""
    digest: str
    """What a confirmation is bound to."""
    is_confirmed: bool
    line: int
    """Where in lockgate.toml it stands."""
    address: str
    """Of its page, below the server's address."""
    icon: str
    """Path of an image, as Jupyter calls it; empty: none."""


class ShownTools(msgspec.Struct, frozen=True):
    """What the project of a folder offers."""

    tools: tuple[ShownTool, ...] = ()
    project: str = ""
    """The project's folder on this machine."""
    why_none: str = ""
    """Why there are none whatever the project declares."""


def why_none() -> str:
    """Return why this server passes nothing on to tools; empty: it does."""
    if importlib.util.find_spec("jupyter_server_proxy") is not None:
        return ""
    return "jupyter-server-proxy is not installed: pip install 'lockgate[tools]'"


class ToolGate:
    """One for each Jupyter server. `data` is the folder of what Jupyter keeps for its member."""

    def __init__(self, service: Service, data: Path) -> None:
        self._service = service
        self._confirmed = Confirmations(data / "lockgate/tools")
        self._running = RunningTools()
        self._kept: dict[str, tuple[tuple[int, ...], Path, Manifest]] = {}

    def shown(self, path: str) -> ShownTools:
        """Return what there is for a folder. Raises `UserError` for what cannot be read as a manifest."""
        missing = why_none()
        if missing:
            return ShownTools(why_none=missing)
        try:
            project = self._service.project_at(path)
        except UserError as error:
            if error.code != "not-a-repository":
                raise
            return ShownTools()
        if not (project / MANIFEST_FILE).is_file():
            return ShownTools()
        manifest = _read(project)
        return ShownTools(
            tuple(self._show(project, manifest, tool) for tool in manifest.tools), os.fsdecode(project)
        )

    def confirm(self, path: str, name: str, digest: str) -> None:
        """Keep that the member saw this command and wants it. Raises `UserError`: `tool-unknown`,
        `tool-changed`; `OutsideError` (`tool-confirmation`)."""
        project = self._service.project_at(path)
        tool = _named(_read(project), name)
        if digest_of(project, tool) != digest:
            raise UserError(
                f"the command of {name} is another one by now",
                "Open the tool again and read what it would run.",
                code="tool-changed",
            )
        self._confirmed.put(digest, project, tool)

    def wanted(self, part: str, name: str, base_url: str) -> tuple[Tool, Wanted]:
        """Return the tool that an address is of. Raises `UserError`: `tool-unknown`, `tool-unconfirmed`, and
        as `Service.project_at`."""
        project, manifest = self._project(part)
        tool = _named(manifest, name)
        digest = digest_of(project, tool)
        if not self._confirmed.has(digest):
            raise UserError(
                f"nobody has confirmed the command of {name}",
                "Open it from the launcher of JupyterLab: it shows the command, and asks.",
                code="tool-unconfirmed",
            )
        return tool, Wanted(project, name, digest, lambda port: tool.words(port, base_url))

    async def port_of(self, wanted: Wanted) -> int:
        """Return where a confirmed tool listens. Raises as `RunningTools.port_of`."""
        return await self._running.port_of(wanted)

    async def close(self) -> None:
        await self._running.close()

    def _show(self, project: Path, manifest: Manifest, tool: Tool) -> ShownTool:
        digest = digest_of(project, tool)
        called = self._service.called(project)
        return ShownTool(
            tool.name,
            tool.title,
            tool.line,
            digest,
            self._confirmed.has(digest),
            locate(manifest.text, ("tools", tool.name, "command")),
            address(called, tool.name) + tool.path,
            f"{called}/{tool.icon}".lstrip("/") if tool.icon and called != ".." else "",
        )

    def _project(self, part: str) -> tuple[Path, Manifest]:
        folder = self._service.folder_at(folder_of(part))
        kept = self._kept.get(part)
        if kept is not None and kept[0] == _state(kept[1]):
            return kept[1:]
        project = find_root(folder)
        # Any folder of a project would do else, and each be another tool
        if part != "~" and self._service.called(project) != folder_of(part):
            raise UserError(
                f"{folder_of(part)} is no project", "Open the tool from the launcher.", code="tool-unknown"
            )
        state = _state(project)
        if len(self._kept) >= _KEPT_AT_MOST:
            self._kept.clear()
        manifest = _read(project)
        self._kept[part] = (state, project, manifest)
        return project, manifest


def _read(project: Path) -> Manifest:
    """Raises `UserError`: `tool-unknown`, and as `parse_manifest`."""
    file = project / MANIFEST_FILE
    try:
        # A pipe of that name would hold a thread for good
        text = file.read_text("utf-8", "replace") if file.is_file() else None
    except OSError:
        text = None
    if text is None:
        raise UserError(
            f"{MANIFEST_FILE} of {project.name} cannot be read",
            "It is what names tools: look whether it is there.",
            code="tool-unknown",
        )
    return parse_manifest(text)


def _state(project: Path) -> tuple[int, ...]:
    try:
        found = (project / MANIFEST_FILE).stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _named(manifest: Manifest, name: str) -> Tool:
    tool = next((each for each in manifest.tools if each.name == name), None)
    if tool is None:
        raise UserError(
            f"the project has no tool {name[:100]!r}",
            "lockgate.toml names its tools in [tools.NAME].",
            code="tool-unknown",
        )
    return tool
