# From a fresh clone with Python 3.11 or later, venv and make. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install install-production demo run shell test test-fast coverage check format bench query-counts screenshots lock

UV_VERSION := 0.13.9
# Where the packages go; `make test VENV=/tmp/python3.13 PYTHON=python3.13` leaves .venv as it is.
VENV ?= .venv
BIN := $(VENV)/bin
SHOW_VERSION := import sys; print("%d.%d" % sys.version_info[:2])
# The environment's own interpreter, or else the first that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for name in $(BIN)/python python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
# pyenv's command `python3.12` fails unless pyenv has that version chosen; its interpreter is then run directly.
PYENV = $(firstword $(wildcard $(HOME)/.pyenv/versions/$(patsubst python%,%,$(PYTHON))*/bin/python))
override PYTHON := $(shell if "$(PYTHON)" -c '' 2>/dev/null; then echo "$(PYTHON)"; else echo "$(PYENV)"; fi)
VERSION := $(shell "$(PYTHON)" -c '$(SHOW_VERSION)' 2>/dev/null)
# Each lock is made for Python 3.11, and `make check` sees that it covers 3.13: later versions need fewer packages.
COMPILE := $(BIN)/uv pip compile -q pyproject.toml --no-emit-index-url --no-emit-find-links --no-header --no-annotate
DEV := --group dev
# Production gets the versions that the tests use.
PRODUCTION := -c requirements-dev.lock
# Test processes, each with its own files. Many tests wait for servers, so three keep two processors busy.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile
# All files keep the order of tests/conftest.py: xdist would begin with those of the most tests and end with the longest.
IN_ORDER := --no-loadscope-reorder
# Beside SQLite; `make test STORES=` leaves them out.
STORES ?= postgresql mongodb
# What a request, an answer or a form may look like, and who may send it, is the same on each: SQLite alone tests it.
STORE_TESTS := tests/app/core/store tests/app/core/jobs tests/app/federations/services \
	$(patsubst %,tests/api/test_%.py,cancelled_sync change_policy delete_federation list_federations pagination \
		plan_changes plans resources runs runtimes sync_federation) \
	$(patsubst %,tests/api/peers/test_%.py,agent_work agents_pages attacks_by_input attacks_by_replay callback dispatch \
		intents numbers pruned_replay receive receive_concurrency receive_groups receive_limits) \
	$(patsubst %,tests/app/federations/admin/test_%.py,pages parts plans runs runtimes) \
	$(patsubst %,tests/app/federations/runs/test_%.py,cancel claim drive resume) \
	$(patsubst %,tests/app/peers/%,agent_work catalog inbox outbox retention) tests/app/peers/log/test_pruning.py \
	$(patsubst %,tests/app/peers/staff/test_%.py,dead_letters decisions every_page lost_decisions proposals \
		visibility_pages work_pages) \
	$(patsubst %,tests/app/fedhub/config_file/test_%.py,round_trip two_runs) \
	$(wildcard tests/contract/test_sync_*.py) $(patsubst %,tests/contract/test_%.py,backup copy_registry soak \
		plan_concurrency plan_processes worker)
# MongoDB's double is the slowest server: it gets the tests whose queries and races PostgreSQL does not stand for.
NOT_ON_MONGODB := $(filter-out tests/contract/test_backup.py,$(filter tests/contract/%,$(STORE_TESTS))) \
	$(filter tests/app/federations/admin/%,$(STORE_TESTS)) \
	$(patsubst %,tests/api/test_%.py,cancelled_sync change_policy delete_federation list_federations pagination) \
	$(patsubst %,tests/api/peers/test_%.py,attacks_by_input dispatch intents numbers) \
	$(patsubst %,tests/app/peers/staff/test_%.py,dead_letters decisions proposals visibility_pages work_pages) \
	tests/app/core/store/test_old_databases.py tests/app/federations/runs/test_drive.py \
	$(filter tests/app/fedhub/config_file/%,$(STORE_TESTS)) tests/app/peers/outbox/test_sweep.py
SOURCES := core fedhub federations peers sandbox tests benchmarks
# The test folders of the packages that differ from the branch `main`, committed or not.
CHANGED_TESTS = $(shell { git diff --name-only "$$(git merge-base HEAD main 2>/dev/null || echo HEAD)"; \
	git ls-files --others --exclude-standard; } 2>/dev/null | \
	sed -nE 's,^(tests/app/)?(core|fedhub|federations|peers|sandbox)/.*,tests/app/\2,p' | sort -u)

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 28

# A stamp for each kind of environment and each version of Python. It is made last, so that a broken set-up is repeated.
INSTALLED := $(VENV)/installed-$(or $(VERSION),none)
install: $(INSTALLED)-dev ## set .venv up with all packages, those of tests and sandbox too
	@:

install-production: $(INSTALLED)-production ## set .venv, or VENV=path, up with the packages that a deployment needs
	@:

# Makes the environment with the chosen Python, and installs the packages of the lock $(1) and no others.
define set_up
	@if [ -z "$(VERSION)" ] || ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "fedhub needs Python 3.11 or later on the PATH, or PYTHON=/path/to/python3.11." >&2; exit 1; fi
	@if ! "$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$(PYTHON) lacks venv: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; fi
	@if [ -n "$$(ls -A $(VENV) 2>/dev/null)" ] && [ ! -e $(VENV)/pyvenv.cfg ]; then \
		echo "$(VENV) is not a virtual environment: name another folder by VENV=." >&2; exit 1; fi
	@if [ "$$($(BIN)/python -c '$(SHOW_VERSION)' 2>/dev/null)" != "$(VERSION)" ]; then \
		rm -rf $(VENV) && "$(PYTHON)" -m venv $(VENV); fi
	@rm -f $(VENV)/installed*
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python $(1)
	@touch $@
endef

$(INSTALLED)-dev: requirements-dev.lock
	$(call set_up,requirements-dev.lock)

$(INSTALLED)-production: requirements.lock
	$(call set_up,requirements.lock)

demo: install ## run the hub with a sandbox in place of AWS; Ctrl-C stops it
	@if [ ! -d sandbox ]; then \
		echo "The demo needs the folder sandbox, which this installation lacks: use a full checkout." >&2; exit 1; fi
	@exec $(BIN)/python -m sandbox.demo

run: install ## run the web server alone, with the settings of this shell; it follows changes of the code
	@$(BIN)/python manage.py migrate --verbosity 0
	@exec $(BIN)/python manage.py runserver $${FEDHUB_PORT:-8000}

shell: install ## open a Python shell with the models imported
	@exec $(BIN)/python manage.py shell

ifdef ONE
test: install
	@$(BIN)/python -m pytest $(if $(STORE),--store=$(STORE)) $(ONE)
else
test: install ## run all tests on each store; ONE=path::name runs some, on STORE=postgresql or mongodb if named
	@echo "All tests, on SQLite"
	@$(PYTEST) $(IN_ORDER)
	@for store in $(STORES); do echo "The tests of the registry, on $$store"; $(PYTEST) --store=$$store $(STORE_TESTS) \
		$$([ "$$store" = mongodb ] && echo $(NOT_ON_MONGODB:%=--deselect=%) || echo $(IN_ORDER)); done
endif

test-fast: install ## run tests/pure, then tests/app of the packages that differ from the branch main, on SQLite
	@$(PYTEST) tests/pure
	@if [ -n "$(CHANGED_TESTS)" ]; then $(PYTEST) $(wildcard $(CHANGED_TESTS)); fi

coverage: install ## run all tests on SQLite; show the lines and branches that no test reaches
	@$(PYTEST) --cov --cov-report=term

check: install ## format, spelling, lint, layers, types, system checks, migrations, locks
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target check-types check-code check-locks

# mypy uses one processor, and takes about as long as all others together.
.PHONY: check-types check-code check-locks
check-types:
	$(BIN)/mypy $(SOURCES)

check-code:
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive core fedhub federations peers
	$(BIN)/lint-imports
	$(BIN)/python manage.py check
	$(BIN)/python manage.py makemigrations --check --dry-run

check-locks:
	@cp requirements.lock requirements-dev.lock $(VENV)
	$(COMPILE) $(DEV) --python-version 3.11 -o $(VENV)/requirements-dev.lock
	$(COMPILE) $(PRODUCTION) --python-version 3.11 -o $(VENV)/requirements.lock
	@for lock in requirements.lock requirements-dev.lock; do \
		cmp -s $$lock $(VENV)/$$lock || { echo "$$lock does not match pyproject.toml: run make lock." >&2; exit 1; }; \
		if grep -nvE '^[a-z0-9-]+==[A-Za-z0-9.]+$$' $$lock; then \
			echo "$$lock holds more than names and versions." >&2; exit 1; fi; done
	@$(COMPILE) $(DEV) --python-version 3.13 -o $(VENV)/requirements-dev.lock
	@if [ -n "$$(comm -13 <(sort requirements-dev.lock) <(sort $(VENV)/requirements-dev.lock))" ]; then \
		echo "requirements-dev.lock does not hold all that Python 3.13 needs." >&2; exit 1; fi

format: install ## format the code, and mend what the linter can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: install ## measure everything; print each figure beside its ideal or peer, and beside the last run
	@exec $(BIN)/python -m benchmarks

query-counts: install ## write the number of queries of each page to the baseline that a test compares
	@FEDHUB_RENEW_QUERY_COUNTS=1 $(BIN)/python -m pytest -p no:randomly tests/app/fedhub/test_query_counts.py

# README=1 writes the three pictures of the README to docs/images instead; ONLY=dispatch takes the pages with that text.
screenshots: install ## photograph every page, light, dark and on a phone, with little and with much data: screenshots/
	@exec $(BIN)/python -m tests.browser.screenshots $(if $(README),--readme) $(if $(ONLY),--only $(ONLY))

lock: install ## choose the versions of both locks anew within pyproject.toml's bounds
	$(COMPILE) $(DEV) --python-version 3.11 --upgrade -o requirements-dev.lock
	$(COMPILE) $(PRODUCTION) --python-version 3.11 --upgrade -o requirements.lock
