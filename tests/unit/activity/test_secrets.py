from __future__ import annotations

import pytest

from lockgate.activity.secrets import SHOWN, mask, secret_values


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "x" * 30,
        "glpat-" + "y" * 20,
        "AKIA" + "ABCD" * 4,
        "sk-" + "q" * 40,
        "hf_" + "z" * 30,
        "xoxb-1234567890-abc",
        "lgt_ab12_" + "s" * 43,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA\n-----END OPENSSH PRIVATE KEY-----",
    ],
)
def test_tokens_are_known_by_their_form(secret: str) -> None:
    assert mask(f"a {secret} b") == f"a {SHOWN} b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('password = "hunter22"', f'password = "{SHOWN}"'),
        ("db_password='hunter22'", f"db_password='{SHOWN}'"),
        ('{"api_key": "abc"}', f'{{"api_key": "{SHOWN}"}}'),
        ('token <- "abc"', f'token <- "{SHOWN}"'),
        ("postgresql://ana:pw@db/x", f"postgresql://ana:{SHOWN}@db/x"),
        ("Authorization: Bearer abcdefghijkl", f"Authorization: Bearer {SHOWN}"),
    ],
)
def test_what_is_called_a_secret_is_one(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "keys = sorted(table)",
        "token = tokens[0]",
        'password = ""',
        "https://example.org/a@b",
        "skate-board",
        "",
    ],
)
def test_ordinary_code_stays(text: str) -> None:
    assert mask(text) == text


def test_values_of_telling_variables_are_masked_wherever_they_stand() -> None:
    values = secret_values(
        {"DB_PASSWORD": "correct horse", "API_KEY": "correct horse battery", "KEYBOARD": "qwertyuiop",
         "MONKEY": "bananas", "MY_TOKEN": "abc", "HOME": "/home/ana"}
    )  # fmt: skip
    assert values == ("correct horse battery", "correct horse")
    assert mask("correct horse battery, correct horse, abc", values) == f"{SHOWN}, {SHOWN}, abc"
