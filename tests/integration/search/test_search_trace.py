"""A file leads to its run by its digest; a picture that was scaled or saved anew by its look."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw
from recorded_runs import Recorder

from lockgate.data.digest import md5_of
from lockgate.errors import UserError
from lockgate.hub.search.database import Database
from lockgate.hub.search.intake import Intake
from lockgate.hub.search.likeness import LIKE, distance, look_at
from lockgate.hub.search.trace import by_content, by_digest, by_likeness


def plot(seed: int) -> Image.Image:
    """A line within axes; of another seed another line in the same axes."""
    dice = random.Random(seed)
    picture = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((60, 40, 600, 430), outline="black")
    for tick in range(6):
        draw.text((50 + tick * 108, 440), f"{tick * 0.2:.1f}", fill="black")
        draw.text((25, 425 - tick * 78), f"{tick * 20}", fill="black")
    height, points = dice.uniform(100, 400), []
    for x in range(60, 600, 4):
        height = min(425.0, max(45.0, height + dice.gauss(0, 12)))
        points.append((x, height))
    draw.line(points, fill=(31, 119, 180), width=2)
    return picture


def saved(picture: Image.Image, form: str = "PNG", **options: int) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return target.getvalue()


def transparent(picture: Image.Image) -> Image.Image:
    clear = picture.convert("RGBA")
    clear.putdata([(*pixel[:3], 0) if pixel[:3] == (255, 255, 255) else pixel for pixel in _pixels(clear)])
    return clear


def framed(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    around = Image.new("RGB", (700, 520), colour)
    around.paste(picture, (30, 10))
    return around


def _pixels(picture: Image.Image) -> list[tuple[int, int, int, int]]:
    content = picture.tobytes()
    return [tuple(content[at : at + 4]) for at in range(0, len(content), 4)]  # type: ignore[misc]


CHANGED = {
    "jpeg": lambda p: saved(p, "JPEG", quality=80),
    "poor jpeg": lambda p: saved(p, "JPEG", quality=40),
    "half": lambda p: saved(p.resize((320, 240))),
    "half and jpeg": lambda p: saved(p.resize((320, 240)), "JPEG"),
    "twice": lambda p: saved(p.resize((1280, 960))),
    "gif": lambda p: saved(p.convert("P"), "GIF"),
    "webp": lambda p: saved(p, "WEBP"),
    "grey": lambda p: saved(p.convert("L")),
    "transparent": lambda p: saved(transparent(p)),
    "another shape": lambda p: saved(p.resize((640, 360))),
    "a margin cut off": lambda p: saved(p.crop((13, 14, 627, 470))),
    "labels cut off": lambda p: saved(p.crop((38, 29, 602, 451))),
    "one side cut off": lambda p: saved(p.crop((32, 0, 640, 480))),
    "shot with a frame": lambda p: saved(framed(p, (240, 240, 240))),
    "shot on a page": lambda p: saved(framed(p, (255, 255, 255)).resize((1000, 743)), "JPEG"),
}


@pytest.mark.parametrize("how", CHANGED)
def test_a_picture_changed_so_is_like_itself(how: str) -> None:
    look, other = look_at(saved(plot(1))), look_at(CHANGED[how](plot(1)))
    assert look is not None and other is not None
    assert distance(look, other) <= LIKE / 1.2


def test_other_plots_are_not_alike() -> None:
    looks = [look_at(saved(plot(seed))) for seed in range(12)]
    for at, one in enumerate(looks):
        for other in looks[:at]:
            assert one is not None and other is not None
            assert distance(one, other) > LIKE


def bomb() -> bytes:
    """A PNG that says it is 60,000 pixels wide and high."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


HOSTILE = {
    "empty": b"",
    "text": b"hello",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "cut": saved(plot(1))[:2_000],
    "cut jpeg": saved(plot(1), "JPEG")[:700],
    "bomb": bomb(),
    "large": b"\x89PNG\r\n\x1a\n" + bytes(31_000_000),
    "head only": b"\x89PNG\r\n\x1a\n",
    "gif of nothing": b"GIF89a" + bytes(20),
    "riff": b"RIFF\x10\0\0\0WEBPVP8 " + bytes(30),
    "tiny": saved(Image.new("RGB", (1, 1))),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_picture_is_refused_calmly(database: Database, what: str) -> None:
    with pytest.raises(UserError) as caught:
        by_likeness(database, [], HOSTILE[what])
    assert caught.value.code == "picture-invalid"


def test_plain_pictures_do_no_harm(database: Database) -> None:
    for colour in ("white", "black", "red"):
        assert by_likeness(database, [], saved(Image.new("RGB", (50, 50), colour))) == ()


def test_files_and_pictures_lead_to_their_runs(
    recorder: Callable[[str], Recorder], intake: Intake, database: Database
) -> None:
    flights, cars = recorder("flights"), recorder("cars")
    table = b"a,b\n1,2\n"
    first = flights.run({"plot.png": ("figure", saved(plot(1))), "t.csv": ("table", table)})
    second = flights.run(
        {"other.png": ("figure", saved(plot(2))), "big.png": ("figure", saved(plot(3))),
         "bad.png": ("figure", bomb())}, in_store=("big.png",),
    )  # fmt: skip
    folder = {"a.png": saved(plot(4)), "sub/b.csv": b"x\n9\n"}
    third = flights.run(folders={"figures": folder, "stored": {"c.csv": b"y\n8\n"}}, in_store=("stored",))
    cars.run({"plot.png": ("figure", saved(plot(5)))})
    intake.sync()
    assert not intake.problems

    found = {
        "table": [(m.run, m.path) for m in by_content(database, ["flights"], table)],
        "upper": [m.run for m in by_digest(database, ["flights"], md5_of(table).upper())],
        "in git folder": [(m.run, m.path) for m in by_content(database, ["flights"], b"x\n9\n")],
        "in store folder": [(m.run, m.path) for m in by_content(database, ["flights"], b"y\n8\n")],
        "in store": [(m.run, m.path) for m in by_content(database, ["flights"], saved(plot(3)))],
        "nowhere": by_content(database, ["flights"], b"nobody made this"),
        "another's": by_content(database, ["cars"], table),
    }
    assert found == {
        "table": [(first, "t.csv")],
        "upper": [first],
        "in git folder": [(third, "figures/sub/b.csv")],
        "in store folder": [(third, "stored/c.csv")],
        "in store": [(second, "big.png")],
        "nowhere": (),
        "another's": (),
    }
    (exact,) = by_likeness(database, ["flights"], saved(plot(1)))
    assert (exact.run, exact.path, exact.is_exact, exact.distance) == (first, "plot.png", True, 0.0)
    for seed, run, path in ((1, first, "plot.png"), (3, second, "big.png"), (4, third, "figures/a.png")):
        (like,) = by_likeness(database, ["flights"], saved(plot(seed).resize((400, 300)), "JPEG"))
        assert (like.run, like.path, like.is_exact) == (run, path, False)
        assert 0 < like.distance <= LIKE
    assert by_likeness(database, ["flights"], saved(plot(99))) == ()
    assert by_likeness(database, ["flights"], saved(plot(5).resize((400, 300)))) == ()
    assert len(by_likeness(database, ["cars"], saved(plot(5).resize((400, 300))))) == 1
