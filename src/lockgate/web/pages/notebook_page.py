"""A notebook as an HTML page of its own, to be shown where nothing in it can act. Pure.

Cells' own HTML, as tables of data frames, is put in as it is: the answer's policy forbids scripts, forms and
whatever would be loaded from elsewhere, and the frame around it is sandboxed.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from lockgate.hub.showing.notebook_cells import Cell, Notebook, Output
from lockgate.web.pages.ansi import html_of

_OUTPUT_AT_MOST = 3_000_000
_SOURCE_AT_MOST = 200_000
_FORMATTER = HtmlFormatter(nowrap=True, style="default")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+\Z")

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.55 system-ui, sans-serif; color: #16212b; background: #fff; margin: 1rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: break-word; }
.cell { margin: 0 0 1rem; }
.number { color: #4c5b68; font-size: 12px; margin: 0 0 2px; }
pre { font: 13px/1.45 ui-monospace, monospace; margin: 0; white-space: pre-wrap; }
.source { background: #f4f6f7; border: 1px solid #d8dfe4; border-radius: 6px; padding: .6rem .75rem; }
.output { padding: .5rem .75rem 0; overflow-x: auto; }
.error { color: #ab231b; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 13px; }
th, td { border: 1px solid #d8dfe4; padding: .2rem .5rem; text-align: right; }
code { font: .9em ui-monospace, monospace; background: #f4f6f7; }
.f1 { color: #ab231b; } .f2 { color: #146236; } .f3 { color: #7d4a00; } .f4 { color: #0a57a6; }
.f5 { color: #7b2d8e; } .f6 { color: #0a6276; } .b { font-weight: 700; } .i { font-style: italic; }
.u { text-decoration: underline; }
"""


def page_of(notebook: Notebook, title: str) -> bytes:
    """Return the page, UTF-8."""
    cells = Markup("\n").join(_cell(cell, notebook.language) for cell in notebook.cells)
    cut = Markup("<p>… The notebook has more cells; download it to see all.</p>") if notebook.is_cut else ""
    colours = Markup(_FORMATTER.get_style_defs(".source"))
    page = Markup(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{}</title>'
        "<style>{}{}</style></head>"
        "<body>\n{}{}</body></html>\n"
    ).format(title, Markup(_STYLE), colours, cells, cut)
    return page.encode("utf-8", "replace")


def _cell(cell: Cell, language: str) -> Markup:
    if cell.kind == "markdown":
        return Markup('<section class="cell">{}</section>').format(_markdown(cell.source))
    if cell.kind == "raw":
        return Markup('<section class="cell"><pre>{}</pre></section>').format(cell.source[:_SOURCE_AT_MOST])
    number = Markup('<p class="number">[{}]</p>').format(cell.count if cell.count is not None else " ")
    source = Markup('<pre class="source">{}</pre>').format(_code(cell.source, language))
    outputs = Markup("").join(_output(output) for output in cell.outputs)
    return Markup('<section class="cell">{}{}{}</section>').format(
        number, source if cell.source else "", outputs
    )


def _output(output: Output) -> Markup:
    content = output.content[:_OUTPUT_AT_MOST]
    shown: Markup
    if output.form == "image/svg+xml":
        shown = _picture(output.form, Markup("utf8,{}").format(_percent(content)), output.plain)
    elif output.form.startswith("image/"):
        is_whole = len(output.content) <= _OUTPUT_AT_MOST and _BASE64.match(content)
        packed = Markup("base64,{}").format("".join(content.split()))
        shown = _picture(output.form, packed, output.plain) if is_whole else Markup("<p>A picture.</p>")
    elif output.form == "text/html":
        shown = Markup(content)
    elif output.form == "text/markdown":
        shown = _markdown(content)
    else:
        kind = " class=error" if output.form == "error" else ""
        shown = Markup("<pre{}>{}</pre>").format(Markup(kind), html_of(content.encode("utf-8", "replace")))
    return Markup('<div class="output">{}</div>').format(shown)


def _picture(form: str, packed: Markup, plain: str) -> Markup:
    return Markup('<img src="data:{};{}" alt="{}">').format(form, packed, plain[:200] or "figure")


def _percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace"))


def _markdown(text: str) -> Markup:
    return Markup(_MARKDOWN.render(text[:_SOURCE_AT_MOST]))


def _code(source: str, language: str) -> Markup:
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    return Markup(highlight(source[:_SOURCE_AT_MOST], lexer, _FORMATTER).rstrip("\n"))
