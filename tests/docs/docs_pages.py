"""The documentation as data: pages, headings, links, code blocks. README.md beside this has the rules."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]

#: Languages whose blocks are executed or read; a block of any other is text.
EXECUTED = ("sh", "console", "python", "toml")
#: Every language a fence may name, so that none escapes by a name nobody runs.
KNOWN = (*EXECUTED, "text", "json", "diff", "mermaid", "markdown")

_COMMENT = re.compile(r"<!--\s*(not run|exits|project|slow)\b\s*:?\s*(.*?)\s*-->", re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_HTML_ID = re.compile(r'<a\s+(?:id|name)="([^"]+)"')


class Block(msgspec.Struct, frozen=True):
    """One fenced code block."""

    page: str
    line: int
    language: str
    text: str
    title: str | None = None
    """The file that the block is written to; None: it is run."""
    not_run: str | None = None
    """Why it is not run, as the comment before it says."""
    exit_code: int = 0
    """What its last command exits with."""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


class Page(msgspec.Struct, frozen=True):
    """One Markdown file."""

    path: str
    """From the top of the repository."""
    blocks: tuple[Block, ...]
    headings: tuple[tuple[int, str], ...]
    """Level and text, without the marks of code or emphasis."""
    links: tuple[tuple[int, str], ...]
    """Line and target, of links and pictures."""
    anchors: frozenset[str]
    project: str | None = None


def pages() -> list[Page]:
    """Return the pages whose blocks are run: the README and everything in docs/."""
    return [read_page(path) for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))]


def read_page(path: Path) -> Page:
    return parse_page(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def parse_page(name: str, text: str) -> Page:
    """Read one page; a comment counts for the next block only, `project` and `slow` for the page."""
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    links: list[tuple[int, str]] = []
    said: dict[str, str] = {}
    of_page: dict[str, str] = {}
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for number, token in enumerate(tokens):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "html_block":
            found = {match[1]: match[2] for match in _COMMENT.finditer(token.content)}
            of_page |= {key: value for key, value in found.items() if key in ("project", "slow")}
            said |= {key: value for key, value in found.items() if key in ("not run", "exits")}
        elif token.type == "fence":
            blocks.append(_block(name, line, token, said))
            said = {}
        elif token.type == "heading_open":
            headings.append((int(token.tag[1]), _plain(tokens[number + 1])))
        elif token.type == "inline":
            links += [(line, target) for target in _targets(token)]
            said = {}
    return Page(
        path=name,
        blocks=tuple(blocks),
        headings=tuple(headings),
        links=tuple(links),
        anchors=frozenset(_anchors(headings)) | frozenset(_HTML_ID.findall(text)),
        project=of_page.get("project"),
    )


def _block(name: str, line: int, token: Token, said: dict[str, str]) -> Block:
    language, _, rest = token.info.strip().partition(" ")
    title = _TITLE.search(rest)
    return Block(
        page=name,
        line=line,
        language=language,
        text=token.content,
        title=title[1] if title else None,
        not_run=said.get("not run"),
        exit_code=int(said.get("exits", "0")),
    )


def _plain(inline: Token) -> str:
    return "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))


def _targets(inline: Token) -> list[str]:
    attributes = {"link_open": "href", "image": "src"}
    found = [child.attrGet(attributes.get(child.type, "")) for child in inline.children or []]
    return [target for target in found if isinstance(target, str)]


def _anchors(headings: list[tuple[int, str]]) -> list[str]:
    """Return what forges make of headings: lower case, marks dropped, blanks to hyphens, repeats numbered."""
    seen: dict[str, int] = {}
    anchors = []
    for _, heading in headings:
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        anchors.append(f"{slug}-{count}" if count else slug)
    return anchors
