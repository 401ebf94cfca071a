"""What a member may ask for over ssh, read from `SSH_ORIGINAL_COMMAND`. What is not known is refused.

Nothing here is ever given to a shell: a command is taken apart into words, and other words are put together.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.hub.members.rules import Action

LONGEST = 4096

GitVerb = Literal["upload-pack", "receive-pack", "upload-archive"]

_VERBS: dict[str, tuple[GitVerb, Action]] = {
    "git-upload-pack": ("upload-pack", "read"),
    "git-receive-pack": ("receive-pack", "push"),
    "git-upload-archive": ("upload-archive", "read"),
}
_OBJECT = re.compile(r"files/md5/([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)")


class _Form(msgspec.Struct, frozen=True):
    """A command's words: how many may stand free, which are flags, which take a value."""

    action: Action
    free: tuple[int, int]
    flags: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()


_FORMS = {
    "runs": _Form("read", (0, 0), valued=frozenset({"-n"})),
    "show": _Form("read", (0, 1)),
    "logs": _Form("read", (0, 2), flags=frozenset({"-f", "--follow"})),
    "compare": _Form("read", (2, 2)),
    "log": _Form("read", (0, 1), flags=frozenset({"--verify"}), valued=frozenset({"-n"})),
    "backends": _Form("read", (0, 0)),
    "backends check": _Form("run", (1, 1), valued=frozenset({"--timeout"})),
    "verify": _Form(
        "run",
        (0, 1),
        flags=frozenset({"--fresh", "--no-cause"}),
        valued=frozenset({"--on", "--stage", "--by"}),
    ),
    "trace": _Form("read", (0, 0), flags=frozenset({"--stdin"})),
    "hub lacking": _Form("push", (0, 0)),
    "hub take": _Form("push", (0, 0)),
    "hub give": _Form("read", (0, 0)),
    "hub lend": _Form("read", (0, 0)),
    "data export": _Form("read", (0, 1), valued=frozenset({"--as", "--rev", "--address"})),
    "data certify": _Form(
        "certify",
        (1, 1),
        flags=frozenset({"--withdraw"}),
        valued=frozenset({"--version", "--until", "--words", "--rev", "--by"}),
    ),
    # Who may, `lockgate.hub.datasets.accepting` decides: the owner of a dataset may too
    "data check": _Form("push", (0, 0), valued=frozenset({"--accept", "--as", "--message", "--run", "--by"})),
    "cancel": _Form("cancel", (1, 1), valued=frozenset({"--by"})),
}


class GitCall(msgspec.Struct, frozen=True):
    """git's own side of a clone, fetch or push."""

    verb: GitVerb
    action: Action
    path: str
    """As the client wrote it."""


class Question(msgspec.Struct, frozen=True):
    """A command of `lockgate`, without hub and project."""

    words: tuple[str, ...]
    action: Action
    hub: str
    project: str


class ObjectCall(msgspec.Struct, frozen=True):
    """An object of the store."""

    md5: str
    path: str


class VersionCall(msgspec.Struct, frozen=True):
    """Which Lockgate this is."""


Call = GitCall | Question | ObjectCall | VersionCall


def parse_call(text: str, member: str) -> Call:
    """Return what is asked for. Raises `UserError` (`ssh-command`)."""
    if not text.strip():
        raise UserError(
            f"{member} is known here, and there is no shell",
            "This account takes git, and the questions that `lockgate` asks.",
            code="ssh-command",
        )
    if len(text) > LONGEST or any(not character.isprintable() for character in text):
        raise _refused()
    try:
        words = shlex.split(text)
    except ValueError:
        raise _refused() from None
    if words[:1] == ["git"] and len(words) == 3:
        words = [f"git-{words[1]}", words[2]]
    if words and words[0] in _VERBS and len(words) == 2:
        if words[1].startswith("-") or not words[1]:
            raise _refused()
        return GitCall(*_VERBS[words[0]], words[1])
    if len(words) == 2 and words[0] == "cat" and not words[1].startswith("-"):
        found = _OBJECT.search(words[1])
        if found and words[1].endswith(f"/store/{found[0]}"):
            return ObjectCall(found[1] + found[2], words[1])
    if len(words) == 2 and words[0].endswith("/bin/lockgate") and words[1] == "--version":
        return VersionCall()
    return _question(words, member)


def _question(words: Sequence[str], member: str) -> Question:
    """`ROOT/bin/lockgate VERB … --hub ROOT --project NAME`, as `RemoteHub.call` puts it together."""
    if len(words) < 6 or words[-4] != "--hub" or words[-2] != "--project":
        raise _refused()
    hub, project = words[-3], words[-1]
    if words[0] != f"{hub}/bin/lockgate":
        raise _refused()
    asked = list(words[1:-4])
    verb = " ".join(asked[:2]) if " ".join(asked[:2]) in _FORMS else asked[0]
    form = _FORMS.get(verb)
    if form is None:
        raise _refused()
    rest, kept, free = asked[len(verb.split()) :], list(verb.split()), 0
    while rest:
        word = rest.pop(0)
        if word in form.valued and rest and not rest[0].startswith("-"):
            kept += [word, rest.pop(0)]
        elif word in form.flags or word == "--json":
            kept.append(word)
        elif word and not word.startswith("-"):
            kept.append(word)
            free += 1
        else:
            raise _refused()
    if not form.free[0] <= free <= form.free[1]:
        raise _refused()
    if "--by" in form.valued:
        kept = _in_name_of(kept, member)
    return Question(tuple(kept), form.action, hub, project)


def _in_name_of(words: list[str], member: str) -> list[str]:
    """In the record stands who asks, whoever they say they are."""
    while "--by" in words:
        at = words.index("--by")
        del words[at : at + 2]
    return [*words, "--by", member]


def _refused() -> UserError:
    return UserError(
        "this is not asked for over ssh",
        "Known are git clone, fetch, push and archive, and the questions that `lockgate` asks.",
        code="ssh-command",
    )
