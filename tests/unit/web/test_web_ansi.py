"""What a job printed becomes HTML that shows its colours and does nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.web.pages.ansi import html_of


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"plain\n", "plain\n"),
        (
            b"\x1b[31mred\x1b[0m and \x1b[1;92mbold\x1b[m",
            '<span class="f1">red</span> and <span class="f2 b">bold</span>',
        ),
        (b"10 %\r20 %\r100 %\ndone\n", "100 %\ndone\n"),
        (b"a line\r\nanother\r\n", "a line\nanother\n"),
        (b"\x1b[38;5;196mfar\x1b[48;2;1;2;3mther", "farther"),
        (b"\x1b[2J\x1b[Hclean\x07\x1b]0;title\x07er", "cleaner"),
        (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x1b[32mgreen\rover", '<span class="f2">over</span>'),
    ],
)
def test_output_as_it_is_shown(printed: bytes, shown: str) -> None:
    assert str(html_of(printed)) == shown


@given(st.binary(max_size=400))
def test_whatever_is_printed_makes_no_markup_but_ours(printed: bytes) -> None:
    left = re.sub(r'<span class="[a-z0-9 ]*">|</span>', "", str(html_of(printed)))
    assert "<" not in left
    assert "\x1b" not in left
