"""Cells put together from messages as a kernel sends them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from jupyter_client.session import Session

from lockgate.activity.execution import OUTPUT_CHARS, Execution
from lockgate.jupyter.capture.gathering import PICTURE_BYTES, Gatherer, readable

PNG = base64.b64encode(b"\x89PNG").decode()


class Kernel:
    """Sends what a kernel does, signed; `told` is what came of it."""

    def __init__(self) -> None:
        self.session = Session(key=b"k")
        reader = Session(key=b"k")
        self.gatherer = Gatherer("python3", lambda frames: reader.deserialize(list(frames)))
        self.told: list[Execution] = []
        self.now = 100.0

    def send(
        self, kind: str, content: dict[str, Any], parent: str = "p", subshell: str | None = None
    ) -> None:
        above: dict[str, Any] = {"msg_id": parent, "msg_type": "execute_request", "subshell_id": subshell}
        message = self.session.msg(kind, content, parent={"header": above})
        self.now += 1
        self.told += self.gatherer.take([b"topic", *self.session.serialize(message)], self.now)

    def begin(self, code: str, parent: str = "p", subshell: str | None = None) -> None:
        self.send("execute_input", {"code": code, "execution_count": 1}, parent, subshell)

    def end(self, parent: str = "p") -> Execution:
        self.send("status", {"execution_state": "idle"}, parent)
        return self.told[-1]

    def show(self, kind: str = "display_data", display: str | None = None, **data: str) -> None:
        bundle = {name.replace("_", "/"): text for name, text in data.items()}
        self.send(
            kind, {"data": bundle, "metadata": {}, "transient": {"display_id": display} if display else {}}
        )


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def test_a_cell_has_its_code_text_and_time(kernel: Kernel) -> None:
    kernel.begin("1 + 1")
    kernel.send("stream", {"name": "stdout", "text": "a\n"})
    kernel.show("execute_result", text_plain="2")
    done = kernel.end()
    assert (done.code, done.text, done.status, done.count, done.seconds) == ("1 + 1", "a\n2\n", "ok", 1, 3.0)
    assert done.request == "p"
    assert len(kernel.told) == 1


def test_of_a_flood_the_end_is_kept(kernel: Kernel) -> None:
    kernel.begin("flood")
    for number in range(3000):
        kernel.send("stream", {"name": "stdout", "text": f"line {number} {'x' * 90}\n"})
    done = kernel.end()
    assert done.text.endswith(f"line 2999 {'x' * 90}\n")
    assert len(done.text) == OUTPUT_CHARS


def test_an_error_is_told_in_one_line_and_without_colours(kernel: Kernel) -> None:
    kernel.begin("1 / 0")
    kernel.send(
        "error", {"ename": "ZeroDivisionError", "evalue": "by\nzero", "traceback": ["\x1b[31mred\x1b[0m"]}
    )
    done = kernel.end()
    assert (done.status, done.error, done.text) == ("error", "ZeroDivisionError: by zero", "red")


def test_images_are_kept_and_what_is_updated_is_shown_as_it_ended(kernel: Kernel) -> None:
    kernel.begin("plot")
    kernel.show(display="d", text_plain="half")
    kernel.show(image_png=PNG)
    kernel.show("update_display_data", display="d", text_plain="whole")
    done = kernel.end()
    assert [picture.content for picture in done.pictures] == [b"\x89PNG"]
    assert done.text == "whole\n"


def test_a_large_image_is_named_and_a_broken_one_is_none(kernel: Kernel) -> None:
    kernel.begin("plot")
    kernel.show(image_png=base64.b64encode(b"x" * (PICTURE_BYTES + 1)).decode())
    kernel.show(image_png="!", text_plain="<Figure>")
    done = kernel.end()
    assert done.pictures == ()
    assert done.left_out == ("an image of 2.0 MB",)
    assert done.text == "<Figure>\n"


@pytest.mark.parametrize(("wait", "text"), [(False, "b"), (True, "b")])
def test_output_that_was_cleared_is_gone(kernel: Kernel, wait: bool, text: str) -> None:
    kernel.begin("x")
    kernel.send("stream", {"name": "stdout", "text": "a"})
    kernel.send("clear_output", {"wait": wait})
    kernel.send("stream", {"name": "stdout", "text": "b"})
    assert kernel.end().text == text


def test_output_waits_for_more_before_it_is_cleared(kernel: Kernel) -> None:
    kernel.begin("x")
    kernel.send("stream", {"name": "stdout", "text": "a"})
    kernel.send("clear_output", {"wait": True})
    assert kernel.end().text == "a"


def test_where_the_end_was_lost_the_next_cell_ends_it(kernel: Kernel) -> None:
    kernel.begin("one", "p1")
    kernel.begin("two", "p2")
    assert [(done.code, done.status) for done in kernel.told] == [("one", "unknown")]
    assert kernel.end("p2").code == "two"


def test_cells_of_subshells_run_side_by_side(kernel: Kernel) -> None:
    kernel.begin("main", "p1")
    kernel.begin("beside", "p2", "s1")
    assert kernel.end("p2").code == "beside"
    assert kernel.end("p1").code == "main"
    assert len(kernel.told) == 2


def test_a_kernel_that_dies_ends_its_cells(kernel: Kernel) -> None:
    kernel.begin("x")
    (done,) = kernel.gatherer.end_all(200.0)
    assert (done.status, done.code) == ("unknown", "x")
    assert list(kernel.gatherer.end_all(200.0)) == []


def test_an_empty_cell_and_what_has_no_cell_are_nothing(kernel: Kernel) -> None:
    kernel.begin("  \n")
    kernel.send("stream", {"name": "stdout", "text": "of nobody"}, "other")
    kernel.send("status", {"execution_state": "idle"})
    assert kernel.told == []


def test_a_message_that_is_not_the_kernels_is_refused(kernel: Kernel) -> None:
    forger = Session(key=b"other")
    message = forger.msg("execute_input", {"code": "x"}, parent={"header": {"msg_id": "p"}})
    with pytest.raises(ValueError, match="Invalid Signature"):
        list(kernel.gatherer.take(forger.serialize(message), 1.0))


def test_a_progress_bar_is_read_as_a_terminal_leaves_it() -> None:
    assert readable("10%\r50%\r100%\nend\r\n") == "100%\nend\n"
