"""Every relative link of every tracked Markdown file leads somewhere."""

from __future__ import annotations

import subprocess
from urllib.parse import unquote

import pytest
from docs_pages import ROOT, read_page


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, check=True)
    names = done.stdout.decode().split("\0")
    return [name for name in names if name and not name.startswith("tests/golden/")]


@pytest.mark.parametrize("name", _tracked())
def test_links_lead_somewhere(name: str) -> None:
    page = read_page(ROOT / name)
    lost = []
    for line, link in page.links:
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = unquote(link).partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in read_page(path).anchors):
            lost.append(f"{name}:{line}: {link}")
    assert not lost
