"""A passport goes into a copy of a figure, is read there, and comes out again without a trace."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lockgate.verify.passport import Passport, read_passport, stamped, without_passport

SAID = Passport(
    project="flights",
    run="01M8AXCA82S0FR8TDV0Z3XP3TA",
    stage="draw@a=<1>",
    path="figures/é&.png",
    md5="0" * 32,
)


def png(form: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, form)
    return content.getvalue()


SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>\n'


def pdf() -> bytes:
    """A page of one line, with a table of references and a title (ISO 32000-1, 7.5)."""
    drawn = b"0 0 m 100 100 l S"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Title (Delays) >>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = len(content)
    content += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in places)
    return content + b"trailer\n<< /Size 6 /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table


FIGURES = {"png": png(), "svg": SVG, "pdf": pdf()}


@pytest.mark.parametrize("kind", FIGURES)
def test_it_comes_out_as_it_went_in_and_leaves_the_very_bytes(kind: str) -> None:
    copy = stamped(FIGURES[kind], SAID)
    assert copy is not None and copy != FIGURES[kind]
    assert read_passport(copy) == SAID
    assert without_passport(copy) == FIGURES[kind]
    assert read_passport(FIGURES[kind]) is None
    assert without_passport(FIGURES[kind]) == FIGURES[kind]


def test_a_png_with_one_shows_the_same_and_says_it_to_any_program() -> None:
    copy = stamped(png(), SAID)
    assert copy is not None
    with Image.open(io.BytesIO(copy)) as picture:
        picture.load()
        assert picture.tobytes() == Image.new("RGB", (8, 8), "red").tobytes()
        assert SAID.run in picture.info["Lockgate"]


def test_an_svg_with_one_is_still_xml() -> None:
    from xml.etree import ElementTree

    copy = stamped(SVG, SAID)
    assert copy is not None
    root = ElementTree.fromstring(copy)
    assert SAID.path in (root[-1].text or "")


def test_a_pdf_with_one_is_a_pdf_with_the_title_it_had(tmp_path: Path) -> None:
    copy = stamped(pdf(), SAID)
    assert copy is not None
    assert copy.count(b"/Title (Delays)") == 2
    if shutil.which("gs") is None:
        pytest.skip("NOT TESTED: Ghostscript reads a PDF with a passport: it is not installed here")
    (tmp_path / "a.pdf").write_bytes(copy)
    words = ["gs", "-q", "-dNOPAUSE", "-dBATCH", "-dPDFSTOPONERROR", "-sDEVICE=png16m", "-sOutputFile=o.png"]
    done = subprocess.run([*words, "a.pdf"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    assert (tmp_path / "o.png").stat().st_size > 0


@pytest.mark.parametrize(
    "content",
    [
        png("JPEG"),
        b"",
        b"text",
        b"<svg/>",
        png()[:40],
        pdf()[:-20],
        pdf().replace(b"/Root", b"/Encrypt 9 0 R /Root"),
        pdf().replace(b"\nxref\n", b"\n9 0 obj\n"),
        pdf().replace(b"5 0 obj", b"7 0 obj"),
    ],
)
def test_what_cannot_carry_one_is_left_as_it_is(content: bytes) -> None:
    assert stamped(content, SAID) is None


@given(st.sampled_from(sorted(FIGURES)), st.data())
def test_broken_copies_say_nothing_and_break_nothing(kind: str, data: st.DataObject) -> None:
    copy = stamped(FIGURES[kind], SAID) or b""
    at = data.draw(st.integers(0, len(copy) - 1))
    broken = copy[:at] + data.draw(st.binary(max_size=4)) + copy[at + data.draw(st.integers(0, 9)) :]
    said = read_passport(broken)
    assert said is None or isinstance(said, Passport)
    without_passport(broken)
