# `make` alone lists the targets. Each sets up what it needs in .venv and starts from there.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
ALL := $(VENV)/.all
STAGES := lint types floors docs pytest
SITE ?= site

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The builds that pip isolates are held to the same versions: older pips read the first name, newer ones the second.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
# Nothing phones home, and mkdocs-material keeps its announcements to itself.
export MLFLOW_DISABLE_TELEMETRY := true
export NO_MKDOCS_2_WARNING := 1

.PHONY: help demo test lint types floors pytest soak docs docs-pages docs-screens docs-serve bench calibrate format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

demo: $(RUNTIME) ## first run, offline: train on bundled data, draw the ladder, name what to do next
	@$(BIN)/mlproj demo

test: $(ALL) ## everything that has to hold: lint, types, floors, docs, pytest
	@failed=; \
	for stage in $(STAGES); do \
	  echo "== $$stage"; \
	  start=$$SECONDS; \
	  if $(MAKE) --no-print-directory $$stage; then outcome=passed; else outcome=FAILED; failed="$$failed $$stage"; fi; \
	  [ $$stage = pytest ] || echo "== $$stage $$outcome in $$((SECONDS - start)) s"; \
	done; \
	if [ -n "$$failed" ]; then echo "== FAILED:$$failed"; exit 1; fi

lint: $(ALL) ## ruff: format and rules
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff --quiet . | head -40; echo 'run `make format`'; exit 1; }
	@$(BIN)/ruff check --quiet .

types: $(ALL) ## mypy, strict, over package and tests
	@$(BIN)/mypy --no-error-summary

floors: $(ALL) ## import-linter: who may import whom
	@$(BIN)/lint-imports --no-logo > $(VENV)/floors.txt 2>&1 || { cat $(VENV)/floors.txt; exit 1; }

pytest: $(ALL) ## the tests and the examples in docstrings
	@$(BIN)/pytest -q $(PYTEST)

docs: $(ALL) ## check the generated pages and build the site into site/
	@$(BIN)/python docs/generate.py --check
	@$(BIN)/mkdocs build --strict --quiet --clean --site-dir $(SITE)

docs-pages: $(ALL) ## write the pages that are generated from code
	@$(BIN)/python docs/generate.py

docs-screens: $(ALL) ## run the screens in README and docs anew (real trainings)
	@$(BIN)/python docs/generate.py --record

docs-serve: $(ALL) ## show the site on 127.0.0.1:8000 and follow changes
	@$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

soak: $(ALL) ## kill a search a hundred times and see that nothing is lost
	@MLPROJ_KILLS=100 $(BIN)/pytest -q tests/workflow/test_search_kills.py

bench: $(ALL) ## compare with PyTorch, Optuna, scikit-learn (twenty minutes); writes docs/benchmarks (BENCH=--quick: only tries)
	@$(BIN)/python benchmarks/bench.py $(BENCH)

calibrate: $(ALL) ## try the diagnosis on thousands of ladders whose truth is known (minutes); writes docs/calibration.md
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/calibrate.py

format: $(ALL) ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check .

clean: ## remove the environment, caches and everything generated
	rm -rf $(VENV) site build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache mlproj-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in python3.11 python3.12 python3.13 python3 python; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then break; fi; python=; \
	done; \
	if [ -z "$$python" ]; then echo 'Python 3.11 or newer is needed, and none was found on the PATH.' >&2; exit 1; fi; \
	$$python -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing mlproj into $(VENV): a minute or two, once'
	@$(BIN)/python -m pip install -qq -c constraints.txt -e .
	@touch $@

$(ALL): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing mlproj and what its tests and docs need into $(VENV): a minute or two, once'
	@$(BIN)/python -m pip install -qq -c constraints.txt -e '.[test,docs]'
	@touch $@ $(RUNTIME)
