from __future__ import annotations

import json

from lockgate.project.notebook_text import text_of_notebook


def test_cells_and_outputs_are_text_and_pictures_a_line() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
        {"output_type": "display_data", "data": {"image/png": "iVBOR" * 9, "text/plain": "<Figure>"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "ü", "traceback": []},
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Title"},
        {
            "cell_type": "code",
            "metadata": {"tags": ["parameters"]},
            "source": ["a\n", "b"],
            "outputs": outputs,
        },
    ]
    assert text_of_notebook(json.dumps({"cells": cells, "nbformat": 4}).encode()).splitlines() == [
        "── markdown cell 1",
        "# Title",
        "",
        "── code cell 2 [parameters]",
        "a",
        "b",
        "── stdout",
        "one",
        "two",
        "── image/png: 45 characters, e8ba36d06ab0",
        "── text/plain",
        "<Figure>",
        "── error",
        "ValueError: ü",
        "",
    ]


def test_a_long_output_is_cut_and_what_is_no_notebook_shown_as_it_is() -> None:
    stream = {"output_type": "stream", "text": "x\n" * 1000}
    cell = {"cell_type": "code", "source": "", "outputs": [stream]}
    text = text_of_notebook(json.dumps({"worksheets": [{"cells": [cell]}], "nbformat": 3}).encode())
    assert "… 800 more lines" in text
    for broken in (b"", b"{", b"[]", b"\xff", b'{"cells": [3]}', b"<<<<<<< ours"):
        assert text_of_notebook(broken) == broken.decode("utf-8", "replace")
