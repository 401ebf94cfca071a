#!/bin/sh
# Makes .venv with everything the Makefile's targets need, exactly as locked. Needs git and Python >= 3.11.
# PYTHON names the one to use where the search below would find another.
set -eu
cd "$(dirname "$0")/.."

fail() {
    printf 'setup: %s\n  %s\n' "$1" "$2" >&2
    exit 1
}

is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if is_recent "$candidate"; then
            python=$candidate
            return
        fi
    done
    fail "no Python 3.11 or newer among: ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}." \
        "Install one (Debian: apt-get install python3 python3-venv; macOS: brew install python), or name it: make setup PYTHON=/path/to/python3"
}

command -v git >/dev/null 2>&1 ||
    fail "git is not installed." "Debian: apt-get install git; macOS: xcode-select --install"

# A .venv whose Python is gone (upgraded away) or too old is made anew.
if ! is_recent .venv/bin/python; then
    find_python
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$python cannot make a virtual environment: it has no ensurepip." \
            "Debian: apt-get install python3-venv, then: make setup"
    echo "setup: .venv with $("$python" -V)"
    "$python" -m venv --clear .venv
fi
if ! .venv/bin/uv --version >/dev/null 2>&1; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r requirements/bootstrap.txt
fi

export VIRTUAL_ENV="$PWD/.venv"
.venv/bin/uv pip sync --quiet --require-hashes --compile-bytecode \
    --build-constraints requirements/build.txt requirements/dev.txt
.venv/bin/uv pip install --quiet --no-deps --build-constraints requirements/build.txt --editable .
.venv/bin/lockgate --version >/dev/null || fail ".venv/bin/lockgate does not start." "Run it to see why."
touch .venv/.setup
echo "setup: done. Try: make demo"
