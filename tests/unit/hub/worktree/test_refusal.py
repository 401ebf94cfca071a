from __future__ import annotations

import pytest

from lockgate.errors import OutsideError, UserError
from lockgate.hub.worktree.sending import refusal

FORBIDDEN = "fatal: unable to access 'http://hub/git/p.git/': The requested URL returned error: 403"
UNKNOWN = "fatal: Authentication failed for '{}'"


@pytest.mark.parametrize(
    ("said", "message", "hint", "code"),
    [
        (
            ["lockgate: nothing was queued: a circle", "lockgate: Cut it. [circle]"],
            "a circle",
            "Cut it.",
            "circle",
        ),
        (
            ["vic may not push to p: vic is a viewer there", "Ask a lead (ada). [not-allowed]", FORBIDDEN],
            "vic may not push to p: vic is a viewer there",
            "Ask a lead (ada).",
            "not-allowed",
        ),
        (
            [
                "lockgate: vic may not push to p: vic is a viewer there. Ask a lead (ada). [not-allowed]",
                "fatal: x",
            ],
            "vic may not push to p: vic is a viewer there",
            "Ask a lead (ada).",
            "not-allowed",
        ),
    ],
    ids=["hook", "http", "ssh"],
)
def test_the_hubs_own_words_are_told(said: list[str], message: str, hint: str, code: str) -> None:
    error = refusal(said)
    assert isinstance(error, UserError)
    assert (error.message, error.hint, error.code) == (message, hint, code)


@pytest.mark.parametrize(
    ("where", "login"),
    [
        ("https://hub.example/git/p.git/", "https://hub.example"),
        ("https://eve:secret@hub.example:8443/below/git/p.git/", "https://hub.example:8443/below"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
    ],
)
def test_who_is_not_known_is_told_where_to_log_in_and_no_secret(where: str, login: str) -> None:
    error = refusal([UNKNOWN.format(where)])
    assert (error.code, isinstance(error, UserError)) == ("hub-unknown-member", True)
    assert error.hint.startswith(f"Log in again: lockgate login {login};")


def test_what_is_not_the_hubs_word_is_gits_failure() -> None:
    busy = "fatal: unable to access 'http://hub/git/p.git/': The requested URL returned error: 503"
    for said in ([busy], ["the disk is full", "Make room. [disk-full]", busy], []):
        error = refusal(said)
        assert (error.code, isinstance(error, OutsideError)) == ("push-failed", True)
