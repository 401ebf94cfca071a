"""Reading `-p NAME=VALUE`."""

from __future__ import annotations

from lockgate.errors import UserError


def parse_parameters(words: tuple[str, ...]) -> dict[str, str]:
    """Return name → value. Raises `UserError` (`parameter-unreadable`)."""
    params = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(
                f"-p {word}: not NAME=VALUE", "Write it as: -p depth=8", code="parameter-unreadable"
            )
        params[name] = value
    return params
