"""Answering with a notebook as a page on which nothing acts."""

from __future__ import annotations

from pathlib import PurePosixPath

from litestar import Response

from lockgate.hub.showing.notebook_cells import Cell, Notebook, read_notebook
from lockgate.web.pages.notebook_page import page_of
from lockgate.web.security import SANDBOX


def notebook_answer(path: str, content: bytes) -> Response[bytes]:
    """Return a notebook as a page, or why it is none, in words."""
    headers = {"content-security-policy": SANDBOX, "cache-control": "private, no-cache"}
    try:
        page = page_of(read_notebook(content), PurePosixPath(path).name)
    except ValueError as error:
        words = f"This notebook cannot be shown: {error}. Download it to look at it."
        page = page_of(Notebook((Cell("raw", words),)), PurePosixPath(path).name)
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)
