"""`[tools.NAME]`: what may stand there, and what a confirmation could not be trusted with."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.project.manifest import parse_manifest
from lockgate.project.tool import Tool


def tool(text: str) -> Tool:
    (found,) = parse_manifest(f"[tools.notes]\n{text}\n").tools
    return found


def test_a_command_is_words_and_no_shell_reads_it() -> None:
    found = tool("command = 'serve \"a b\" $HOME; --port={port} --base={base_url}'")
    assert found.command == ("serve", "a b", "$HOME;", "--port={port}", "--base={base_url}")
    assert found.words(81, "/x/y") == ("serve", "a b", "$HOME;", "--port=81", "--base=/x/y")
    assert (found.title, found.path, found.icon, found.keeps_address) == ("notes", "", None, True)
    assert found.line == "serve 'a b' '$HOME;' '--port={port}' '--base={base_url}'"
    listed = tool('command = ["serve", "{port}", "{", "{other}"]\ntitle = "Notes"\npath = "lab?file=a/../b"')
    assert listed.words(81, "/x") == ("serve", "81", "{", "{other}")
    assert (listed.title, listed.path, listed.keeps_address) == ("Notes", "lab?file=a/../b", False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = 'x'", "says no command"),
        ("command = 'serve'", "does not say {port}"),
        ("command = ['{port}']", "does not say {port}"),
        ("command = []", "not a command"),
        ("command = ['serve', 8000]", "not a command"),
        ("command = 8000", "not a command"),
        ("command = 'serve \"{port}'", "not closed"),
        ("command = ['', '{port}']", "cannot be shown"),
        ('command = ["serve", "{port}", "a\\nb"]', "cannot be shown"),
        ('command = ["serve", "{port}", "\\u202egpj"]', "cannot be shown"),
        ('command = ["serve", "{port}", "\\u0000"]', "cannot be shown"),
        (f"command = ['serve', '{{port}}', '{'x' * 4000}']", "longer than 4,000"),
        ("command = 'serve {port}'\ntitle = \"\\u202ex\"", "can be shown"),
        ("command = 'serve {port}'\npath = '/etc'", "not a page of the tool"),
        ("command = 'serve {port}'\npath = '../../api'", "not a page of the tool"),
        ("command = 'serve {port}'\npath = '%2e%2E/api'", "not a page of the tool"),
        ("command = 'serve {port}'\npath = '..\\api'", "not a page of the tool"),
        ("command = 'serve {port}'\nicon = '../x.svg'", "leaves the project"),
        ("command = 'serve {port}'\nshell = true", "unknown key"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        tool(text)
    assert words in caught.value.message and caught.value.message.startswith("lockgate.toml:")


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", ".", "é"])
def test_a_name_is_part_of_an_address(name: str) -> None:
    with pytest.raises(UserError, match="cannot be a name"):
        parse_manifest(f"[tools.'{name}']\ncommand = 'serve {{port}}'\n")


def test_a_launcher_is_not_flooded() -> None:
    many = "".join(f"[tools.t{n}]\ncommand = 'serve {{port}}'\n" for n in range(51))
    with pytest.raises(UserError, match=r"lockgate\.toml:101: .*51 tools"):
        parse_manifest(many)
