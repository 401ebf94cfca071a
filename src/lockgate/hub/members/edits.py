"""What is to be changed of a member, as a value, and the member after it."""

from __future__ import annotations

from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.names import require_email, require_key, require_label
from lockgate.hub.members.values import Member, Role


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """None, or nothing, leaves a field as it is. `projects` are those that role and parties are about."""

    email: str | None = None
    full_name: str | None = None
    role: Role | Literal["none"] | None = None
    projects: tuple[str, ...] = ()
    add_parties: tuple[str, ...] = ()
    drop_parties: tuple[str, ...] = ()
    is_operator: bool | None = None
    is_active: bool | None = None
    add_keys: tuple[str, ...] = ()
    drop_keys: tuple[str, ...] = ()
    """By their base64 part, their comment, or the whole line."""
    password: str | None = None
    """Its digest."""
    is_login_dropped: bool = False
    """Whether the account elsewhere that they log in by is forgotten: the next login finds them anew."""


def edited(member: Member, edit: Edit) -> Member:
    """Return the member after an edit.

    Raises `UserError`: `email-invalid`, `label-invalid`, `full-name-invalid`, `ssh-key-invalid`,
    `ssh-key-unknown`.
    """
    roles, parties = dict(member.roles), dict(member.parties)
    for project in edit.projects:
        if edit.role == "none":
            roles.pop(project, None)
        elif edit.role is not None:
            roles[project] = edit.role
        named = (*parties.get(project, ()), *(require_label(party) for party in edit.add_parties))
        left = tuple(dict.fromkeys(party for party in named if party not in edit.drop_parties))
        parties[project] = () if edit.role == "none" else left
    return msgspec.structs.replace(
        member,
        email=member.email if edit.email is None else edit.email and require_email(edit.email),
        full_name=member.full_name if edit.full_name is None else _line(edit.full_name),
        roles=roles,
        parties={project: named for project, named in parties.items() if named},
        is_operator=member.is_operator if edit.is_operator is None else edit.is_operator,
        is_active=member.is_active if edit.is_active is None else edit.is_active,
        keys=_keys(member, edit),
        password=edit.password or member.password,
        subject=None if edit.is_login_dropped else member.subject,
    )


def _keys(member: Member, edit: Edit) -> tuple[str, ...]:
    keys = {line.split()[1]: line for line in member.keys}
    for dropped in edit.drop_keys:
        found = [blob for blob, line in keys.items() if _means(dropped.strip(), line)]
        if not found:
            known = "; ".join(line.split()[0] + " … " + line.split()[-1][-30:] for line in member.keys)
            raise UserError(
                f"{member.name} has no ssh key {dropped[:60]!r}",
                f"Those there are: {known or 'none'}. Name one by its comment or its base64 part.",
                code="ssh-key-unknown",
            )
        for blob in found:
            del keys[blob]
    for line in map(require_key, edit.add_keys):
        keys[line.split()[1]] = line
    return tuple(keys.values())


def _means(text: str, line: str) -> bool:
    fields = line.split(maxsplit=2)
    words = text.split()
    return text == line or text in fields[1:] or (len(words) > 1 and words[1] == fields[1])


def _line(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise UserError(
            "a full name is one line of up to 200 characters", "Write it shorter.", code="full-name-invalid"
        )
    return text.strip()
