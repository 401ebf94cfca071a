"""One's own account: name, password, ssh keys, tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.errors import LockgateError, UserError
from lockgate.hub.instant import iso
from lockgate.hub.members.authenticate import hash_password
from lockgate.hub.members.changes import change, give_token, take_token, tell_grant
from lockgate.hub.members.edits import Edit, edited
from lockgate.hub.members.overview import overview
from lockgate.hub.members.values import SCOPES, Actor, Member, Scope
from lockgate.hub.oauth.client import acting_scope
from lockgate.hub.oauth.grants import end_all, grants_of
from lockgate.web.authentication import address_of
from lockgate.web.login import begin
from lockgate.web.pages.forms import Form, read_form
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

DONE = {
    "changed": "Your account was changed.",
    "password": "Your password was changed. Other browsers have to log in again.",
    "ended": "The program can do nothing here any more in your name.",
    "revoked": "The token is of no use any more.",
}


@get("/account", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, done: str = ""
) -> Response[bytes]:
    return _page(request, service, visitor, done=DONE.get(done, ""))


def _page(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    *,
    done: str = "",
    secret: str = "",
    problem: LockgateError | None = None,
    typed_keys: str = "",
) -> Response[bytes]:
    actor = visitor.require_known()
    member = service.book.find(actor.name)
    return render(
        request,
        "account.html",
        status=400 if problem else 200,
        member=overview(member) if member is not None else None,
        projects=visitor.projects(),
        scopes=SCOPES,
        programs=_programs(service, member) if member is not None else (),
        done=done,
        secret=secret,
        problem=problem,
        typed_keys=typed_keys,
        address=service.settings.public_url or str(request.base_url).rstrip("/"),
    )


class Program(msgspec.Struct, frozen=True):
    """A program that a member let know or act for them, and until when (UTC, ISO 8601)."""

    id: str
    label: str
    acting: Scope | None
    since: str
    until: str


def _programs(service: Service, member: Member) -> list[Program]:
    """Return each program once, by what it was given last."""
    found: dict[str, Program] = {}
    for grant in grants_of(service.database, member):
        client = service.clients.get(grant.client)
        label = client.label if client is not None else grant.client
        since, until = iso(grant.created_at), iso(grant.expires_at)
        found.setdefault(grant.client, Program(grant.client, label, acting_scope(grant.scopes), since, until))
    return list(found.values())


@post("/account/change", include_in_schema=False, status_code=200)
async def edit(
    request: Request[None, None, State], service: Service, visitor: Visitor
) -> Response[bytes] | Redirect:
    form = await read_form(request)
    keys = tuple(line.strip() for line in form.one("keys").splitlines() if line.strip())
    wanted = Edit(
        full_name=form.one("full_name") if form.all("has_name") else None,
        add_keys=keys,
        drop_keys=tuple(form.all("drop_key")),
    )
    return await _changed(request, service, visitor, lambda actor: wanted, "changed", form.one("keys"))


@post("/account/password", include_in_schema=False, status_code=200)
async def password(
    request: Request[None, None, State], service: Service, visitor: Visitor
) -> Response[bytes] | Redirect:
    """Change the password, for who knows the one before."""
    form = await read_form(request)
    actor = visitor.require_known()
    try:
        await _require_password(service, actor, form.one("old"), address_of(request.scope))
        if form.one("new") != form.one("again"):
            raise UserError("the two new passwords differ", "Type them again.", code="request-invalid")
    except UserError as error:
        problem = error
        return await asyncio.to_thread(lambda: _page(request, service, visitor, problem=problem))
    answer = await _changed(
        request,
        service,
        visitor,
        lambda actor: Edit(password=hash_password(form.one("new"), (actor.name,))),
        "password",
    )
    if isinstance(answer, Redirect):
        # The session of before has ended with the password, here as in every other browser
        answer.set_cookie(await begin(request, service, actor.name, "password"))
    return answer


async def _require_password(service: Service, actor: Actor, password: str, address: str) -> None:
    try:
        await service.doorman.password(actor.name, password, address)
    except UserError as error:
        if error.code != "login-failed":
            raise
        raise UserError(
            "the present password is not right", "Nothing was changed; type it again.", code="login-failed"
        ) from None


async def _changed(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    edit_for: Callable[[Actor], Edit],
    done: str,
    typed_keys: str = "",
) -> Response[bytes] | Redirect:
    def work() -> Response[bytes] | Redirect:
        actor = visitor.require_known()
        try:
            wanted = edit_for(actor)
            change(service.book, actor, actor.name, lambda member: edited(member, wanted))
        except UserError as error:
            return _page(request, service, visitor, problem=error, typed_keys=typed_keys)
        return Redirect(service.url(f"/account?done={done}"), status_code=303)

    return await asyncio.to_thread(work)


@post("/account/tokens", include_in_schema=False, status_code=200)
async def issue(request: Request[None, None, State], service: Service, visitor: Visitor) -> Response[bytes]:
    """Make a token; the answer shows its secret, nothing else ever does."""
    form = await read_form(request)

    def work() -> Response[bytes]:
        actor = visitor.require_known()
        try:
            secret = _issue(service, actor, form)
        except UserError as error:
            return _page(request, service, visitor, problem=error)
        return _page(request, service, visitor, secret=secret)

    return await asyncio.to_thread(work)


def _issue(service: Service, actor: Actor, form: Form) -> str:
    scope, days = form.one("scope"), form.one("days")
    if scope not in SCOPES or not (days == "" or (days.isdecimal() and len(days) < 5)):
        raise UserError(
            "this is no token that can be made",
            "Choose a scope, and days as a number.",
            code="request-invalid",
        )
    projects = form.all("project") or None
    for project in projects or ():
        service.require(actor, "read", project)
    _, secret = give_token(
        service.book,
        actor,
        actor.name,
        form.one("name"),
        scope,
        projects,
        int(days) if days else None,
    )
    return secret


@post("/account/tokens/{token:str}/revoke", include_in_schema=False, sync_to_thread=True)
def revoke(service: Service, visitor: Visitor, token: str) -> Redirect:
    actor = visitor.require_known()
    take_token(service.book, actor, actor.name, token)
    return Redirect(service.url("/account?done=revoked"), status_code=303)


@post("/account/programs/{program:str}/end", include_in_schema=False, sync_to_thread=True)
def end_program(service: Service, visitor: Visitor, program: str) -> Redirect:
    """Take from a program all that this member gave it."""
    actor = visitor.require_known()
    member = service.book.require(actor.name)
    given = [each for each in grants_of(service.database, member) if each.client == program]
    end_all(service.database, member.name, program)
    scopes = {acting_scope(each.scopes) for each in given} - {None}
    if scopes:
        client = service.clients.get(program)
        label = client.label if client is not None else program
        tell_grant(service.book, member.name, label, max(map(str, scopes)), is_over=True)
    return Redirect(service.url("/account?done=ended"), status_code=303)


handlers = [show, edit, password, issue, revoke, end_program]
