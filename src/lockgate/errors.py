"""The one tree of errors: a cause, what to do about it, a stable code, an exit code."""

from __future__ import annotations


class LockgateError(Exception):
    """A foreseeable failure, told in one line of cause and one line of what to do.

    `code` is stable and is a heading in docs/reference/errors.md.
    """

    exit_code = 1
    is_transient = False

    def __init__(self, message: str, hint: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self} [{self.code}]"

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook instead of the way through our code."""
        return [f"{self} [{self.code}]"]

    @property
    def as_cause(self) -> str:
        """Both lines and the code in one, as a run keeps why it failed."""
        return f"{self.message} ({self.hint}) [{self.code}]"


class UserError(LockgateError):
    """The request or the project is wrong; the same call will fail again."""

    exit_code = 2


class OutsideError(LockgateError):
    """Something outside Lockgate failed: git, a disk, a batch system, a network."""

    exit_code = 3

    def __init__(self, message: str, hint: str, *, code: str, is_transient: bool = False) -> None:
        super().__init__(message, hint, code=code)
        self.is_transient = is_transient
