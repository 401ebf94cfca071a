"""Lockgate: git push your data science; get results you can prove.

In a notebook every verb of the command line is a function here: `lockgate.run()`, `lockgate.status()`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

# typing takes milliseconds that every start of the command line would pay
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.3.0"

#: Verbs that are called as rooms of the house are; whichever came first, both uses must work.
_VERBS_AND_ROOMS = ("data", "runs", "verify")


class _Room(ModuleType):
    """A room that is a verb too: `lockgate.runs.plan` is code, `lockgate.runs()` asks for the runs."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return getattr(_verbs(), self.__name__.rpartition(".")[2])(*arguments, **options)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name in _VERBS_AND_ROOMS and type(value) is ModuleType:
            value.__class__ = _Room
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_verbs().__all__})


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    # Only what is asked for is imported: the command line starts in milliseconds (PEP 562)
    if not name.startswith("_"):
        found = getattr(_verbs(), name, None)
        if found is not None and not isinstance(found, ModuleType):
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """Add the magics: what `%load_ext lockgate` does."""
    import_module("lockgate.notebook.magics").load(shell)


def _verbs() -> ModuleType:
    return import_module("lockgate.notebook.verbs")
