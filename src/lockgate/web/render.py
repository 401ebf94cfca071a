"""Making a page of a template."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.datastructures import State

from lockgate.web.cookies import visit_cookie
from lockgate.web.service import Service
from lockgate.web.words import FILTERS

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates, escaped always; a name that nothing was given for is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    return made


def render(
    request: Request[None, None, State],
    template: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **values: object,
) -> Response[bytes]:
    """Return a page. Templates know `url(path)`, `jupyter(project, path)`, `csrf`, `visitor`, `settings`, and
    what they are given."""
    service: Service = request.app.state.service
    visitor = getattr(request.state, "visitor", None)
    text = (
        environment()
        .get_template(template)
        .render(
            url=service.url,
            jupyter=service.jupyter_link,
            csrf=visitor.csrf if visitor is not None else "",
            visitor=visitor,
            settings=service.settings,
            path=request.url.path,
            **values,
        )
    )
    answer = Response(
        text.encode("utf-8", "replace"), media_type=MediaType.HTML, status_code=status, headers=headers or {}
    )
    if visitor is not None and visitor.fresh_visit:
        is_https = request.scope["scheme"] == "https"
        answer.set_cookie(visit_cookie(service.settings, visitor.fresh_visit, is_https=is_https))
    return answer


def onward(request: Request[None, None, State], address: str) -> Response[bytes]:
    """Return a page that leads elsewhere by itself, as the answer to a form.

    A redirect would not: `form-action` holds for all of a form's way (CSP 3, section 6.1.8), and where a
    program sends people after us is not for us to know. The address is one that we made.
    """
    headers = {"refresh": f"0; url={address}"}
    return render(request, "onward.html", headers=headers, address=address)
