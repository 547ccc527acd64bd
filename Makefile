# Every command a newcomer needs; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: help setup run check packages test test-long lock bench clean
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Longwire needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/pip requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/installed-dev ## make .venv with everything, from the hash-locked files

run: $(VENV)/installed ## the main job, working: server, 20 simulated sensors, a receiver
	$(BIN)/longwire demo

check: $(VENV)/installed-dev ## style, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/house.py

packages: ## what tests need of the system: installed through apt when missing, as root
	@sh tests/packages.sh

test: check packages ## the quick form of every test
	$(BIN)/pytest -q -n 2 --dist loadfile

test-long: check packages ## the full counts (200 crash rounds, long hypothesis runs)
	TEST_LONG=1 $(BIN)/pytest -q

lock: ## refresh the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate requirements.in -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate requirements-dev.in -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate requirements-bench.in -o requirements-bench.lock

bench: $(VENV)/installed-dev ## measure, with ratios in one run (see docs/benchmarks.md)
	@sh bench/packages.sh
	$(BIN)/python -m bench

clean: ## remove what the commands made, but not ./var
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
