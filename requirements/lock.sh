#!/bin/sh
# Writes the locks beside it: every package by version and hash, for every platform and Python we support,
# without the address of any registry. Extra arguments go to uv, as in: sh requirements/lock.sh --upgrade
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

unset PIP_FIND_LINKS UV_FIND_LINKS
compile() {
    name=$1
    shift
    UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --output-file "requirements/$name.txt" "$@"
}
compile dev pyproject.toml requirements/dev.in --extra demo --extra dask --extra kubernetes \
    --extra hub --extra jupyter --extra tools --extra s3 --extra ssh --extra ldap --extra oidc --extra parquet --extra postgresql --extra telemetry "$@"
compile batch requirements/batch.in --constraints requirements/dev.txt "$@"
compile checks requirements/checks.in --constraints requirements/dev.txt "$@"
# It is of the package, not of its development
mv requirements/checks.txt src/lockgate/data/checking/requirements.lock
compile dvc requirements/dvc.in "$@"
compile exports requirements/exports.in "$@"
compile lab pyproject.toml requirements/lab.in --extra jupyter --constraints requirements/dev.txt "$@"
compile build requirements/build.in --constraints requirements/dev.txt "$@"
compile bootstrap requirements/bootstrap.in --constraints requirements/dev.txt "$@"

if grep -nE '://|find-links|index-url' requirements/*.txt src/lockgate/data/checking/requirements.lock; then
    echo "lock: the lines above name a registry; a lock must not" >&2
    exit 1
fi
