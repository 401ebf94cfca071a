"""The page that asks before a project of a hub is opened here: without script, for no frame."""

from __future__ import annotations

from html import escape

from lockgate.errors import LockgateError
from lockgate.jupyter.wanted import Wanted

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 12vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.375rem; margin: 0 0 .75rem; }
p { margin: 0 0 1rem; }
code { overflow-wrap: anywhere; }
button { font: inherit; padding: .5rem 1.25rem; border: 0; border-radius: .375rem; background: #0b6e4f;
  color: #fff; cursor: pointer; }
button:focus-visible, a:focus-visible { outline: 3px solid #3a8fd6; outline-offset: 2px; }
.small { font-size: .875rem; opacity: .8; }
"""


def asking(wanted: Wanted, xsrf_field: str, nonce: str) -> str:
    """Return the page with its one button. `xsrf_field` is HTML already."""
    what = f"<strong>{escape(wanted.project)}</strong> of {escape(wanted.hub)}"
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in (("hub", wanted.hub), ("project", wanted.project), ("path", wanted.path))
    )
    file = f"<p>Then <code>{escape(wanted.path)}</code> is opened.</p>" if wanted.path else ""
    return _page(
        f"Open {escape(wanted.project)} here?",
        f"<p>The project {what} comes into the folder <code>{escape(wanted.project)}</code> of this Jupyter"
        f" server. If it is there already, it gets what is new; your own work stays as it is.</p>{file}"
        f'<form method="post">{xsrf_field}{fields}<button type="submit">Open</button></form>',
        nonce,
    )


def telling(error: LockgateError, nonce: str) -> str:
    """Return the page that tells why not."""
    cause = escape(error.message[:1].upper() + error.message[1:])
    body = f'<p>{escape(error.hint)}</p><p class="small"><code>{escape(error.code)}</code></p>'
    return _page(cause, body, nonce)


def _page(title: str, body: str, nonce: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title}</title><style nonce="{nonce}">{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
