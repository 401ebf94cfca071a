"""A hub with a team: ada leads, bob is a member, vera looks on; its project draws a picture."""

from __future__ import annotations

from pathlib import Path

from web_site import PROJECT, Site

from lockgate.hub.members.authenticate import hash_password
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member, Role

PASSWORD = "correct horse battery staple"

#: A picture made with what Python brings: a ramp with a bar for each number.
_PICTURE = """\
import csv, struct, zlib

rows = list(csv.DictReader(open("counts.csv")))
wide, tall = 240, 160
heights = [int(row["flights"]) * 20 for row in rows]
lines = b""
for y in range(tall):
    line = bytearray()
    for x in range(wide):
        bar = x * len(heights) // wide
        is_bar = tall - y < heights[bar] and (x * len(heights)) % wide > wide // 3
        line += bytes((20, 98, 118)) if is_bar else bytes((255 - y // 2, 245, 220 + x // 8))
    lines += b"\\0" + bytes(line)
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
open("counts.png", "wb").write(
    b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", wide, tall, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
)
print("\\x1b[32mdrew\\x1b[0m", len(rows), "bars")
"""

_DATASETS = """
[datasets."flights.csv"]
description = "Departures"
owner = "ada"
licence = "CC-BY-4.0"
columns = { delay = "minutes late" }
"""

FILES = {
    **PROJECT,
    "draw.py": _PICTURE,
    "lockgate.toml": PROJECT["lockgate.toml"].replace("counts.svg", "counts.png") + _DATASETS,
}


def make_team(site: Site) -> Path:
    """Add the members and the project, which has run; return its work tree. Start the service afterwards."""
    tree = site.project("flights", FILES)
    book = open_book(site.hub)
    digest = hash_password(PASSWORD)
    roles: dict[str, Role] = {"ada": "lead", "bob": "member", "vera": "viewer"}
    for name, role in roles.items():
        book.add(
            Member(
                name=name,
                email=f"{name}@example.org",
                full_name=name.title(),
                is_operator=name == "ada",
                password=digest,
                roles={"*" if name == "ada" else "flights": role},
            )
        )
    return tree


def push(site: Site, tree: Path, message: str, *options: str, **files: str) -> str:
    """Write files (`name__py` for `name.py`), commit and push them; return what was said."""
    for name, content in files.items():
        (tree / name.replace("__", ".")).write_text(content)
    site.git(tree, "add", "-A")
    site.git(tree, "commit", "-qm", message)
    return site.git(
        tree, "push", *[word for option in options for word in ("-o", option)], "hub", "HEAD:main"
    )
