# Two commands for a newcomer: `make demo` runs the loop, `make test` checks the house.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed

# One process a core, a test file each, the folder first whose files take longest; no file takes four minutes.
AT_A_TIME := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DVC_NO_ANALYTICS := 1
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo test test-fast test-all check lint model clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(INSTALLED) model ## one cycle of the loop on simulated users, in ./demo
	$(BIN)/rlhi demo

test: lint check ## everything that CI runs

check: $(DEVELOPED) model
	$(BIN)/pytest -q --durations=25 $(AT_A_TIME) tests/e2e tests/integration tests/unit

test-fast: lint model ## style, types, layers and unit tests
	$(BIN)/pytest -q $(AT_A_TIME) tests/unit

test-all: lint ## what CI runs, and the tests that are marked long
	RLHI_LONG=1 $(MAKE) check

lint: $(DEVELOPED) ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(INSTALLED) ## rlhi, in .venv

model: $(INSTALLED) ## the embedded models, into the user's cache
	$(BIN)/rlhi model prepare

clean: ## everything that was made here, workspaces excepted
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find rlhi flows tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "no python3 here: install Python 3.11 or name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
		{ echo "$(PYTHON) is not Python 3.11 or 3.12: name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): $(VENV)/.made pyproject.toml
	@echo "installing into $(VENV): some minutes, 3 GB"
	@$(BIN)/pip install -qq --editable .
	@touch $@

$(DEVELOPED): $(INSTALLED)
	@$(BIN)/pip install -qq --editable '.[dev]'
	@touch $@
