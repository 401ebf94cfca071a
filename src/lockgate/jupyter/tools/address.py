"""Where a tool's pages lie: `lockgate/tools/PROJECT/NAME/`, below the server's address. Pure."""

from __future__ import annotations

from urllib.parse import quote

#: The project that the server's folder lies in, or is.
_AROUND = "~"


def part_of(called: str) -> str:
    """Return what a project is called in an address: one part, whatever its folder is.

    `called` is what Jupyter calls the folder; `/` in it is written as JSON Pointer does (RFC 6901), for
    proxies on the way decode `%2F`.
    """
    return _AROUND if called in ("", "..") else called.replace("~", "~0").replace("/", "~1")


def folder_of(part: str) -> str:
    """Return the folder again, as Jupyter calls it; what no address of ours has gives a folder that is
    not there, or one outside, which is refused as every such path."""
    return "" if part == _AROUND else part.replace("~1", "/").replace("~0", "~")


def address(called: str, name: str) -> str:
    """Return where a tool lies, ready for a URL, with `/` at its end."""
    return f"lockgate/tools/{quote(part_of(called), safe='')}/{quote(name, safe='')}/"
