#!/bin/sh
# A Dask scheduler and two workers of two threads each, in one folder, on ports that are free.
#
#   dask_cluster.sh start DIR            programs find it by DIR/scheduler.json
#   dask_cluster.sh stop DIR             ends what start started, jobs too
#   dask_cluster.sh kill-scheduler DIR   as a crash would; restart starts what is missing
#   dask_cluster.sh restart DIR
#   dask_cluster.sh missing              prints what is not installed; fails when anything is
#   DIR/scheduler.pid, DIR/worker-1.pid and DIR/worker-2.pid hold their processes.
# PYTHON names the interpreter.
set -eu
export LC_ALL=C
python=${PYTHON:-python3}

is_ours() { [ -e "$1" ] && { tr '\0' ' ' <"/proc/$(cat "$1")/cmdline"; } 2>/dev/null | grep -qF "$D/"; }

# begin NAME ARGUMENT...
begin() {
    name=$1
    shift
    is_ours "$D/$name.pid" && return
    setsid "$python" -m dask "$@" </dev/null >>"$D/$name.log" 2>&1 &
    echo $! >"$D/$name.pid"
}

finish() {
    is_ours "$D/$1.pid" || return 0
    pid=$(cat "$D/$1.pid")
    kill -s CONT "$pid"
    kill -s "$2" "$pid"
    tries=100
    while is_ours "$D/$1.pid" && [ $tries -gt 0 ]; do
        sleep .1
        tries=$((tries - 1))
    done
    is_ours "$D/$1.pid" && kill -s KILL "$pid" || :
    rm -f "$D/$1.pid"
}

worker() {
    begin "$1" worker --scheduler-file "$D/scheduler.json" --host 127.0.0.1 --nthreads 2 --name "$1" \
        --memory-limit 0 --resources CPU=2 --local-directory "$D/$1" --no-dashboard --death-timeout 60
}

start() {
    if ! is_ours "$D/scheduler.pid"; then
        # Workers end when their scheduler does, in their own time.
        finish worker-1 TERM
        finish worker-2 TERM
        port=$(cat "$D/port" 2>/dev/null || echo 0)
        rm -f "$D/scheduler.json"
        begin scheduler scheduler --host 127.0.0.1 --port "$port" --no-dashboard --scheduler-file "$D/scheduler.json"
    fi
    tries=300
    until [ -s "$D/scheduler.json" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { cat "$D/scheduler.log" >&2 && exit 1; }
        sleep .1
    done
    sed -n 's/.*"address": "tcp:[^"]*:\([0-9]*\)".*/\1/p' "$D/scheduler.json" | head -n 1 >"$D/port"
    worker worker-1
    worker worker-2
    "$python" -c "
import sys
from distributed import Client
with Client(scheduler_file=sys.argv[1], timeout=30) as client:
    client.wait_for_workers(2, timeout=30)
" "$D/scheduler.json"
}

[ "${1:-}" = missing ] || { [ $# = 2 ] && mkdir -p "$2" && D=$(cd "$2" && pwd -P); } ||
    { echo "usage: $0 start|stop|restart|kill-scheduler DIR, $0 missing" >&2 && exit 64; }
case $1 in
start | restart) start ;;
stop)
    finish worker-1 TERM
    finish worker-2 TERM
    finish scheduler TERM
    ;;
kill-scheduler) finish scheduler KILL ;;
missing) "$python" -c 'import distributed' 2>/dev/null || { echo "dask[distributed]" && exit 1; } ;;
*) echo "$0: what is $1?" >&2 && exit 64 ;;
esac
