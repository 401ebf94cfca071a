#!/bin/sh
# The reference validator of RO-Crates, in an environment of its own that is kept in the user's cache; no network is
# needed once it is installed.
# usage: crate_validator.sh check FOLDER REPORT | prov FILE
#
# check: REPORT is what rocrate-validator says of the crate unpacked in FOLDER, as JSON, recommended checks too.
# prov: fails unless W3C PROV's reference library reads FILE as PROV-JSON.
set -u
cache=${LOCKGATE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lockgate-tests}/crate-validator
venv=$cache/venv-0.13
here=$(dirname "$0")

die() {
    echo "crate_validator.sh: $*" >&2
    exit 1
}

install() {
    mkdir -p "$cache" || exit
    exec 9>"$cache/lock"
    flock 9
    if [ ! -e "$venv/ready" ]; then
        command -v uv >/dev/null || die "uv is not on PATH"
        uv venv -q --clear --python "${PYTHON:-python3}" "$venv" >&2 || die "no virtual environment"
        # rocrate 0.13 brings the JSON-LD context of RO-Crate 1.1
        uv pip install -q --python "$venv/bin/python" roc-validator==0.13.0 prov==3.2.3 rocrate==0.13.0 >&2 ||
            die "roc-validator could not be installed"
        context=$("$venv/bin/python" -c 'import rocrate, os; print(os.path.dirname(rocrate.__file__))') || exit
        "$venv/bin/python" "$here/crate_contexts.py" "$venv/http" "$context/data/ro-crate.jsonld" || exit
        touch "$venv/ready"
    fi
    flock -u 9
}

case ${1:-} in
check)
    install
    "$venv/bin/rocrate-validator" -y validate "$2" --offline --cache-path "$venv/http" --skip-availability-check \
        --requirement-severity recommended --output-format json --output-file "$3" --no-paging >"$3.log" 2>&1 9>&-
    [ -s "$3" ] || die "$(cat "$3.log")"
    ;;
prov)
    install
    "$venv/bin/python" -c 'import sys; from prov.model import ProvDocument as D; print(len(D.deserialize(sys.argv[1]).records))' "$2"
    ;;
*) die "usage: crate_validator.sh check FOLDER REPORT | prov FILE" ;;
esac
