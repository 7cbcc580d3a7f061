# cifarlab: `make demo` and `make test` work on a fresh machine; `make help` lists everything.

PYTHON ?= python3
BIN := .venv/bin
WORKERS := -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
# Without bytecode every process of the tests compiles torch's Python files anew.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help setup demo test soak lint types imports check wheel bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: .venv/installed ## create .venv with the package, its extras and the development tools

.venv/installed: pyproject.toml constraints.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh
	@touch $@

demo: .venv/installed ## train on handwritten digits and leave a report in runs/demo (a minute or two)
	@$(BIN)/cifarlab train demo --out runs/demo --resume

test: .venv/installed ## run the tests (minutes)
	@$(BIN)/python -m pytest $(WORKERS)

soak: .venv/installed ## run the long tests too
	@$(BIN)/python -m pytest -m "soak or not soak" --timeout 3600 $(WORKERS)

lint: .venv/installed ## style and format (ruff)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/installed ## types (mypy)
	@$(BIN)/mypy

imports: .venv/installed ## the floors of the package (import-linter)
	@$(BIN)/lint-imports

check: lint types imports test ## everything that a change must pass

wheel: .venv/installed ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

bench: .venv/installed ## measure the training loop against plain ones (half an hour)
	@$(BIN)/python -m benchmarks.training

clean: ## delete .venv and everything that was built; runs stay
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
