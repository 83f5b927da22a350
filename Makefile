# `make test` and `make demo` set up everything themselves; `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
STAMP := .venv/installed

# The models are small: threads cost more than they save, and their number changes the last digits.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo app test lint check format notebooks requirements bench

help:  ## list the targets
	@awk -F ':.*## +' '/^[a-z]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## make .venv; redone only when the pins or pyproject.toml change

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "bayeswell needs Python 3.11 or newer, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { \
	  rm -rf .venv; echo "On Debian the module venv is in a package: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing torch and the build tools (first, so that nothing else chooses the build of torch)"
	@$(PIP) install --constraint constraints.txt torch hatchling editables
	@echo "Installing bayeswell and its pinned dependencies"
	@$(PIP) install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	@touch $@

demo: setup  ## the main job on published data: campaign, model, design space, next batch
	.venv/bin/bayeswell demo

app: setup  ## the web app on the demonstration campaign
	.venv/bin/python -m dashboards

test: setup  ## every test; PostgreSQL and browser tests need their part (see .ci/run)
	.venv/bin/python -m pytest

lint: setup  ## format, lint, types and arrows
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

check: lint  ## lint, and the fast tests
	.venv/bin/python -m pytest -m "not slow and not browser and not postgres"

format: setup  ## format the code and apply the safe lint fixes
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

notebooks: setup  ## execute every notebook; SMOKE_TEST=1 shrinks them, WRITE=1 keeps the outputs
	.venv/bin/python tests/notebooks.py $(if $(WRITE),--write)

requirements: setup  ## write REQUIREMENTS.md from the marks on the tests
	.venv/bin/python tests/requirements_table.py

bench: setup  ## the benchmarks, with their numbers
	.venv/bin/python -m pytest tests/benchmarks -o python_files='bench_*.py'
