#!/usr/bin/env bash
# A real PostgreSQL, all of it in one folder, on a socket in that folder and on a port of 127.0.0.1.
#
#   postgresql.sh start DIR     prints the port
#   postgresql.sh stop DIR
#   postgresql.sh missing       prints the programs that are not installed; fails when there are any
#
# DIR must be reachable by everybody (mode 755) where root starts it: it then runs as the user `postgres`.
# Needs Debian's postgresql, or its programs on PATH.
set -eu
export LC_ALL=C

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || :)
export PATH="${bin:+$bin:}$PATH"

as_owner() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

case "$1" in
missing)
    lacking=
    for program in initdb pg_ctl postgres; do command -v $program >/dev/null || lacking="$lacking $program"; done
    [ "$(id -u)" != 0 ] || id postgres >/dev/null 2>&1 || lacking="$lacking user:postgres"
    [ -z "$lacking" ] || { echo $lacking; exit 1; }
    ;;
start)
    cd /
    if [ "$(id -u)" = 0 ]; then install -d -o postgres -m 700 "$2/pg"; else install -d -m 700 "$2/pg"; fi
    as_owner initdb -D "$2/pg/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
    for _ in 1 2 3; do
        port=$(free_port)
        if as_owner pg_ctl -w -s -D "$2/pg/data" -l "$2/pg/log" \
            -o "-c listen_addresses=127.0.0.1 -p $port -k $2/pg -c fsync=off ${POSTGRESQL_OPTIONS:-}" start; then
            echo "$port"
            exit
        fi
    done
    as_owner tail -n 20 "$2/pg/log" >&2
    exit 1
    ;;
stop)
    cd /
    [ ! -e "$2/pg/data/postmaster.pid" ] || as_owner pg_ctl -w -s -D "$2/pg/data" -m fast stop
    ;;
esac
