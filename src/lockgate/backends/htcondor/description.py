"""The text of a submission: the submit description and the scripts beside it. Pure.

Submit commands are those of condor_submit(1), HTCondor 9.0 to 25.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.backends.htcondor.options import Options
from lockgate.backends.system import MEMBERS
from lockgate.backends.wrapper import ENDING, PEAK
from lockgate.project.pipeline import Resources
from lockgate.runs.exitrecord import PID, RAW
from lockgate.runs.jobscript import ALREADY_STARTED, OBSERVED, PROGRAMS, quoted

DESCRIPTION, EVENTS, START = "job.sub", "events.xml", "start.sh"
#: In a job's folder: what was carried back.
PARCEL = "htcondor.tar"
#: In a job's folder, where files are carried: a folder that is empty until the job has begun.
BEGUN = "htcondor.begun"
#: The attribute of a job that holds the key of its batch.
KEY = "LockgateKey"

#: HTCondor's own limit comes after the wrapper's, which lets a job save what it has.
_MARGIN_S = 90
#: The wrapper gives a job five seconds to save what it has, and then ends every process of it.
_VACATE_S = 15
_MIB = 1 << 20

# A job that was begun is never begun again: HTCondor would, after an eviction or a release.
_NEVER_BEGUN = "(MY.NumJobStarts =?= 0 || MY.NumJobStarts =?= undefined)"
_IS_PUT_BACK = "(JobStatus == 1 || JobStatus == 5) && NumJobStarts > 0"

_SHARED = """\
#!/bin/sh
# Jobs of Lockgate: the folder of job N is a link in `members`.
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
batch={folder}
set -- "$batch/members/$1"
. "$batch"/wrapper.sh
"""

# A job's error stream is made on the hub when the job begins, and carried to where it would begin again.
# What is streamed comes twice where the access point was restarted, so the whole log goes back at the end.
# A tar keeps times, links and names of any kind, which HTCondor's own transfer of folders does not.
_CARRIED = """\
#!/bin/sh
# A job of Lockgate where workers share no files with the hub: its files lie here, and go back from here.
PATH=${{PATH:-/usr/local/bin:/usr/bin:/bin}}
export PATH
[ ! -e {begun}/error ] || exit {already_started}
[ -d workspace ] || mkdir workspace
mkdir -p tmp
: >output.log
tail -n +1 -f output.log 2>/dev/null &
tail=$!
cat >wrapper.sh <<'{end}'
{wrapper}{end}
job=
trap '[ -z "$job" ] || kill -s TERM "$job"' TERM
/bin/sh ./wrapper.sh . &
job=$!
while :; do
    wait "$job"
    code=$?
    kill -0 "$job" 2>/dev/null || break
done
kill "$tail" 2>/dev/null
set -- workspace output.log
for each in {traces}; do
    [ ! -e "$each" ] || set -- "$@" "$each"
done
tar -cf {parcel} "$@" || exit 1
exit "$code"
"""
_END = "END OF WRAPPER"


def start_script(folder: str, wrapper: str, *, is_carried: bool) -> str:
    """Return `start.sh`: what HTCondor starts, which calls the wrapper."""
    if not is_carried:
        return _SHARED.format(folder=quoted(folder))
    traces = " ".join((PID, RAW, ENDING, PEAK, OBSERVED))
    return _CARRIED.format(
        wrapper=wrapper, traces=traces, parcel=PARCEL, end=_END, begun=BEGUN, already_started=ALREADY_STARTED
    )


def submit_description(key: str, folder: str, count: int, asked: Resources, options: Options) -> str:
    """Return the submit description of `count` jobs, one cluster."""
    lines = [
        f"universe = {options.universe or 'vanilla'}",
        f"batch_name = {key}",
        f"submit_event_user_notes = {key}",
        f'My.{KEY} = "{key}"',
        f"log = {_literal(folder)}/{EVENTS}",
        "log_xml = true",
        "notification = never",
        f"request_cpus = {asked.cpus}",
        *_resources(asked, options),
        *(_carried(folder) if options.transfer else _shared(folder)),
        f"requirements = {_requirements(options)}",
        f"periodic_remove = {_IS_PUT_BACK}",
        "want_graceful_removal = true",
        f"job_max_vacate_time = {_VACATE_S}",
    ]
    if asked.walltime_s is not None:
        lines.append(f"allowed_job_duration = {asked.walltime_s + _MARGIN_S}")
    for name in ("rank", "accounting_group", "accounting_group_user", "priority", "container_image",
                 "docker_image", "max_materialize", "max_idle"):  # fmt: skip
        value = getattr(options, name)
        if value is not None:
            lines.append(f"{name} = {value}")
    lines += options.extra
    lines.append(f"queue {count}")
    return "".join(f"{line}\n" for line in lines)


def _resources(asked: Resources, options: Options) -> Sequence[str]:
    lines = []
    if asked.memory_bytes is not None:
        lines.append(f"request_memory = {max(1, -(-asked.memory_bytes // _MIB))}")
    if asked.gpus:
        lines.append(f"request_gpus = {asked.gpus}")
    if options.request_disk is not None:
        lines.append(f"request_disk = {options.request_disk}")
    return lines


def _shared(folder: str) -> Sequence[str]:
    return (
        "executable = /bin/sh",
        "transfer_executable = false",
        f"arguments = {START} $(Process)",
        f"initialdir = {_literal(folder)}",
        "should_transfer_files = NO",
    )


def _carried(folder: str) -> Sequence[str]:
    return (
        f"executable = {_literal(folder)}/{START}",
        "transfer_executable = true",
        f"initialdir = {_literal(folder)}/{MEMBERS}/$(Process)",
        "should_transfer_files = YES",
        "when_to_transfer_output = ON_EXIT",
        f"transfer_input_files = job.sh, {PROGRAMS}, workspace, {BEGUN}",
        f"transfer_output_files = {PARCEL}",
        "output = output.log",
        "stream_output = true",
        f"error = {BEGUN}/error",
        "stream_error = true",
    )


def _requirements(options: Options) -> str:
    return f"{_NEVER_BEGUN} && ({options.requirements})" if options.requirements else _NEVER_BEGUN


def _literal(text: str) -> str:
    """Return a path so that no `$` in it begins a macro."""
    return text.replace("$", "$(DOLLAR)")
