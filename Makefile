# `make` lists the targets. The first that needs it installs the project into .venv: with uv, which is
# much faster, or with pip where uv does not come or does not manage (it does not read pip's configuration). Modules
# are compiled as pip does: with PYTHONDONTWRITEBYTECODE set, each process would else compile TensorFlow anew.

PYTHON ?= python3
DATA ?= digits
BENCH ?= speed

export TF_CPP_MIN_LOG_LEVEL ?= 3

BIN := .venv/bin

.PHONY: help demo test test-all lint bench clean
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.demo ## Train and show an autoencoder (DATA=digits)
	$(BIN)/python examples/demo.py --data $(DATA)

test: lint ## Check the code, then run the tests
	$(BIN)/python -m pytest -m "not slow"

test-all: lint ## The same with the slow tests
	$(BIN)/python -m pytest

lint: .venv/.test ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.test ## Run a benchmark (BENCH=speed, FULL=1 for all of it)
	$(BIN)/python benchmarks/$(BENCH)/run.py $(if $(FULL),--full)

clean: ## Remove .venv, caches and built packages
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written only after a complete installation; the one for the tests holds all that the demo needs.
.venv/.demo: pyproject.toml
	$(venv)
	$(call install,.)
	@touch $@

.venv/.test: pyproject.toml
	$(venv)
	$(call install,'.[test]')
	@touch .venv/.demo $@

define venv
@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
    $(PYTHON) -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && \
    $(PYTHON) -m venv --clear .venv; \
} || { \
    echo "keras-ae needs Python 3.11, 3.12 or 3.13 with its venv module. $(PYTHON) is: $$($(PYTHON) --version 2>&1)"; \
    echo "Install one, e.g. with 'sudo apt install python3-venv', or name it: make PYTHON=python3.13 ..."; \
    exit 1; \
} >&2
@echo "Installing into .venv: minutes the first time"
endef

define install
@{ $(BIN)/python -m pip install --quiet uv && $(BIN)/uv pip install --python $(BIN)/python --compile-bytecode --quiet -e $(1); } || \
    $(BIN)/python -m pip install --quiet -e $(1)
endef
