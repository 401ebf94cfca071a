"""kernel.json files of a project: what is proposed can be read, and what changed is told."""

from __future__ import annotations

import json

import pytest

from lockgate.errors import UserError
from lockgate.project.kernel import (
    LANGUAGES,
    PROVISIONER,
    kernel_changes,
    kernel_name,
    kernel_path,
    propose_kernel,
    read_kernel,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_proposed_is_a_kernel_started_by_our_provisioner(language: str) -> None:
    text = propose_kernel(language, "Flüge")
    kernel = read_kernel(text.encode(), "kernels/x/kernel.json")
    assert (kernel.language, kernel.display_name) == (language, "Flüge")
    assert kernel.is_python == (language == "python")
    assert "{connection_file}" in kernel.argv
    assert json.loads(text)["metadata"]["kernel_provisioner"] == {"provisioner_name": PROVISIONER}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"argv": "python"}', b'{"argv": []}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_kernel_is_told_with_its_file(content: bytes) -> None:
    with pytest.raises(UserError) as caught:
        read_kernel(content, "kernels/x/kernel.json")
    assert caught.value.code == "kernel-invalid"
    assert "kernels/x/kernel.json" in caught.value.message


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "ä", "a b", "../x", "-\n"])
def test_a_name_that_jupyter_or_a_folder_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(UserError) as caught:
        kernel_path(name)
    assert caught.value.code == "kernel-name"


def test_a_path_names_its_kernel() -> None:
    assert kernel_name(kernel_path("r-4.2")) == "r-4.2"
    assert kernel_name("kernels/kernel.json") is None
    assert kernel_name("sub/kernels/a/kernel.json") is None


def test_what_came_went_and_changed_is_told_by_name() -> None:
    before = {kernel_path("a"): b"1", kernel_path("b"): b"1", kernel_path("same"): b"1", "x.py": b"1"}
    after = {kernel_path("b"): b"2", kernel_path("c"): b"1", kernel_path("same"): b"1", "x.py": b"2"}
    told = kernel_changes(before, after)
    assert [line for line in told if "kernel a no more" in line]
    assert [line for line in told if "kernel b was changed" in line]
    assert [line for line in told if "new kernel: c" in line]
    assert len(told) == 3
