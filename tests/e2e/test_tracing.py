"""`lockgate trace` and `lockgate passport`: from any copy of a figure back to its run."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, WorkTree
from PIL import Image, ImageDraw

_MANIFEST = """\
[stages.draw]
run = "cp drawn.png table.csv && cp table.csv figure.png && cp f.jpg figure.jpg && cp f.pdf figure.pdf"
needs = ["drawn.png", "f.jpg", "f.pdf"]
figures = ["figure.png", "figure.jpg", "figure.pdf"]
makes = ["table.csv"]
"""


def drawn() -> Image.Image:
    picture = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((30, 20, 300, 215), outline="black", width=2)
    pen.line([(40, 200), (90, 60), (150, 150), (220, 40), (290, 180)], fill=(31, 119, 180), width=3)
    return picture


def saved(picture: Image.Image, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    picture.save(content, form)
    return content.getvalue()


def traced(tree: WorkTree, path: str, code: int = 0) -> tuple[dict[str, Any], str]:
    found = json.loads(tree.lockgate("trace", path, "--json", code=code).out)
    return found, tree.lockgate("trace", path, code=code).out


@pytest.fixture
def tree(place: Place) -> WorkTree:
    cairo = (Path(__file__).parents[1] / "golden/figures/cairo.pdf").read_bytes()
    made = place.project(
        {
            "lockgate.toml": _MANIFEST,
            "drawn.png": saved(drawn()),
            "f.jpg": saved(drawn(), "JPEG"),
            "f.pdf": cairo,
        }
    )
    made.push()
    made.pull()
    return made


def test_a_copy_leads_back_by_its_bytes_its_passport_or_its_looks(place: Place, tree: WorkTree) -> None:
    run = place.runs()[-1].request.id
    before = (tree.path / "figure.png").read_bytes()
    found, said = traced(tree, "figure.png")
    assert {(each["run"], each["path"]) for each in found["exact"]} == {
        (run, "figure.png"),
        (run, "table.csv"),
    }
    assert f"exactly what run {run[-8:]} of p, stage draw, figure.png" in said

    copy = str(place.outside / "paper.png")
    tree.lockgate("passport", "figure.png", copy)
    assert (tree.path / "figure.png").read_bytes() == before
    found, said = traced(tree, copy)
    assert not found["exact"] and found["stamped"]["is_proved"]
    assert f"exactly what, but for its passport, run {run[-8:]}" in said

    for name in ("figure.jpg", "figure.pdf"):
        tree.lockgate("passport", name, str(place.outside / name))
        found, said = traced(tree, str(place.outside / name))
        assert not found["exact"] and found["stamped"]["is_proved"]
        assert f"exactly what, but for its passport, run {run[-8:]} of p, stage draw, {name}" in said

    with Image.open(copy) as picture:
        picture.load()
        text = picture.info["Lockgate"]
        from PIL.PngImagePlugin import PngInfo

        kept = PngInfo()
        kept.add_itxt("Lockgate", text)
        picture.resize((200, 150)).save(place.outside / "small.png", pnginfo=kept)
    found, said = traced(tree, str(place.outside / "small.png"))
    assert not found["stamped"]["is_proved"] and found["stamped"]["made"][0]["run"] == run
    assert "its passport says that run" in said and "its bytes are others" in said

    shot = drawn().crop((20, 12, 312, 224)).resize((500, 363))
    (place.outside / "shot.jpg").write_bytes(saved(shot, "JPEG"))
    found, said = traced(tree, str(place.outside / "shot.jpg"))
    assert not found["exact"] and found["alike"][0]["run"] == run
    assert "a likeness" in said

    (place.outside / "other").write_bytes(b"nobody made this")
    _, said = traced(tree, str(place.outside / "other"), code=1)
    assert "no run is known that made it" in said


def test_a_file_may_come_by_standard_input_and_may_be_large(place: Place, tree: WorkTree) -> None:
    from e2e_place import run_program

    large = place.outside / "large"
    with large.open("wb") as file:
        file.truncate(40_000_000)
    assert tree.lockgate("trace", str(large), code=1).out.endswith("no run is known that made it\n")
    program = "import subprocess, sys; sys.exit(subprocess.run(['lockgate', 'trace', '--stdin'],"
    program += " stdin=open('figure.png', 'rb')).returncode)"
    assert "exactly what" in run_program([sys.executable, "-c", program], tree.path, place.env).out


def test_what_no_run_made_gets_no_passport(place: Place, tree: WorkTree) -> None:
    assert "is a source" in tree.lockgate("passport", "drawn.png", "x.png", code=2).err
    tree.write({"figure.png": saved(drawn().resize((10, 10)))})
    assert "not as run" in tree.lockgate("passport", "figure.png", "x.png", code=2).err
    assert not tree.has("x.png")
