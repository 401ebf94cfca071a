"""What a form sent, as text by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litestar import Request
from litestar.datastructures import State


class Form:
    """The fields of one form; what is no text is not among them."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """Return a field's text without blanks around it; "" where it was not sent."""
        return next(iter(self._fields.get(name, ())), "").strip()

    def all(self, name: str) -> list[str]:
        return [value for value in self._fields.get(name, ()) if value]


async def read_form(request: Request[None, None, State]) -> Form:
    found: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return Form(found)
