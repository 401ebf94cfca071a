"""Every code block of the documentation does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_pages import EXECUTED, KNOWN, Page, pages, parse_page
from docs_sandbox import PageError, Sandbox, Step, is_shown, plain, steps

PAGES = pages()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [pytest.param(page, id=page.path) for page in PAGES if page.blocks])
def test_the_blocks_of_a_page_run_in_order(page: Page, tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox", page.project)
    for block in page.blocks:
        if block.language in EXECUTED and block.not_run is None:
            sandbox.run(block)


def test_every_block_names_a_language_we_know() -> None:
    strangers = [block.place for page in PAGES for block in page.blocks if block.language not in KNOWN]
    assert not strangers, f"say one of {KNOWN} after the fence"


def test_a_block_that_is_not_run_says_why_and_such_blocks_are_few() -> None:
    every = [block for page in PAGES for block in page.blocks if block.language in EXECUTED]
    left_out = [block for block in every if block.not_run is not None]
    print(*(f"{block.place}: not run: {block.not_run}" for block in left_out), sep="\n")
    assert not [block.place for block in left_out if len(block.not_run or "") < 8], "give a reason in words"
    assert len(left_out) <= max(2, len(every) // 4)


PAGE = """\
# A `first` page

<!-- project: flights-small -->
<!-- not run: needs a cluster -->

```sh
exit 1
```

Words and a [link](docs/README.md#words).

<!-- exits: 2 -->
```console
$ lockgate nonsense
…
```

```toml title="lockgate.toml"
[stages.a]
```
"""


def test_a_page_is_read() -> None:
    page = parse_page("docs/x.md", PAGE)
    assert page.headings == ((1, "A first page"),)
    assert page.anchors == {"a-first-page"}
    assert page.project == "flights-small"
    assert [target for _, target in page.links] == ["docs/README.md#words"]
    first, second, third = page.blocks
    assert (first.language, first.not_run, first.place) == ("sh", "needs a cluster", "docs/x.md:6")
    assert (second.language, second.not_run, second.exit_code) == ("console", None, 2)
    assert (third.title, third.exit_code) == ("lockgate.toml", 0)


def test_a_console_block_is_split_into_commands_and_output() -> None:
    assert steps("$ a \\\n> b\nout\n\nmore\n\n$ c\n") == [
        Step("a \\\nb", ("out", "", "more")),
        Step("c", ()),
    ]


def test_a_console_block_must_begin_with_a_command() -> None:
    with pytest.raises(PageError):
        steps("output without a command\n")


@pytest.mark.parametrize(
    ("expected", "printed", "matches"),
    [
        (("a", "b"), "a\nb\n", True),
        (("a",), "a\nb\n", False),
        (("a", "…"), "a\nb\nc\n", True),
        (("…", "c"), "a\nb\nc\n", True),
        (("…", "c"), "a\nb\nd\n", False),
        (("run … done",), "run 8F3KQ2ZD done\n", True),
        (("run … done",), "run\ndone\n", False),
        (("a.c",), "abc\n", False),
        (("…",), "", True),
    ],
)
def test_what_is_shown_is_compared(expected: tuple[str, ...], printed: str, matches: bool) -> None:
    assert is_shown(expected, printed) is matches


def test_colours_and_overwritten_lines_are_not_compared() -> None:
    assert plain("\x1b[1mbold\x1b[0m  \n10%\r100%\nend\n\n") == "bold\n100%\nend\n"


def _run(tmp_path: Path, text: str) -> None:
    sandbox = Sandbox(tmp_path / "sandbox")
    for block in parse_page("x.md", text).blocks:
        sandbox.run(block)


def test_folder_variables_and_files_live_on(tmp_path: Path) -> None:
    _run(
        tmp_path,
        "```sh\nmkdir deep && cd deep\nexport WORD='two  words'\n```\n"
        '```python title="hello.py"\nprint("hello")\n```\n'
        '```console\n$ echo "$WORD"\ntwo  words\n$ python hello.py\nhello\n$ basename "$PWD"\ndeep\n```\n',
    )


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nfalse\necho after\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n$ true\n```\n",
        "<!-- exits: 3 -->\n```console\n$ false\n```\n",
        "```python\nraise SystemExit(1)\n```\n",
    ],
)
def test_a_block_that_does_otherwise_fails(tmp_path: Path, text: str) -> None:
    with pytest.raises(PageError):
        _run(tmp_path, text)


def test_a_manifest_with_an_unknown_key_fails(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unknown key"):
        _run(tmp_path, '```toml\n[stages.a]\nrun = "true"\nspeed = "fast"\n```\n')


def test_a_named_project_is_there_with_its_history(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox", "flights-small")
    code, printed = sandbox.shell("git log --format=%s && git status --porcelain && ls lockgate.toml")
    assert (code, printed) == (0, "The project\nlockgate.toml\n")
