#!/bin/bash
# A small HTCondor pool for the tests: one host, all roles, in a root folder of its own.
#
#   htcondor.sh install ROOT      make the root folder ROOT (a Debian with HTCondor; minutes, once)
#   htcondor.sh start DIR ROOT    start a pool whose logs, configuration and programs lie in DIR
#   htcondor.sh stop DIR          stop it with every job
#   htcondor.sh kill DIR DAEMON   kill a daemon outright (condor_schedd, condor_startd, condor_master …)
#   htcondor.sh signal DIR DAEMON SIGNAL
#   htcondor.sh master DIR        start the master again where it was killed
#
# Needs root, debootstrap and the Debian archive that apt uses here. DIR/bin then holds condor_submit and
# its kin, and DIR/condor_config is what CONDOR_CONFIG must name. Debian 12 has no HTCondor, and mixing
# suites would replace much of the host: hence the root folder.
set -eu

USER_NAME=lockgate-test
PORT=${LOCKGATE_HTCONDOR_PORT:-9618}
SUITE=forky
HERE=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

archive() {
    cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
        awk '/^URIs:/ {print $2} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) {print $i; next}}' |
        grep -m 1 -E '/debian/?$'
}

# In a mount namespace of its own, so that nothing stays mounted when the last process of it has ended.
# The root must be a mount point itself: HTCondor cannot start jobs in a bare chroot (errno 22).
enter() (
    exec unshare -m bash -c '
        mount --make-rprivate /
        root=$1; shift
        mount --bind "$root" "$root"
        for each in proc sys dev tmp; do mount --rbind "/$each" "$root/$each"; done
        [ ! -e "$root/installed" ] || mount --bind /etc/passwd "$root/etc/passwd"
        [ ! -e "$root/installed" ] || mount --bind /etc/group "$root/etc/group"
        cd / && exec chroot "$root" "$@"' enter "$@"
)

install_root() {
    root=$1
    [ -e "$root/installed" ] && return
    command -v debootstrap >/dev/null || { echo "debootstrap is not installed" >&2; exit 1; }
    from=$(archive) || { echo "apt names no Debian archive here" >&2; exit 1; }
    scripts=/usr/share/debootstrap/scripts
    script=$scripts/$SUITE
    [ -e "$script" ] || script=$scripts/sid
    rm -rf "$root.part"
    mkdir -p "$(dirname "$root")"
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root.part" "$from" "$script"
    printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d"
    chmod 755 "$root.part/usr/sbin/policy-rc.d"
    cp /etc/hosts /etc/resolv.conf "$root.part/etc/"
    enter "$root.part" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends minicondor
    rm -rf "$root.part"/var/cache/apt/archives/*.deb "$root.part"/var/lib/apt/lists/*
    touch "$root.part/installed"
    mv -T "$root.part" "$root"
}


free_port() {
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

# What the pool, the tools and the bindings share. Cycles are short; a job waits for the negotiator only.
write_config() {
    cat >"$D/condor_config" <<END
RELEASE_DIR = $1
LOCAL_DIR = $D
LOCAL_CONFIG_FILE =
LOCAL_CONFIG_DIR =
BIN = \$(RELEASE_DIR)/bin
SBIN = \$(RELEASE_DIR)/sbin
LIBEXEC = \$(RELEASE_DIR)/libexec/condor
LIB = \$(RELEASE_DIR)/lib/condor
SHARE = \$(RELEASE_DIR)/share/condor
LOG = \$(LOCAL_DIR)/log
SPOOL = \$(LOCAL_DIR)/spool
EXECUTE = \$(LOCAL_DIR)/execute
LOCK = \$(LOCAL_DIR)/lock
RUN = \$(LOCAL_DIR)/run
DAEMON_SOCKET_DIR = \$(LOCAL_DIR)/sock
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:$2
SHARED_PORT_PORT = $2
COLLECTOR_PORT = $2
NETWORK_INTERFACE = 127.0.0.1
NETWORK_HOSTNAME = lockgate-test.example.org
FULL_HOSTNAME = lockgate-test.example.org
UID_DOMAIN = lockgate-test.example.org
FILESYSTEM_DOMAIN = lockgate-test.example.org
TRUST_UID_DOMAIN = True
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
CONDOR_IDS = $3
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
SEC_CLIENT_AUTHENTICATION_METHODS = FS
SEC_DEFAULT_ENCRYPTION = OPTIONAL
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = *
ALLOW_NEGOTIATOR = *
ALLOW_ADMINISTRATOR = *
QUEUE_SUPER_USERS = root, condor
END
}

write_pool_config() {
    cat >>"$D/pool_config" <<END
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD
USE_SHARED_PORT = True
MASTER_BACKOFF_CONSTANT = 1
MASTER_NEW_BINARY_RESTART = NEVER
MASTER_CHECK_NEW_EXEC_INTERVAL = 0
NUM_CPUS = ${LOCKGATE_HTCONDOR_CPUS:-2}
MEMORY = 4096
DISK = 4000000
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = TRUE
SUSPEND = FALSE
PREEMPT = FALSE
KILL = FALSE
MOUNT_UNDER_SCRATCH =
RUNBENCHMARKS = 0
SCHEDD_INTERVAL = 2
SCHEDD_MIN_INTERVAL = 1
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
PERIODIC_EXPR_INTERVAL = 1
STARTER_UPDATE_INTERVAL = 2
STARTER_INITIAL_UPDATE_INTERVAL = 1
SHADOW_QUEUE_UPDATE_INTERVAL = 2
UPDATE_INTERVAL = 5
JOB_START_DELAY = 0
CLAIM_WORKLIFE = 1200
END
}

# The programs run on the host itself, with the loader and the libraries of the root they came from.
write_programs() {
    root=$1
    mkdir -p "$D/bin"
    loader=$(ls "$root"/usr/lib*/ld-linux-*.so.* "$root"/usr/lib/*/ld-linux-*.so.* 2>/dev/null | head -n 1)
    libraries=$root/usr/lib:$(dirname "$(ls "$root"/usr/lib/*/libc.so.6 | head -n 1)")
    for name in submit q rm hold release history wait version status config_val drain off on vacate_job; do
        [ -e "$root/usr/bin/condor_$name" ] || [ -e "$root/usr/sbin/condor_$name" ] || continue
        program=$root/usr/bin/condor_$name
        [ -e "$program" ] || program=$root/usr/sbin/condor_$name
        cat >"$D/bin/condor_$name" <<END
#!/bin/sh
[ -z "\${LOCKGATE_HTCONDOR_CALLS:-}" ] || echo "condor_$name" >>"\$LOCKGATE_HTCONDOR_CALLS"
CONDOR_CONFIG=\${CONDOR_CONFIG:-$D/condor_config} exec "$loader" --argv0 condor_$name \\
    --library-path "$libraries" "$program" "\$@"
END
        chmod 755 "$D/bin/condor_$name"
    done
}

start() {
    D=$1 root=$2
    is_running && return
    id "$USER_NAME" >/dev/null 2>&1 || useradd --create-home --shell /bin/sh "$USER_NAME"
    id condor >/dev/null 2>&1 || useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin condor
    condor=$(id -u condor).$(id -g condor)
    mkdir -p "$D" && chmod 755 "$D"
    if [ ! -e "$D/condor_config" ]; then
        port=$(free_port)
        write_config /usr "$port" "$condor"
        cp "$D/condor_config" "$D/pool_config"
        write_pool_config
        write_programs "$root"
        (cd "$D" && mkdir -p log spool execute lock run sock && chown condor: log spool execute lock run sock)
        chmod 755 "$D/execute" "$D/log"
    fi
    echo "$root" >"$D/root"
    run_master
}

run_master() {
    root=$(cat "$D/root")
    enter "$root" env CONDOR_CONFIG="$D/pool_config" PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
        condor_master -f </dev/null >"$D/log/master.out" 2>&1 &
    starter=$!
    tries=300
    until [ -n "$(timeout 5 "$D/bin/condor_status" -af Name 2>/dev/null)" ] && timeout 5 "$D/bin/condor_q" >/dev/null 2>&1; do
        tries=$((tries - 1))
        if [ $tries = 0 ] || ! kill -0 $starter 2>/dev/null; then
            tail -n 5 "$D"/log/*Log >&2 || :
            echo "htcondor.sh: the pool did not come up" >&2
            exit 1
        fi
        sleep 0.1
    done
    disown $starter
}

is_running() {
    pid=$(pids_of condor_master)
    [ -n "$pid" ]
}

# pids_of DAEMON: those of this pool, told by the configuration in their environment
pids_of() {
    for each in $(pgrep -x "$1" | tr '\n' ' '); do
        { tr "\0" "\n" <"/proc/$each/environ"; } 2>/dev/null | grep -qxF "CONDOR_CONFIG=$D/pool_config" && echo "$each"
    done
    return 0
}

stop() {
    D=$1
    if is_running; then
        kill -s QUIT $pid
        tries=50
        while is_running && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.1; done
    fi
    for name in master schedd startd shadow starter collector negotiator procd shared_port; do
        kill_daemon condor_$name
    done
}

kill_daemon() {
    for each in $(pids_of "$(echo "$1" | cut -c 1-15)"); do kill -s KILL "$each" 2>/dev/null || :; done
}

case ${1:-} in
install) install_root "$2" ;;
start) start "$2" "$3" ;;
stop) stop "$2" ;;
kill)
    D=$2
    kill_daemon "$3"
    ;;
signal)
    D=$2
    for each in $(pids_of "$(echo "$3" | cut -c 1-15)"); do kill -s "$4" "$each"; done
    ;;
master)
    D=$2
    is_running || run_master
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$HERE" >&2
    exit 2
    ;;
esac
