"""What a job may not see: shell text that runs a command where the hub and its owner's secrets are hidden.

The one part it stands on is bubblewrap, see bwrap(1): mounts and processes of its own by the kernel's
namespaces, for an ordinary user too.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

#: Exit code of a job that has to be isolated and cannot be: EX_UNAVAILABLE of sysexits.h.
NOT_ISOLATED = 69

#: Where the program lies; PATH begins with the runtime's own folder, in which a project may put anything.
PROGRAMS = ("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap")

#: The signals that the process between the job's shell and the job must outlive, to tell how the job ended.
_SIGNALS = "HUP,INT,TERM"

#: What every start has. The command's shell is the first process of its own: when it ends all others do.
_ALWAYS = ("--dev-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--as-pid-1", "--die-with-parent")

#: What root keeps of its rights, as in a container (OCI runtime-tools, default capabilities): none by which
#: what was mounted can be taken away.
_ROOT_KEEPS = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_NET_BIND_SERVICE",
)

_FUNCTION = """\
# Leaves this shell for one that does not see the hub and its owner's secrets; comes back where the hub is not
# to be seen anyway{or_cannot}.
isolate() {{
    CDPATH= cd -P -- . || exit
    folder=$PWD
    CDPATH= cd -P -- {hub} 2>/dev/null || return 0
    hub=$PWD
    cd -- "$folder" || exit
    for bwrap in {programs}; do
        [ ! -x "$bwrap" ] || break
    done
{attempt}\
    set -- {options}
    for path in "$hub" {hidden}; do
        if [ -d "$path" ]; then
            set -- "$@" --tmpfs "$path"
        elif [ -e "$path" ]; then
            set -- "$@" --dev-bind /dev/null "$path"
        fi
    done
    for path in {readable}; do
        [ ! -e "$path" ] || set -- "$@" --ro-bind "$path" "$path"
    done
    for path in {writable}; do
        [ ! -e "$path" ] || set -- "$@" --bind "$path" "$path"
    done
    trap '' HUP INT TERM
    exec "$bwrap" "$@" --remount-ro "$hub" {reset} /bin/sh -c {command}
}}
"""

_ATTEMPT = """\
    if ! "$bwrap" {options} {reset} /bin/sh -c : >/dev/null 2>&1; then
        echo "lockgate: {words} on $(uname -n): bubblewrap is not there, or may not be used" >&2
        {then}
    fi
"""


class Isolation(msgspec.Struct, frozen=True, kw_only=True):
    """From what a command is kept."""

    hub: str
    """The hub's directory; absolute."""
    hidden: tuple[str, ...] = ()
    """Other folders and files that are not to be seen; absolute, and no links."""
    is_required: bool = False
    """Whether a command that cannot be isolated is not run; else it runs as it is, and says so."""
    is_tried: bool = False
    """Whether it is known that bubblewrap works where the command will run; else that is tried first."""
    is_root: bool = False
    """Whether root will run it."""


def isolating(
    isolation: Isolation, command: str, *, readable: Sequence[str] = (), writable: Sequence[str] = ()
) -> str:
    """Return a shell function `isolate`: it runs `command`, as `sh -c` would, in this shell's place.

    Parameters
    ----------
    readable, writable
        Words of the shell for paths that are to be there though they lie in what is hidden, made with
        `$folder`, where it is called, and `$hub`; the writable ones are laid over the readable ones.
    """
    options = " ".join(bubblewrap_options(is_root=isolation.is_root))
    attempt = ""
    if not isolation.is_tried:
        attempt = _ATTEMPT.format(
            options=options,
            reset=" ".join(RESET),
            words="this job has to be isolated and cannot be" if isolation.is_required else
            "this job is not isolated",
            then=f"exit {NOT_ISOLATED}" if isolation.is_required else "return 0",
        )  # fmt: skip
    return _FUNCTION.format(
        or_cannot="" if isolation.is_tried or isolation.is_required else ", or cannot be hidden",
        hub=shlex.quote(isolation.hub),
        programs=" ".join(PROGRAMS),
        attempt=attempt,
        options=options,
        hidden=" ".join(map(shlex.quote, isolation.hidden)),
        readable=" ".join(readable),
        writable=" ".join(writable),
        reset=" ".join(RESET),
        command=shlex.quote(command),
    )


#: Ignored signals are inherited, and a shell cannot take that back: GNU env can (coreutils 8.31).
RESET = ("/usr/bin/env", f"--default-signal={_SIGNALS}")


def bubblewrap_options(*, is_root: bool) -> tuple[str, ...]:
    """Return the words that every call of bubblewrap has."""
    kept = [word for name in _ROOT_KEEPS for word in ("--cap-add", name)] if is_root else []
    return (*_ALWAYS, "--cap-drop", "ALL", *kept)
