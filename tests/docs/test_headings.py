"""What the code can say has a heading in the reference: error codes, commands, keys of lockgate.toml."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import click
import msgspec
import pytest
from docs_pages import ROOT, Page, read_page

from lockgate.web import oauth_login, oauth_token

REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "lockgate"
CODE = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+"


@cache
def _page(name: str) -> Page:
    path = REFERENCE / name
    if not path.exists():
        pytest.fail(f"{path.relative_to(ROOT)} is not written")
    return read_page(path)


def _headings(name: str) -> set[str]:
    return {heading for _, heading in _page(name).headings}


def _codes(source: str) -> Iterator[str]:
    """Yield what looks like a code: `code=` or `…_code=` in a call, its default, arguments of an error."""
    for node in ast.walk(ast.parse(source)):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            values += [word.value for word in node.keywords if f"_{word.arg}".endswith("_code")]
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name.lower().endswith("error"):
                values += [argument for argument in node.args if isinstance(argument, ast.Constant)]
        elif isinstance(node, ast.FunctionDef):
            named = [*node.args.posonlyargs, *node.args.args]
            defaults = [*[None] * (len(named) - len(node.args.defaults)), *node.args.defaults]
            pairs = [*zip(named, defaults, strict=True)]
            pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            values = [value for argument, value in pairs if argument.arg == "code"]
        for value in values:
            for part in ast.walk(value) if value is not None else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


@cache
def error_codes() -> set[str]:
    # Parsing takes seconds: not what has no such word in quotes
    texts = (path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    found = {code for text in texts if re.search(rf'"{CODE}"', text) for code in _codes(text)}
    return {code for code in found if re.fullmatch(CODE, code)}


def commands() -> dict[str, click.Command]:
    """Return every command that is not hidden, by what a person types."""
    from lockgate.cli.group import cli

    found: dict[str, click.Command] = {}

    def walk(command: click.Command, words: str) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=words)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner is not None and not inner.hidden:
                    walk(inner, f"{words} {name}")
        else:
            found[words] = command

    walk(cli, "lockgate")
    return found


def _section(page: Page, heading: str) -> str:
    text = (ROOT / page.path).read_text(encoding="utf-8")
    found = re.search(
        rf"^#+ +`?{re.escape(heading)}`?[^\n]*\n(.*?)(?=^#+ +`?lockgate |\Z)", text, re.M | re.S
    )
    return found[1] if found else ""


def test_every_error_code_has_a_heading() -> None:
    missing = error_codes() - _headings("errors.md")
    assert not missing


def test_every_heading_of_the_errors_page_is_a_code() -> None:
    codes = {heading for level, heading in _page("errors.md").headings if level == 3}
    assert not codes - error_codes()


def test_every_command_has_a_heading() -> None:
    headings = {heading for _, heading in _page("commands.md").headings}
    assert not set(commands()) - headings


def test_every_option_is_named_below_its_command() -> None:
    page = _page("commands.md")
    missing = [
        f"{words} {option}"
        for words, command in commands().items()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
        if option.startswith("--") and option != "--help" and option not in _section(page, words)
    ]
    assert not missing


def manifest_keys() -> set[str]:
    """Return every key of lockgate.toml, as its schema has them: `[table` and, in tables, `key`."""
    schema = msgspec.json.decode((SOURCE / "project" / "lockgate.schema.json").read_bytes())
    found = set(schema["$defs"]["stage"]["properties"])
    for table, inside in schema["properties"].items():
        found |= {f"[{table}", *inside.get("properties", {})}
    return found


def test_every_key_of_the_manifest_has_a_heading() -> None:
    said = " ".join(_headings("lockgate-toml.md"))
    assert not {key for key in manifest_keys() if not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", said)}


def test_every_path_beside_the_api_that_programs_ask_is_described() -> None:
    text = (REFERENCE / "api.md").read_text("utf-8")
    said = {
        (method, path)
        for methods, path in re.findall(r"^\| `((?:GET |POST )+)(/[^`]+)` \|", text, re.MULTILINE)
        for method in methods.split()
    }
    there = {
        (str(method), path)
        for handler in (*oauth_login.handlers, *oauth_token.handlers)
        for path in handler.paths
        for method in handler.http_methods
    }
    assert len(there) == 8
    assert there - said == set()
