#!/bin/sh
# A task spooler (Debian: task-spooler) of one folder, with two slots.
#
#   spooler.sh start DIR     prints nothing; programs find it by TS_SOCKET=DIR/socket
#   spooler.sh stop DIR      ends what start started, jobs too
#   spooler.sh missing       prints the programs that are not installed; fails when there are any
#   DIR/pid holds its process.
set -eu
export LC_ALL=C

server() {
    for environ in /proc/[0-9]*/environ; do
        pid=${environ#/proc/} pid=${pid%/environ}
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = tsp ] &&
            tr '\0' '\n' <"$environ" 2>/dev/null | grep -qxF "TS_SOCKET=$TS_SOCKET"; then
            echo "$pid"
            return
        fi
    done
    echo "spooler.sh: the spooler is not there" >&2
    return 1
}

start() {
    if [ -e "$D/pid" ] && kill -0 "$(cat "$D/pid")" 2>/dev/null; then
        return
    fi
    mkdir -p "$D"
    rm -f "$TS_SOCKET"
    TS_MAXFINISHED=5000 TS_SLOTS=2 TMPDIR=$D tsp -S 2 </dev/null >/dev/null 2>&1
    server >"$D/pid"
}

stop() {
    [ -e "$D/pid" ] || return 0
    pid=$(cat "$D/pid")
    rm -f "$D/pid"
    kill -s CONT "$pid" 2>/dev/null || return 0
    tsp -l | while read -r id state _; do
        [ "$state" = running ] && tsp -k "$id" || :
    done
    tsp -K
}

case ${1:-} in
start | stop)
    D=$2 TS_SOCKET=$2/socket
    export TS_SOCKET
    "$1"
    ;;
missing) command -v tsp >/dev/null || { echo "tsp (Debian: task-spooler)" && exit 1; } ;;
*) echo "usage: spooler.sh start|stop DIR, spooler.sh missing" >&2 && exit 64 ;;
esac
