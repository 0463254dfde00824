# `make` alone prints what there is. The environment lives in .venv and is made again only when the lock changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.made-from-lock
SPARK  := $(VENV)/.spark-from-lock
CONFIG ?= configs/example_with_metrics.yaml
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate
BENCHMARKS ?= startup local_engine metrics_overhead memory ray_engine

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run setup environments test test-slow check format-check lint types layers docs docs-check examples bench bench-peers lock clean

help: ## Print this
	@echo "mega-data-factory: curate training data, and know where every record and every second went."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@echo "CONFIG=FILE chooses the pipeline of \`make run\`; PYTHON=python3.12 the interpreter of a new .venv."

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "Setting up $(VENV) (one to two minutes, once) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(SPARK): $(STAMP) requirements-spark.lock
	@$(BIN)/pip install --quiet --require-hashes -r requirements-spark.lock
	@touch $@

setup: $(STAMP) ## Create .venv

environments: $(SPARK) ## Install what the slow tests run beside it: Spark in .venv, Superset, MLflow and datatrove below build/
	@$(BIN)/python -m tests.environments

run: $(STAMP) ## Curate the text files of the Python environment, with metrics
	@$(BIN)/mdf run --config $(CONFIG)

test: $(STAMP) ## The tests of every change (about five minutes on two idle cores)
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal

test-slow: $(SPARK) ## The tests that start clusters, browsers and servers, and kill workers
	$(BIN)/pytest -m slow -n 2 --dist loadfile --no-loadscope-reorder --timeout 900 --durations 25

check: format-check lint types layers docs-check test ## Everything a change must pass, but the slow tests

format-check: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy
	$(BIN)/mypy benchmarks

layers: $(STAMP)
	$(BIN)/lint-imports

docs-check: $(STAMP)
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/grafana_dashboard.py --check

docs: $(STAMP) ## Write the generated pages of docs/ again
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/grafana_dashboard.py

examples: $(STAMP) ## Run every script in examples/
	@set -e; for example in examples/*.py; do echo "== $$example"; $(BIN)/python "$$example"; done

bench: $(STAMP) ## Measure: speed against hand-written loops, cost of the metrics
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py; done

bench-peers: $(STAMP) ## Compare with datatrove, data-juicer, Ray Data and polars; CORPUS=FOLDER takes your .jsonl files
	$(BIN)/python benchmarks/peers_gopher.py $(if $(CORPUS),--corpus $(CORPUS))

lock: ## Resolve the dependencies again into requirements.lock (needs uv)
	$(COMPILE) --all-extras --group dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --group pyproject.toml:spark --output-file requirements-spark.lock
	$(COMPILE) --no-emit-package fasttext-predict tests/observe/fineweb/requirements.in --output-file tests/observe/fineweb/requirements.lock

clean: ## Remove the environment, caches and what runs have written
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis metrics output rejected
