"""Earlier states as a drive of JupyterLab: files of a commit, to read and not to write.

The models are those of Jupyter's contents API (jupyter-server.readthedocs.io, Contents API).
"""

from __future__ import annotations

import base64
import mimetypes
import re
from typing import Any

import msgspec
from tornado.web import authenticated

from lockgate.errors import UserError
from lockgate.git.contents import read_many
from lockgate.git.program import git
from lockgate.git.worktree import find_root
from lockgate.jupyter.handler import Handler

_PATH = re.compile(r"/?([0-9a-f]{40})(?:/(.*))?")


class Model(msgspec.Struct, frozen=True):
    """One file or folder."""

    name: str
    path: str
    type: str
    created: str
    last_modified: str
    size: int | None = None
    mimetype: str | None = None
    format: str | None = None
    content: object = None
    writable: bool = False


class States(Handler):
    """`GET /COMMIT/PATH`: a file, its path as Jupyter calls it, as it was in that commit of its project."""

    @authenticated
    async def get(self, path: str) -> Any:
        await self.answer(self.service.do(self._model, path))

    def _model(self, path: str) -> Model:
        found = _PATH.fullmatch(path)
        if found is None or "\n" in path:
            raise _absent(path)
        commit, whole = found[1], (found[2] or "").strip("/")
        root = find_root(self.service.folder_at(whole))
        inside = self.service.inside(root, whole)
        want = self.get_query_argument("content", "1") != "0"
        at = git(root, "log", "-1", "--format=%cI", commit).decode().strip()
        (object_,) = read_many(root, [f"{commit}:{inside}"])
        if object_ is None:
            raise _absent(path)
        name = path.rpartition("/")[2]
        if object_.kind == "tree":
            return Model(name, path, "directory", at, at, format="json", content=[] if want else None)
        raw = object_.content
        if not want:
            kind = "notebook" if name.endswith(".ipynb") else "file"
            return Model(name, path, kind, at, at, len(raw))
        asked = self.get_query_argument("type", "")
        if name.endswith(".ipynb") and asked != "file":
            notebook = _notebook(raw, path)
            return Model(name, path, "notebook", at, at, len(raw), None, "json", notebook)
        mimetype = mimetypes.guess_type(name)[0]
        text = _text(raw) if self.get_query_argument("format", "") != "base64" else None
        if text is not None:
            return Model(name, path, "file", at, at, len(raw), mimetype or "text/plain", "text", text)
        content = base64.b64encode(raw).decode()
        mimetype = mimetype or "application/octet-stream"
        return Model(name, path, "file", at, at, len(raw), mimetype, "base64", content)


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _notebook(raw: bytes, path: str) -> object:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise UserError(
            f"{path} was no notebook then", "Open it as text.", code="notebook-unreadable"
        ) from None


def _absent(path: str) -> UserError:
    return UserError(f"{path} was not there then", "Choose another file or state.", code="state-file-absent")
