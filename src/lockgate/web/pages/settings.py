"""A project's settings: who may what, where runs may go, what waits for a lead, the hub's key."""

from __future__ import annotations

import asyncio
import secrets

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect

from lockgate.errors import LockgateError, UserError
from lockgate.hub.members.authenticate import hash_password
from lockgate.hub.members.changes import change, invite
from lockgate.hub.members.edits import Edit, edited
from lockgate.hub.members.names import require_name
from lockgate.hub.members.rules import parties_of, role_of
from lockgate.hub.members.values import EVERY, ROLES, Actor, Member, Role
from lockgate.hub.operation.backend_check import check_backend
from lockgate.hub.operation.backend_list import list_backends
from lockgate.hub.operation.storage import storage_of
from lockgate.hub.pushing.proposals import list_proposals
from lockgate.hub.showing.badge import renew_badges
from lockgate.web.pages.forms import Form, read_form
from lockgate.web.render import render
from lockgate.web.service import Service
from lockgate.web.visitor import Visitor

_CHECK_S = 60.0
#: What was done, as the page says it afterwards.
DONE = {
    "changed": "What they may do was changed. It counts from now on.",
    "removed": "They are no longer a member of this project.",
    "accepted": "The proposal was accepted.",
    "renewed": "The badges have a new key. Their old addresses show nothing more.",
    "declined": "The proposal was declined. Its commits stay in the activity.",
}


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One member as this project's settings show them."""

    name: str
    full_name: str
    email: str
    role: Role
    parties: tuple[str, ...]
    is_operator: bool
    is_active: bool
    is_of_hub: bool
    """Their role is one in every project, so that it is not taken here."""


@get("/p/{project:str}/settings", include_in_schema=False, sync_to_thread=True)
def show(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, done: str = ""
) -> Response[bytes]:
    visitor.require("read", project)
    return _page(request, service, visitor, project, done=DONE.get(done, ""))


def _page(
    request: Request[None, None, State],
    service: Service,
    visitor: Visitor,
    project: str,
    *,
    done: str = "",
    secret: tuple[str, str] | None = None,
    problem: LockgateError | None = None,
    asked: Form | None = None,
) -> Response[bytes]:
    backends, trouble = [], None
    try:
        backends = list(list_backends(service.hub, project))
    except LockgateError as error:
        trouble = error
    return render(
        request,
        "settings.html",
        status=400 if problem else 200,
        project=project,
        tab="settings",
        done=done,
        secret=secret,
        problem=problem,
        asked=asked or Form({}),
        people=people_of(service.book.members(), project) if visitor.may("view-members", project) else [],
        proposals=list_proposals(service.hub, project),
        is_open=service.book.is_open,
        roles=ROLES,
        may_invite=visitor.may("invite", project) and not service.book.is_open,
        may_renew=visitor.may("change-settings", project),
        may_check=visitor.may("run", project),
        backends=backends,
        trouble=trouble,
        public_key=service.hub.key.with_name("key.pub").read_text("utf-8").strip(),
        storage=storage_of(service.hub, project),
        address=service.settings.public_url or str(request.base_url).rstrip("/"),
    )


def people_of(members: tuple[Member, ...], project: str) -> list[Person]:
    """Return who has a role in a project, leads first."""
    people = []
    for member in members:
        actor = Actor(name=member.name, roles=member.roles, parties=member.parties)
        role = role_of(actor, project)
        if role is not None:
            people.append(
                Person(
                    name=member.name,
                    full_name=member.full_name,
                    email=member.email,
                    role=role,
                    parties=parties_of(actor, project),
                    is_operator=member.is_operator,
                    is_active=member.is_active,
                    is_of_hub=project not in member.roles and EVERY in member.roles,
                )
            )
    return sorted(people, key=lambda person: (ROLES.index(person.role), person.name))


@post("/p/{project:str}/settings/members", include_in_schema=False, status_code=200)
async def add(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Response[bytes]:
    """Invite somebody: who is on the hub gets the role, who is new a first password, shown once."""
    visitor.require("invite", project)
    form = await read_form(request)
    try:
        secret = await asyncio.to_thread(_invite, service, visitor.require_known(), project, form)
    except UserError as error:
        problem = error
        return await asyncio.to_thread(
            lambda: _page(request, service, visitor, project, problem=problem, asked=form)
        )
    done = f"{form.one('name')} is a {form.one('role')} of {project}."
    return await asyncio.to_thread(
        lambda: _page(
            request,
            service,
            visitor,
            project,
            done=done,
            secret=(form.one("name"), secret) if secret else None,
        )
    )


def _invite(service: Service, actor: Actor, project: str, form: Form) -> str | None:
    name, role = require_name(form.one("name")), _role(form.one("role"))
    parties = tuple(part.strip() for part in form.one("parties").split(",") if part.strip())
    edit = Edit(role=role, projects=(project,), add_parties=parties)
    if service.book.find(name) is not None:
        change(service.book, actor, name, lambda member: edited(member, edit))
        return None
    password = secrets.token_urlsafe(12)
    whole = msgspec.structs.replace(
        edit,
        email=form.one("email") or None,
        full_name=form.one("full_name") or None,
        password=hash_password(password, (name,)),
    )
    invite(service.book, actor, edited(Member(name=name), whole))
    return password


@post("/p/{project:str}/settings/members/{name:str}", include_in_schema=False)
async def edit(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, name: str
) -> Redirect:
    """Change somebody's role in the project; `none` takes it."""
    visitor.require("invite", project)
    word = (await read_form(request)).one("role")
    role = "none" if word == "none" else _role(word)
    wanted = Edit(role=role, projects=(project,))
    actor = visitor.require_known()
    await asyncio.to_thread(change, service.book, actor, name, lambda member: edited(member, wanted))
    return _back(service, project, "removed" if role == "none" else "changed")


@post("/p/{project:str}/settings/backends/{name:str}/check", include_in_schema=False, status_code=200)
async def check(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str, name: str
) -> Response[bytes]:
    """Send a tiny job through a backend and tell each step."""
    visitor.require("run", project)

    def look() -> Response[bytes]:
        if name not in {each.name for each in list_backends(service.hub, project)}:
            raise UserError(
                f"there is no backend {name}",
                "Those there are stand in the settings.",
                code="backend-unknown",
            )
        findings = list(check_backend(service.hub, project, name, _CHECK_S))
        return render(request, "backend.html", project=project, tab="settings", name=name, findings=findings)

    return await asyncio.to_thread(look)


@post("/p/{project:str}/settings/badges", include_in_schema=False)
async def renew(
    request: Request[None, None, State], service: Service, visitor: Visitor, project: str
) -> Redirect:
    """Give the project's badges a new key."""
    visitor.require("change-settings", project)
    await read_form(request)
    await asyncio.to_thread(renew_badges, service.hub, project, visitor.require_known())
    return _back(service, project, "renewed")


def _role(word: str) -> Role:
    if word not in ROLES:
        raise UserError(
            f"there is no role {word!r}", f"The roles: {', '.join(ROLES)}.", code="request-invalid"
        )
    return word


def _back(service: Service, project: str, done: str) -> Redirect:
    return Redirect(service.url(f"/p/{project}/settings?done={done}"), status_code=303)


handlers = [show, add, edit, check, renew]
