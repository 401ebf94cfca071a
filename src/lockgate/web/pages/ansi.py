"""A job's output as safe HTML: colours kept, what else a terminal would obey left out. Pure."""

from __future__ import annotations

from markupsafe import Markup

from lockgate.hub.showing.terminal_text import stretches_of


def html_of(content: bytes) -> Markup:
    """Return output as HTML for a `<pre>`: of a line written over and over only its last form."""
    return Markup("").join(
        Markup('<span class="{}">{}</span>').format(each.style, each.text)
        if each.style
        else Markup.escape(each.text)
        for each in stretches_of(content)
    )
