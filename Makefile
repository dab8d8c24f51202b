# From a fresh clone with Python 3.11 or later, venv and make. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install demo test check bench lock

UV_VERSION := 0.13.9
# The first interpreter that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile -q pyproject.toml --all-extras --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
# Two test processes, each with its own files; a third would only wait for the processors.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
# Beside SQLite; `make test STORES=` leaves them out.
STORES ?= postgresql mongodb
# What a request or answer may look like is the same on each, so the fuzzed requests are sent on one alone.
STORE_TESTS := --ignore-glob='*/test_conformance.py' tests/api tests/app/core/store tests/app/core/jobs \
	tests/app/federations/admin tests/app/federations/services tests/app/peers tests/contract/test_commands.py \
	tests/contract/test_copy_registry.py $(wildcard tests/contract/test_sync_*.py) tests/contract/test_worker.py \
	tests/contract/test_two_hubs.py tests/contract/test_kills.py
SOURCES := core fedhub federations peers sandbox tests benchmarks

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: .venv/installed ## set .venv up
	@:

# Made last, so that a broken set-up is repeated.
.venv/installed: requirements.lock
	@if [ -z "$(PYTHON)" ]; then \
		echo "fedhub needs Python 3.11 or later on the PATH, or PYTHON=/path/to/python3.11." >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$(PYTHON) lacks venv: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; fi
	@if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		rm -rf .venv && "$(PYTHON)" -m venv .venv; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	@touch $@

demo: install ## run the hub with a sandbox in place of AWS; Ctrl-C stops it
	@exec $(BIN)/python -m sandbox.demo

test: install ## run all tests, and on each further store those that it matters to
	@echo "All tests, on SQLite"
	@$(PYTEST)
	@for store in $(STORES); do echo "The tests of the registry, on $$store"; $(PYTEST) --store=$$store $(STORE_TESTS); done

check: install ## format, lint, layers, types, system checks, migrations, lock
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy $(SOURCES)
	$(BIN)/python manage.py check
	$(BIN)/python manage.py makemigrations --check --dry-run
	@cp requirements.lock .venv/requirements.lock
	$(COMPILE) -o .venv/requirements.lock
	@if ! cmp -s requirements.lock .venv/requirements.lock; then \
		echo "requirements.lock does not match pyproject.toml: run make lock." >&2; exit 1; fi
	@if grep -nE '://|^-' requirements.lock; then \
		echo "requirements.lock holds addresses or options; it must hold versions alone." >&2; exit 1; fi

bench: install ## measure syncs, receiving from peers, and how search ranks
	@exec $(BIN)/python -m benchmarks

lock: install ## choose versions anew within pyproject.toml's bounds
	$(COMPILE) --upgrade -o requirements.lock
