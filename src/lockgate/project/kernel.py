"""The kernels of a project, `kernels/NAME/kernel.json`: read, proposed, and what changed between two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import msgspec

from lockgate.errors import UserError

#: Who starts a kernel of a project: the entry point in `jupyter_client.kernel_provisioners`.
PROVISIONER = "lockgate-project"
LANGUAGES = ("python", "R")

_PATH = re.compile(r"kernels/([^/]+)/kernel\.json")
#: What Jupyter takes for a name (jupyter_client, kernelspec.py), without what begins with a dot.
_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.IGNORECASE)
_ARGV: Mapping[str, tuple[str, ...]] = {
    "python": ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}"),
    # see https://irkernel.github.io, what IRkernel::installspec writes
    "R": ("R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"),
}


class KernelFile(msgspec.Struct, frozen=True):
    """The parts of a kernel specification that are read here
    (https://jupyter-client.readthedocs.io, Kernel specs)."""

    argv: tuple[str, ...]
    display_name: str = ""
    language: str = ""

    @property
    def is_python(self) -> bool:
        return bool(self.argv) and re.fullmatch(r"python[\d.]*", self.argv[0]) is not None


def kernel_path(name: str) -> str:
    """Return where the kernel of this name stands in its project. Raises `UserError` (`kernel-name`)."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name of a kernel",
            "Take letters, digits, `-`, `_` and `.`, as in flights-py.",
            code="kernel-name",
        )
    return f"kernels/{name}/kernel.json"


def kernel_name(path: str) -> str | None:
    """Return the kernel that a path of a project declares; None: the path declares none."""
    found = _PATH.fullmatch(path)
    return found[1] if found else None


def read_kernel(content: bytes, path: str) -> KernelFile:
    """Read a kernel specification. Raises `UserError` (`kernel-invalid`)."""
    try:
        kernel = msgspec.json.decode(content, type=KernelFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _invalid(path, str(problem)) from None
    if not kernel.argv:
        raise _invalid(path, "its argv is empty")
    return kernel


def propose_kernel(language: str, display_name: str) -> str:
    """Return the text of a kernel.json that starts this language in the project's locked runtime."""
    kernel = {
        "argv": _ARGV[language],
        "display_name": display_name,
        "language": language,
        "metadata": {"kernel_provisioner": {"provisioner_name": PROVISIONER}},
    }
    return json.dumps(kernel, indent=1, ensure_ascii=False) + "\n"


def kernel_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return in words what came, went or changed among kernels; both map a path of the project to a content.

    Paths that are no kernel's are passed over, so two whole listings may be given.
    """
    return tuple(_changes(_kernels(before), _kernels(after)))


def _changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"the project has a new kernel: {name}"
        elif name not in after:
            yield f"the project has the kernel {name} no more; notebooks that name it need another"
        elif before[name] != after[name]:
            yield f"the kernel {name} was changed; restart the notebooks that use it"


def _kernels(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: content for path, content in files.items() if (name := kernel_name(path)) is not None}


def _invalid(path: str, problem: str) -> UserError:
    return UserError(
        f"{path} is no kernel specification: {problem}",
        "A good one is written by: lockgate kernel add NAME",
        code="kernel-invalid",
    )
