#!/usr/bin/env bash
# A real Slurm of one node, all of it in one folder, with ports and a munge of its own.
#
#   slurm.sh start DIR [--accounting] [--min-job-age SECONDS] [--cpus N] [--memory MIB]
#   slurm.sh stop DIR                  ends what start started, jobs too
#   slurm.sh restart DIR               the controller alone: after `kill-controller`, or to read slurm.conf anew
#   slurm.sh stop-controller DIR       as for maintenance
#   slurm.sh kill-controller DIR       as a crash would
#   slurm.sh missing [--accounting]    prints the programs that are not installed; fails when there are any
#
# Programs find it by SLURM_CONF=DIR/slurm.conf. DIR must be reachable by everybody (mode 755) where root
# starts it. Needs Debian's slurmctld slurmd slurm-client munge; with accounting slurmdbd mariadb-server.
set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
node=n1

say() { echo "slurm.sh: $*" >&2; }
fail() { say "$*"; exit 1; }

# is_ours PIDFILE: whether the process of that file was started for this folder
is_ours() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
    # slurmdbd takes no words: it is known by its environment
    cat "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null | tr '\0' ' ' | grep -qF -- "$D/"
}

# finish PIDFILE SIGNAL: end it, by force after five seconds
finish() {
    local pid
    is_ours "$1" || return 0
    pid=$(cat "$1")
    kill -s "$2" "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        is_running "$pid" || return 0
        sleep .05
    done
    kill -s KILL "$pid" 2>/dev/null || :
}

is_running() { [ -e "/proc/$1/stat" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
    local tries=$(($1 * 20)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { tail -n 5 "$D"/log/*.log >&2 || :; fail "$what did not come up"; }
        sleep .05
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

# owned_by USER COMMAND...: run as that user where we may choose
owned_by() {
    local user=$1
    shift
    if [ "$user" = "$(id -un)" ]; then "$@"; else runuser -u "$user" -- "$@"; fi
}

choose_users() {
    if [ "$(id -u)" = 0 ]; then
        slurm_user=slurm munge_user=munge mysql_user=mysql
    else
        slurm_user=$(id -un)
        munge_user=$slurm_user mysql_user=$slurm_user
    fi
}

missing() {
    local program lacking=
    local programs="munged slurmctld slurmd sbatch squeue sacct scancel scontrol"
    [ "${1:-}" = --accounting ] && programs="$programs slurmdbd mariadbd mariadb-install-db sacctmgr"
    for program in $programs; do
        command -v "$program" >/dev/null || lacking="$lacking $program"
    done
    [ -z "$lacking" ] || { echo "${lacking# }"; exit 1; }
}

write_config() {
    local tracking
    if mkdir "/sys/fs/cgroup/memory/$cluster" 2>/dev/null; then
        rmdir "/sys/fs/cgroup/memory/$cluster"
        tracking='ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup'
        printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup ConstrainRAMSpace=yes \
            ConstrainCores=no AllowedSwapSpace=0 >"$D/cgroup.conf"
    else
        tracking='ProctrackType=proctrack/linuxproc
TaskPlugin=task/none'
        echo CgroupPlugin=cgroup/v1 >"$D/cgroup.conf"
    fi
    cat >"$D/slurm.conf" <<EOF
ClusterName=$cluster
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmdPort=$slurmd_port
SlurmUser=$slurm_user
SlurmdUser=$(id -un)
AuthInfo=socket=$D/munge/socket
StateSaveLocation=$D/ctld
SlurmdSpoolDir=$D/slurmd
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.pid
SlurmctldLogFile=$D/log/slurmctld.log
SlurmdLogFile=$D/log/slurmd.log
$tracking
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SlurmdParameters=config_overrides
MpiDefault=none
MaxArraySize=2000
MaxJobCount=20000
KillWait=2
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
MinJobAge=$min_job_age
NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory_mib State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=7-0 State=UP DefMemPerCPU=100
PartitionName=short Nodes=ALL MaxTime=10 State=UP DefMemPerCPU=100
PartitionName=closed Nodes=ALL State=DOWN DefMemPerCPU=100
EOF
    if [ -n "$accounting" ]; then
        printf '%s\n' AccountingStorageType=accounting_storage/slurmdbd AccountingStorageHost=127.0.0.1 \
            "AccountingStoragePort=$dbd_port" "AccountingStoragePass=$D/munge/socket" \
            "$accounting" >>"$D/slurm.conf"
        printf '%s\n' AuthType=auth/munge "AuthInfo=socket=$D/munge/socket" DbdHost=localhost DbdAddr=127.0.0.1 \
            "DbdPort=$dbd_port" "SlurmUser=$slurm_user" "LogFile=$D/log/slurmdbd.log" \
            "PidFile=$D/slurmdbd.pid" StorageType=accounting_storage/mysql StorageHost=127.0.0.1 \
            "StoragePort=$sql_port" StorageUser=slurm StoragePass=slurm StorageLoc=slurm_acct_db \
            >"$D/slurmdbd.conf"
        chmod 600 "$D/slurmdbd.conf"
        [ "$slurm_user" = "$(id -un)" ] || chown "$slurm_user" "$D/slurmdbd.conf"
    else
        echo AccountingStorageType=accounting_storage/none >>"$D/slurm.conf"
    fi
}

start_munge() {
    dd if=/dev/urandom of="$D/munge/key" bs=1 count=1024 status=none
    chmod 400 "$D/munge/key"
    [ "$munge_user" = "$(id -un)" ] || chown -R "$munge_user" "$D/munge"
    chmod 755 "$D/munge"
    owned_by "$munge_user" munged --force --socket="$D/munge/socket" --key-file="$D/munge/key" \
        --log-file="$D/munge/log" --pid-file="$D/munge/pid" --seed-file="$D/munge/seed"
}

start_database() {
    local mysql
    mkdir "$D/mysql"
    [ "$mysql_user" = "$(id -un)" ] || chown "$mysql_user" "$D/mysql"
    owned_by "$mysql_user" mariadb-install-db --no-defaults --datadir="$D/mysql/data" \
        --auth-root-authentication-method=normal --skip-test-db >"$D/log/mariadb.log" 2>&1
    owned_by "$mysql_user" mariadbd --no-defaults --datadir="$D/mysql/data" --bind-address=127.0.0.1 \
        --port="$sql_port" --socket="$D/mysql/socket" --pid-file="$D/mysql/pid" \
        --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M --skip-log-bin \
        </dev/null >>"$D/log/mariadb.log" 2>&1 &
    mysql="mariadb --no-defaults --socket=$D/mysql/socket -u root"
    wait_for 60 MariaDB $mysql -e 'select 1'
    $mysql -e "create database slurm_acct_db; create user slurm@127.0.0.1 identified by 'slurm';
               grant all on slurm_acct_db.* to slurm@127.0.0.1"
    owned_by "$slurm_user" env SLURM_CONF="$D/slurm.conf" slurmdbd 2>>"$D/log/start.log"
    wait_for 60 slurmdbd sacctmgr -n show cluster
    sacctmgr -i add cluster "$cluster" >/dev/null
    sacctmgr -i add account default Description=d Organization=o >/dev/null
    sacctmgr -i add user "$(id -un)" account=default >/dev/null
}

start_controller() { slurmctld -f "$D/slurm.conf" 2>>"$D/log/start.log"; }

is_up() { [ -n "$(sinfo -h -t idle,mix,alloc -o %T)" ]; }

start() {
    local accounting='' min_job_age=300 cpus=2 memory_mib=4096 ctld_port slurmd_port dbd_port sql_port host
    while [ $# -gt 0 ]; do
        case $1 in
        --accounting) accounting="AccountingStoreFlags=job_comment" ;;
        --no-accounting) ;;
        --min-job-age) min_job_age=$2; shift ;;
        --cpus) cpus=$2; shift ;;
        --memory) memory_mib=$2; shift ;;
        *) fail "what is $1?" ;;
        esac
        shift
    done
    is_ours "$D/slurmctld.pid" && is_ours "$D/slurmd.pid" && return
    missing ${accounting:+--accounting} >/dev/null || fail "not installed: $(missing ${accounting:+--accounting})"
    choose_users
    cluster=lg$$ host=$(hostname -s)
    node=$cluster
    mkdir -p "$D/munge" "$D/ctld" "$D/slurmd" "$D/log"
    chmod 755 "$D" "$D/slurmd"
    [ "$slurm_user" = "$(id -un)" ] || chown "$slurm_user" "$D/ctld" "$D/log" "$D"
    ctld_port=$(free_port) slurmd_port=$(free_port) dbd_port=$(free_port) sql_port=$(free_port)
    write_config
    start_munge
    [ -z "$accounting" ] || start_database
    start_controller
    slurmd -f "$D/slurm.conf" -N "$node" 2>>"$D/log/start.log"
    wait_for 30 "the node" is_up
}

# What the node's cgroups still hold: jobs' processes, and Slurm's own for each job.
end_jobs() {
    local name cgroup
    name=$(sed -n 's/^NodeName=\([^ ]*\).*/\1/p' "$D/slurm.conf" 2>/dev/null) || return 0
    [ -n "$name" ] || return 0
    if is_ours "$D/slurmctld.pid"; then
        timeout 10 squeue -h -a -t all -o %A 2>/dev/null | sort -u | timeout 20 xargs -r scancel --full 2>/dev/null || :
        for _ in $(seq 60); do
            [ -n "$(timeout 10 squeue -h -a -o %A 2>/dev/null)" ] || break
            sleep .1
        done
    fi
    finish "$D/slurmd.pid" TERM
    for cgroup in /sys/fs/cgroup/*/"slurm_$name"; do
        [ -d "$cgroup" ] || continue
        find "$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -s KILL 2>/dev/null || :
        for _ in $(seq 20); do
            find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep .05
        done
    done
}

stop() {
    [ -e "$D/slurm.conf" ] || return 0
    end_jobs
    finish "$D/slurmctld.pid" TERM
    finish "$D/slurmdbd.pid" TERM
    finish "$D/mysql/pid" TERM
    finish "$D/munge/pid" TERM
}

verb=${1:-} D=${2:-}
if [ "$verb" = missing ]; then
    shift
    missing "$@"
    exit
fi
[ -n "$D" ] || fail "usage: $0 start|stop|restart|stop-controller|kill-controller DIR"
mkdir -p "$D"
D=$(cd "$D" && pwd -P)
export SLURM_CONF=$D/slurm.conf
shift 2
case $verb in
start) start "$@" ;;
stop) stop ;;
stop-controller) finish "$D/slurmctld.pid" TERM ;;
kill-controller) finish "$D/slurmctld.pid" KILL ;;
restart)
    finish "$D/slurmctld.pid" TERM
    start_controller
    wait_for 30 "the node" is_up
    ;;
*) fail "what is $verb?" ;;
esac
