#!/bin/sh
# A Spark standalone cluster for tests: one master, two workers of one core each, on loopback.
# usage: spark.sh start DIR | stop DIR | install
#
# `start` prints what the tests need to know, as NAME=VALUE, and leaves it in DIR/facts. Both may be called
# again. PySpark lies in a virtual environment of its own, kept in the user's cache: it is half a gigabyte.
# Ports: SPARK_TEST_PORT (27077) and the five above it.
set -u
cache=${LOCKGATE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockgate-tests}/spark
venv=$cache/venv
python=$venv/bin/python
port=${SPARK_TEST_PORT:-27077}

die() {
    echo "spark.sh: $*" >&2
    exit 1
}

install() {
    mkdir -p "$cache" || exit
    exec 9>"$cache/lock"
    flock 9
    if ! java=$(command -v java) || ! "$java" -version 2>&1 | grep -qE 'version "(1[7-9]|2[0-9])'; then
        [ "$(id -u)" = 0 ] || die "Java 17 or newer is not there and cannot be installed without root"
        apt-get -o DPkg::Lock::Timeout=300 update -qq >&2
        apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends openjdk-17-jre-headless >&2 ||
            die "Java 17 could not be installed (apt: openjdk-17-jre-headless)"
    fi
    if ! "$python" -c 'import pyspark, pyarrow' 2>/dev/null; then
        command -v uv >/dev/null || die "uv is not on PATH"
        uv venv -q --clear --python "${PYTHON:-python3}" "$venv" >&2 || die "no virtual environment"
        uv pip install -q --python "$python" 'pyspark>=4,<5' pyarrow >&2 || die "pyspark could not be installed"
    fi
    flock -u 9
}

# daemon NAME CLASS ARGUMENT...: start one Java daemon, and note its pid
daemon() {
    name=$1
    shift
    if [ -s "$dir/$name.pid" ] && kill -0 "$(cat "$dir/$name.pid")" 2>/dev/null; then
        return
    fi
    setsid "$SPARK_HOME/bin/spark-class" "$@" >"$dir/$name.log" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
}

answers() {
    "$python" - "$1" <<'EOF'
import json, sys, urllib.request
try:
    with urllib.request.urlopen(f"http://127.0.0.1:{int(sys.argv[1]) + 1}/json/", timeout=2) as answer:
        sys.exit(json.load(answer)["aliveworkers"] < 2)
except OSError:
    sys.exit(1)
EOF
}

start() {
    install
    mkdir -p "$dir/work" "$dir/conf" || exit
    SPARK_HOME=$("$python" -c 'import pyspark, os; print(os.path.dirname(pyspark.__file__))')
    export SPARK_HOME SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON="$python" SPARK_CONF_DIR="$dir/conf"
    export SPARK_DAEMON_MEMORY=256m SPARK_DAEMON_JAVA_OPTS=-XX:+UseSerialGC
    daemon master org.apache.spark.deploy.master.Master \
        --host 127.0.0.1 --port "$port" --webui-port "$((port + 1))"
    for number in 1 2; do
        daemon "worker$number" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 \
            --port "$((port + 1 + number))" --webui-port "$((port + 3 + number))" \
            --cores 1 --memory 1200m --work-dir "$dir/work" "spark://127.0.0.1:$port"
    done
    tries=0
    until answers "$port"; do
        tries=$((tries + 1))
        for name in master worker1 worker2; do
            kill -0 "$(cat "$dir/$name.pid")" 2>/dev/null || die "the $name ended: $(tail -n 3 "$dir/$name.log")"
        done
        [ "$tries" -lt 300 ] || die "the cluster did not come up; see $dir/master.log"
        sleep 0.2
    done
    {
        echo "SPARK_MASTER=spark://127.0.0.1:$port"
        echo "SPARK_MASTER_UI=http://127.0.0.1:$((port + 1))"
        echo "SPARK_HOME=$SPARK_HOME"
        echo "SPARK_PYTHON=$python"
        echo "SPARK_VERSION=$("$python" -c 'import pyspark; print(pyspark.__version__)')"
    } >"$dir/facts"
    cat "$dir/facts"
}

stop() {
    for name in worker1 worker2 master; do
        [ -s "$dir/$name.pid" ] || continue
        pid=$(cat "$dir/$name.pid")
        tries=0
        while kill -0 "$pid" 2>/dev/null; do
            [ "$tries" -eq 0 ] && kill "$pid"
            [ "$tries" -eq 100 ] && kill -9 "$pid"
            [ "$tries" -gt 150 ] && die "$name does not end"
            tries=$((tries + 1))
            sleep 0.1
        done
        rm -f "$dir/$name.pid"
    done
}

case ${1-} in
install) install ;;
start | stop)
    dir=${2:?"usage: spark.sh start|stop DIR"}
    mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || exit
    "$1"
    ;;
*) die "usage: spark.sh start DIR | stop DIR | install" ;;
esac
