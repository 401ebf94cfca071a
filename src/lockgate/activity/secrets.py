"""Secrets in text that is kept: tokens by their known forms, and values that are known to be secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SHOWN = "‹secret›"
#: A shorter value would be met in ordinary words.
_SHORTEST = 6
_TELLING = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|(?:^|_)(?:API_?|ACCESS_?|PRIVATE_?)?KEY(?:_|$)"
)
#: Forms as their issuers publish them for scanners, e.g.
#: https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
_FORMS = re.compile(
    r"""
    -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | \b(?:gh[pousr]_[A-Za-z0-9]{20,255} | github_pat_[A-Za-z0-9_]{20,255}
        | glpat-[A-Za-z0-9_-]{16,} | lgt_[A-Za-z0-9]+_[A-Za-z0-9_-]{20,}
        | (?:AKIA|ASIA)[A-Z0-9]{16} | AIza[A-Za-z0-9_-]{35}
        | xox[abeoprs]-[A-Za-z0-9-]{10,} | hf_[A-Za-z0-9]{20,} | npm_[A-Za-z0-9]{30,}
        | pypi-[A-Za-z0-9_-]{40,} | dapi[a-f0-9]{32} | sk-[A-Za-z0-9_-]{20,} | [rs]k_live_[A-Za-z0-9]{16,}
        | eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)
    """,
    re.DOTALL | re.VERBOSE,
)
_IN_ADDRESS = re.compile(r"(?<=://)([^\s/:@'\"]*):([^\s/@'\"]+)(?=@)")
_BEARER = re.compile(r"(?i)\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{12,}")
_GIVEN = re.compile(
    r"""(?ix)
    ((?:\b|_)(?:passw(?:or)?d|passphrase|pwd|secret|token|api_?key|access_?key|secret_?key)\w*["']?
    \s*(?:=|:|<-)\s*[bru]{0,2}) (["'])(?!\2)[^"'\n]+\2
    """
)


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables whose names say that they are secret, the longest first."""
    found = {value for name, value in environment.items() if _TELLING.search(name.upper())}
    return tuple(
        sorted((each for each in found if len(each) >= _SHORTEST), key=lambda each: (-len(each), each))
    )


def mask(text: str, values: Iterable[str] = ()) -> str:
    """Return the text with what is secret in it exchanged for `‹secret›`."""
    for value in values:
        text = text.replace(value, SHOWN)
    text = _FORMS.sub(SHOWN, text)
    text = _IN_ADDRESS.sub(rf"\1:{SHOWN}", text)
    text = _BEARER.sub(rf"\1 {SHOWN}", text)
    return _GIVEN.sub(rf"\1\2{SHOWN}\2", text)
