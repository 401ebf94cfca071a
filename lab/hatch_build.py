"""Puts into the wheel what JupyterLab and a Jupyter server look for: the built extension, and its switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUILT = "src/lockgate/jupyter/labextension"
_LAB = "share/jupyter/labextensions/@lockgate/jupyterlab"
_SWITCH = "etc/jupyter/jupyter_server_config.d/lockgate.json"


class JupyterFiles(BuildHookInterface[Any]):
    """Without the built extension (`make lab`) the wheel has the server's side alone, and says so."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        shared = {str(root / "lab/server-config/lockgate.json"): _SWITCH}
        if (root / _BUILT / "package.json").exists():
            shared[str(root / _BUILT)] = _LAB
            shared[str(root / "lab/install.json")] = f"{_LAB}/install.json"
        elif version == "standard":
            self.app.display_warning("built without the buttons in JupyterLab; with them: make wheel")
        build_data["shared_data"].update(shared)
