"""The server extension: what Jupyter starts, and the paths it answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import List, Unicode

from lockgate.jupyter import news
from lockgate.jupyter.api.opening import Trust, Waiting
from lockgate.jupyter.capture.cell_ids import CellIds
from lockgate.jupyter.capture.keeping import Keeper
from lockgate.jupyter.capture.listening import Listener
from lockgate.jupyter.routes import routes, tool_pages
from lockgate.jupyter.service import Service
from lockgate.jupyter.tools.gate import ToolGate, why_none


class Lockgate(ExtensionApp):
    """Lockgate in a Jupyter server: one project a repository, found from the files that are open."""

    name = "lockgate"
    load_other_extensions = True

    hubs = List(
        Unicode(), help="Addresses of hubs whose links may open projects here, as https://hub.example.org."
    ).tag(config=True)
    oauth_client = Unicode(
        help="What the hubs' operator calls servers like this one in hub.toml, [oauth.NAME]; without it a "
        "member logs in by `lockgate login`."
    ).tag(config=True)

    def initialize_settings(self) -> None:
        server: Any = self.serverapp
        news.register(server.event_logger)
        service = Service(Path(server.root_dir), news.Teller(server.event_logger, server.io_loop))
        self.settings["lockgate_service"] = service
        self.settings["lockgate_trust"] = Trust(tuple(self.hubs), self.oauth_client)
        self.settings["lockgate_waiting"] = Waiting()
        self.settings["lockgate_tools"] = ToolGate(service, Path(server.data_dir))
        service.kernels.gather()
        kernels = server.kernel_spec_manager
        kernels.kernel_dirs = [str(service.kernels.folder), *kernels.kernel_dirs]
        ids = self.settings["lockgate_cell_ids"] = CellIds()
        self._keeper = Keeper(service, ids)
        Listener(server, self._keeper.keep)

    def initialize_handlers(self) -> None:
        self.handlers.extend(routes())
        if missing := why_none():
            self.log.info("Lockgate shows no tools of projects: %s", missing)
        else:
            self.handlers.extend(tool_pages())

    async def stop_extension(self) -> None:
        await self.settings["lockgate_tools"].close()
        await asyncio.to_thread(self._keeper.close)
        await asyncio.to_thread(self.settings["lockgate_service"].close)
