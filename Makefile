# `make` prints what there is. Works with GNU make 3.81, which macOS has.

SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
QUICK := tests/unit tests/contract tests/architecture tests/docs
# Plug-ins that the quick tests have no use for, and that take a second to import in every process
UNUSED := -p no:schemathesis -p no:faker -p no:playwright
JOBS ?= 2
BATCH_TESTS ?= tests
ARGS ?=
# Without compiled files every process of ours would compile hundreds of modules anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: lab wheel help setup demo test test-lab test-batch test-kubernetes test-container check test-unit bench docs golden format lock clean
.DEFAULT_GOAL := help

help:         ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: .venv/.setup ## make .venv with everything, as locked (needs git and Python 3.11 or newer)

.venv/.setup: pyproject.toml requirements/dev.txt requirements/build.txt requirements/bootstrap.txt requirements/setup.sh
	@sh requirements/setup.sh

demo: setup   ## the flights project on real data, in ./demo: push, pull, change, push again
	@sh examples/demo.sh

test: setup   ## every test but those of the four targets below
	$(PYTEST) tests -n $(JOBS) --dist worksteal $(ARGS) # else one worker is left with minutes of stories

test-lab: setup ## JupyterLab and JupyterHub in a real browser (needs Node.js with npm, and Chromium)
	$(PYTEST) tests -m lab -n $(JOBS) --dist loadfile $(ARGS)

test-batch: setup ## the tests on real Spark and HTCondor; installs both (Debian, as root)
	VIRTUAL_ENV="$$PWD/.venv" $(BIN)/uv pip install --quiet --require-hashes -r requirements/batch.txt
	$(PYTEST) $(BATCH_TESTS) -m batch -n $(JOBS) --dist loadscope $(ARGS)

test-kubernetes: setup ## the tests on a real Kubernetes node; builds one from Debian's sources (as root)
	$(PYTEST) tests -m kubernetes

test-container: setup ## the image of deploy/, built and run by podman on a base of Debian's packages (as root)
	$(PYTEST) tests/integration/deploy -m container $(ARGS)

check: setup  ## what a change must pass before review: format, lint, types, contracts, quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers 2 || $(BIN)/mypy --num-workers 0 # its workers may start too late on a busy machine
	$(BIN)/lint-imports
	$(PYTEST) $(QUICK) -n $$((2 * $(JOBS))) --dist worksteal $(UNUSED) -m "not slow and not batch and not kubernetes and not container and not lab" --hypothesis-profile=quick

test-unit: setup ## the unit tests only
	$(PYTEST) tests/unit

bench: setup  ## measure; the numbers land in bench/results
	$(BIN)/python bench/run.py

lab: setup lab/node_modules/.package-lock.json ## build the JupyterLab extension (needs Node.js 20 or newer, with npm)
	cd lab && PATH="$$PWD/../$(BIN):$$PATH" npm run --silent build:prod

lab/node_modules/.package-lock.json: lab/package-lock.json
	cd lab && npm ci --ignore-scripts --no-progress

wheel: lab    ## one wheel with everything, in dist/; who installs it needs no Node.js
	$(BIN)/uv build --quiet --wheel --build-constraints requirements/build.txt --out-dir dist .

docs: setup   ## run every code block of the documentation, follow every link
	$(PYTEST) tests/docs

golden: setup ## write the golden files anew; look at the diff before you commit it
	LOCKGATE_GOLDEN=write $(PYTEST) tests/golden

format: setup ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

lock: setup   ## write the locks in requirements/ anew (make lock UPGRADE=--upgrade for newer packages)
	@sh requirements/lock.sh $(UPGRADE)

clean:        ## remove what the targets above made, .venv included
	rm -rf .venv demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
