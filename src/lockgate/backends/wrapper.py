"""The text of `wrapper.sh`: what stands between a batch system and a job's `job.sh`."""

from __future__ import annotations

#: What the wrapper leaves in the job's folder: why it ended the job, and the most memory seen, in bytes.
ENDING, PEAK = "ending", "peak"
GRACE_S = 5

# Builtins wherever they will do. A process belongs to the job by its group, or by the variable that all
# its children inherit: a daemon that left the group is found too. `setsid` keeps the pid of a process that
# leads no group, so that the batch system goes on to watch the right one.
_SCRIPT = """\
#!/bin/sh
# Runs one job of a batch: sh wrapper.sh FOLDER, or read into a script that has set $1
walltime_s={walltime_s}
memory_kib={memory_kib}
case $0 in
/*) self=$0 ;;
*) self=$PWD/$0 ;;
esac
if ! CDPATH= cd -P -- "$1"; then
    ls -ld -- "$1" >&2
    exit 1
fi
folder=$PWD
has_proc=
[ -r /proc/$$/stat ] && has_proc=yes
leads_group=$LOCKGATE_WRAPPED
# Not asked by kill: for the first process of a container, -1 means everybody.
leads() {{
    {{ read -r stat <"/proc/$$/stat"; }} 2>/dev/null || return
    set -- ${{stat##*\\) }}
    [ "$3" = $$ ]
}}
leads && leads_group=yes
if [ -n "$has_proc" ] && [ -z "$leads_group" ] && command -v setsid >/dev/null; then
    LOCKGATE_WRAPPED=1 exec setsid /bin/sh "$self" "$folder"
fi
unset LOCKGATE_WRAPPED
LOCKGATE_JOB=$folder/.
export LOCKGATE_JOB
watcher=

# What was started here and kept its environment: one process more, however many there are.
marked() {{
    found=
    for environ in $(grep -lsF "LOCKGATE_JOB=$LOCKGATE_JOB" /proc/[0-9]*/environ); do
        environ=${{environ#/proc/}}
        found="$found ${{environ%/environ}}"
    done
}}

# Those too that lost it, and are of the group still.
members() {{
    marked
    for stat in /proc/[0-9]*/stat; do
        {{ read -r line <"$stat"; }} 2>/dev/null || continue
        set -- ${{line##*\\) }}
        [ "$3" = $$ ] && found="$found ${{line%% *}}"
    done
}}

# send SIGNAL PID...: to the whole job but those named
send() {{
    signal=$1
    shift
    {{ read -r own _ </proc/self/stat; }} 2>/dev/null
    spared=" $$ $own $watcher $* "
    members
    for pid in $found; do
        case $spared in
        *" $pid "*) ;;
        *) kill -s "$signal" "$pid" 2>/dev/null ;;
        esac
    done
}}

# nap SECONDS: a sleep that leaves nothing behind when it is cut short, for which a batch system would wait
nap() {{
    sleep "$1" &
    sleeper=$!
    wait "$sleeper"
}}

end_on_term() {{
    sleeper=
    trap '[ -n "$sleeper" ] && kill -s KILL "$sleeper" 2>/dev/null; exit' TERM
}}

end_it() {{
    send TERM "$job"
    send CONT "$job"
    nap {grace_s}
    send KILL "$job"
    nap 1
    send KILL
}}

end_gently() {{
    end_on_term
    end_it
}}

look() {{
    marked
    used=0
    for pid in $found; do
        {{
            while read -r name value _; do
                if [ "$name" = VmRSS: ]; then
                    used=$((used + value))
                    break
                fi
            done <"/proc/$pid/status"
        }} 2>/dev/null
    done
    if [ "$used" -gt "$peak" ]; then
        peak=$used
        echo $((peak * 1024)) >{peak}
    fi
}}

watch() {{
    peak=0 waited=0 step=1
    end_on_term
    while :; do
        nap "$step"
        # Killed, the wrapper tells nobody; and a signal to a shell that has just forked may be lost
        kill -0 $$ 2>/dev/null || exit
        waited=$((waited + step))
        look
        if [ -n "$memory_kib" ] && [ "$used" -gt "$memory_kib" ]; then
            echo "memory $((used * 1024))" >{ending}
            send KILL "$job"
            nap 1
            send KILL
        fi
        if [ -n "$walltime_s" ] && [ "$waited" -ge "$walltime_s" ]; then
            echo walltime >{ending}
            end_it
        fi
        [ -z "$memory_kib" ] && [ "$waited" -ge 10 ] && step={lazy_s}
        [ -n "$walltime_s" ] && [ $((waited + step)) -gt "$walltime_s" ] && step=$((walltime_s - waited))
        [ "$step" -lt 1 ] && step=1
    done
}}

ender=
trap 'end_gently & ender=$!' TERM
/bin/sh job.sh &
job=$!
if [ -n "$has_proc" ]; then
    watch &
    watcher=$!
fi
while :; do
    wait "$job"
    code=$?
    kill -0 "$job" 2>/dev/null || break
done
[ -n "$watcher$ender" ] && kill -s TERM $watcher $ender 2>/dev/null
watcher=
{sweep}
exit "$code"
"""


def wrapper_script(
    walltime_s: int | None = None, memory_bytes: int | None = None, *, sweeps: bool = True
) -> str:
    """Return `wrapper.sh`: runs `job.sh` in the folder named, passes SIGTERM on, keeps the limits given,
    kills what the job left running unless told not to, and exits with the job's code.

    A limit kept is noted in the file `ending`: `walltime`, or `memory` and the bytes it held. The most
    memory that all its processes held at one look (once a second, later every five) is in `peak`.
    """
    return _SCRIPT.format(
        walltime_s="" if walltime_s is None else max(1, walltime_s),
        memory_kib="" if memory_bytes is None else max(1, memory_bytes // 1024),
        grace_s=GRACE_S,
        lazy_s=5,
        sweep='marked\n[ -n "$found" ] && kill -s KILL $found 2>/dev/null' if sweeps else "",
        ending=ENDING,
        peak=PEAK,
    )
