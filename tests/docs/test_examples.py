"""The projects we show are whole: their manifests are read, and everything they need is there or is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_pages import ROOT
from docs_sandbox import PROJECTS

from lockgate.project.expand import build_pipeline
from lockgate.project.manifest import parse_manifest

MANIFESTS = [path for base in PROJECTS for path in sorted(base.glob("*/lockgate.toml"))]
#: What the demo fetches before its first run.
FETCHED = {"flights": {"data"}}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_an_example_is_whole(manifest: Path) -> None:
    folder = manifest.parent
    pipeline = build_pipeline(parse_manifest(manifest.read_text(encoding="utf-8")), {}, folder.name)
    made = {path for stage in pipeline.stages for path in stage.makes}
    folders_made = {str(parent) for path in made for parent in Path(path).parents}
    for stage in pipeline.stages:
        for need in stage.needs or ():
            is_made = need in made or need in folders_made or any(Path(path).match(need) for path in made)
            is_there = any(folder.glob(need)) or need in FETCHED.get(folder.name, ())
            assert is_made or is_there, f"{stage.name} needs {need}, which nothing makes"
