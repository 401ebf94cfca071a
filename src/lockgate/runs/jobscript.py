"""The text of `job.sh`: what a job is to a batch system. Needs a POSIX shell and nothing else."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from lockgate.runs.isolation import Isolation, isolating

#: Exit code of a `job.sh` that found the job already started: EX_TEMPFAIL of sysexits.h.
ALREADY_STARTED = 75

#: In a job's folder, where a backend has put it: its own part of the job's environment, as shell text.
SETTINGS = "environment"

#: How the script of a Spark application's stage begins one of its lines: the master where none is named.
APPLICATION_LINE = "export MASTER='local["

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

#: In a job's folder, where it is written when it is too long to be handed to a shell: the command.
COMMAND = "command"
#: Linux takes no word of a command line that has 128 KiB, see execve(2), MAX_ARG_STRLEN; each single quote
#: takes four.
_LONGEST_BYTES = 100_000
#: In a job's folder: programs of Lockgate's that its command stands on; brought to wherever the job runs.
PROGRAMS = "programs"
#: In the folder of a job that is observed: the program that does it, and the folder of its notes, which the
#: script makes and which is brought back.
OBSERVER, OBSERVED = f"{PROGRAMS}/observer.py", "observed"

#: In a job's folder, what an isolated command may write to, where it is there.
_WRITABLE = ("workspace", "tmp", "spark", OBSERVED)

_OBSERVE = f"""\
{{{{
    set -- /bin/sh -c {{command}}
    if python3 -ISc 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
        set -- python3 -IS ../{OBSERVER} ../{OBSERVED} "$@"
    else
        printf '!there is no Python 3.8 or newer\\0' >../{OBSERVED}/calls
    fi
    exec "$@"
}}}}"""

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "JULIA_NUM_THREADS",
)

#: Text in no word of a command line, by the shell's own printf: PATH begins with a folder of the project's.
_NOTES = f"""\
[ -d {OBSERVED} ] || command -p mkdir {OBSERVED} || exit
"""
_KEPT = """\
command -p printf '%s\\n' {text} >{name} || exit
"""

#: A command that names its own shell gets one; any other is spared the time another shell takes to start.
_OWN_SHELL = ("$$", "${$", "$0", "${0", "$PPID", "${PPID")

# Only builtins: a fork costs as much as all the rest of the script. `./` keeps CDPATH out of it; the
# record is written from the job's folder, which stays reachable when the command deletes the workspace.
_SCRIPT = """\
#!/bin/sh
# {title}
# To run it again by hand: remove `pid` and `exit` beside this file, then: sh job.sh
case $0 in
*/*) CDPATH= cd -- "${{0%/*}}/" || exit ;;
esac
set -C
{{ echo $$ >pid; }} 2>/dev/null || exit {already_started}
set +C
trap : HUP INT TERM
unset CDPATH ENV BASH_ENV GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE PYTHONPATH PYTHONHOME PYTHONSTARTUP
{exports}
[ ! -r ./{settings} ] || . ./{settings}
{kept}{isolate}({first}{run}) </dev/null >output.log 2>&1
code=$?
{{ echo $code && times; }} >exit
exit $code
"""


def quoted(text: str) -> str:
    """Return `text` as one word of a POSIX shell (POSIX.1-2017, XCU 2.2.2)."""
    return "'" + text.replace("'", "'\\''") + "'"


def job_script(
    command: str,
    environment: Mapping[str, str],
    *,
    title: str = "A job of Lockgate.",
    from_folder: Mapping[str, str] | None = None,
    isolation: Isolation | None = None,
    inside_hub: Sequence[str] = (),
    is_observed: bool = False,
) -> str:
    """Return `job.sh`: runs `command` in `workspace/` as `sh -c` would, once, and records how it ended.

    It writes `pid` first (its own; a second start sees it and exits with `ALREADY_STARTED`), then
    `output.log`, and last `exit`: the exit code, then two lines of the builtin `times`. A backend may put
    shell settings of its own into the file `environment`, read after the variables here. Variables of
    `from_folder` are paths below the job's folder, which the script knows wherever it is mounted.

    With `isolation` the command alone is isolated, and what is around it is not: so its folder cannot be
    written to but for the workspace, `tmp` and Spark's. It sees no more of the hub than `inside_hub`, paths
    below the hub's directory, of which those that end in `/` may be written to. `is_observed`: the command
    runs below the program `OBSERVER`, which the folder must have, where the host has a Python for it.

    A command too long for a command line is written to the file `command` beside the script, and read there.

    Raises `ValueError` for a NUL, or a name that no shell variable can have.
    """
    inside = from_folder or {}
    for name, value in (*environment.items(), *inside.items()):
        if not (name.isascii() and name.isidentifier()):
            raise ValueError(f"{name!r} cannot be the name of a shell variable")
        if "\0" in value:
            raise ValueError(f"the value of {name} cannot hold a NUL")
    if "\0" in command:
        raise ValueError("a command cannot hold a NUL")
    exports = [f"export {name}={quoted(value)}" for name, value in environment.items()]
    exports += [f'export {name}="$PWD"/{quoted(path)}' for name, path in inside.items()]
    kept, run = _running(command, is_observed=is_observed)
    if is_observed:
        kept = _NOTES + kept
    return _SCRIPT.format(
        title=" ".join(title.split()),
        already_started=ALREADY_STARTED,
        settings=SETTINGS,
        exports="\n".join(exports) or ":",
        kept=kept,
        isolate=_isolate(run, isolation, inside_hub) if isolation is not None else "",
        first="isolate; unset -f isolate; unset hub bwrap path; " if isolation is not None else "",
        run=run,
    )


def _running(command: str, *, is_observed: bool) -> tuple[str, str]:
    """Return what is to be done before, and what runs the command in the job's folder."""
    has_own_shell = any(own in command for own in _OWN_SHELL)
    if len(quoted(command).encode()) <= _LONGEST_BYTES:
        if is_observed:
            return "", f"cd ./workspace && {_OBSERVE.format(command=quoted(command))}"
        how = "exec /bin/sh -c" if has_own_shell else "unset folder && eval"
        return "", f"cd ./workspace && {how} {quoted(command)}"
    kept = _KEPT.format(text=quoted(f"cd ./workspace || exit\n{command}"), name=COMMAND)
    if is_observed:
        return kept, f"cd ./workspace && {_OBSERVE.format(command=quoted(f'cd .. && . ./{COMMAND}'))}"
    how = f"exec /bin/sh -c '. ./{COMMAND}'" if has_own_shell else f"unset folder && . ./{COMMAND}"
    return kept, how


def _isolate(run: str, isolation: Isolation, inside_hub: Sequence[str]) -> str:
    words = [(f'"$hub"/{quoted(path)}', path.endswith("/")) for path in inside_hub]
    return isolating(
        isolation,
        # The first process of its own is one that cannot be ended by what the command does to itself
        f"({run}); exit $?",
        readable=[*(word for word, is_writable in words if not is_writable), '"$folder"'],
        writable=[
            *(word for word, is_writable in words if is_writable),
            *(f'"$folder"/{name}' for name in _WRITABLE),
        ],
    )


def given_names() -> frozenset[str]:
    """Return the names of the variables that a job is given, or that its shell sets."""
    environment, from_folder = base_environment(
        run="", stage="", cpus=1, source_date_epoch=0, runtime_bin="/", cache="/"
    )
    shell = ("PWD", "OLDPWD", "SHLVL", "_", "PYTHONPATH", "MASTER", "LOCKGATE_JOB")
    return frozenset((*environment, *from_folder, *shell))


def base_environment(
    *,
    run: str,
    stage: str,
    cpus: int,
    source_date_epoch: int,
    runtime_bin: str | PurePath | None = None,
    cache: str | PurePath | None = None,
    path: str = SYSTEM_PATH,
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment every job gets, and the part of it that lies in the job's folder: what varies
    between machines and members is fixed here.

    Parameters
    ----------
    source_date_epoch
        The snapshot's commit time in seconds, see reproducible-builds.org, SOURCE_DATE_EPOCH.
    runtime_bin
        The `bin` of a virtual environment; it comes first on PATH.
    cache
        A folder for what programs keep between jobs, as Matplotlib's font list; None: the job's own.
    path
        The PATH behind the runtime's.
    """
    environment = {
        "PATH": path,
        "LOCKGATE_RUN": run,
        "LOCKGATE_STAGE": stage,
        "SOURCE_DATE_EPOCH": str(source_date_epoch),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONHASHSEED": "0",
        # What a killed job has printed is in its log, and no __pycache__ is left among the outputs.
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
    }
    from_folder = {"HOME": "tmp", "TMPDIR": "tmp"}
    if runtime_bin is not None:
        bin_path = str(runtime_bin)
        environment["PATH"] = f"{bin_path}:{path}"
        environment["VIRTUAL_ENV"] = posixpath.dirname(bin_path)
    if cache is not None:
        environment["MPLCONFIGDIR"] = f"{cache!s}/matplotlib"
    else:
        from_folder["MPLCONFIGDIR"] = "tmp/.config/matplotlib"
    environment.update(dict.fromkeys(THREADS, str(max(1, cpus))))
    return environment, from_folder
