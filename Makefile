# `make` without a target prints the targets. Everything runs in .venv, which the first target creates from
# requirements.lock. Nothing outside this folder is changed.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_VENV := build/bench-venv
BENCH_STAMP := $(BENCH_VENV)/.installed
ADVISORIES_VENV := build/advisories-venv
ADVISORIES_STAMP := $(ADVISORIES_VENV)/.installed
# The longest test files come first and the many short ones last, so that all processes end at about the same time.
TESTS ?= $(wildcard tests/fuzz tests/acceptance tests/faults tests/integration tests/arq_compat tests/security tests/unit)
# Tests often wait for servers, so three processes keep two cores busy. All tests of a file run in one process.
PARALLEL ?= -n 3 --dist loadfile --no-loadscope-reorder
# Seconds after which no test starts; a run takes about thirteen minutes. tests/support/watchdog.py ends what hangs.
LIMIT := --session-timeout 1500
SOURCES := $(wildcard worker producers tests benchmarks)

# pip's warnings are about the machine's configuration, not about this project. Errors are still shown.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

# Python settings of another project would shadow the locked packages.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# A venv does not work once its interpreter is removed or the folder has moved: its scripts and the editable
# install contain absolute paths. Removing the stamp makes the next target create the venv again.
ifneq ($(shell $(BIN)/python -c 'print("runs")' 2>/dev/null) $(shell cat $(STAMP) 2>/dev/null),runs $(CURDIR))
$(shell rm -f $(STAMP))
endif

.PHONY: help demo test check screenshots matrix faults soak bench bench-quick advisories format lock build clean
.DEFAULT_GOAL := help

help: ## print the targets
	@echo 'make TARGET [NAME=value ...]'
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1\t/p' Makefile | expand -t 15
	@echo 'The first run creates .venv with Python 3.11 to 3.15. To choose one: PYTHON=/path/to/python'

demo: $(STAMP) ## run the whole system on this machine; FILE= SOURCE= MAP= ENCODING= PROFILE= DATA= REPORT= KEEP=1
	@IFS=';'; set -f; set --; for one in $$MAP; do set -- "$$@" --map "$$one"; done; unset IFS; set +f; \
		$(BIN)/hospital-worker demo $${FILE:+--file "$$FILE"} $${SOURCE:+--source "$$SOURCE"} "$$@" \
		$${ENCODING:+--encoding "$$ENCODING"} $${PROFILE:+--profile "$$PROFILE"} \
		$${DATA:+--data "$$DATA"} $${REPORT:+--report "$$REPORT"} $${KEEP:+--keep} $(ARGS)

test: $(STAMP) ## run all tests on private, real servers; TESTS=tests/unit ARGS='-k codec' PARALLEL=
	@$(BIN)/python -m pytest $(TESTS) $(PARALLEL) $(LIMIT) $(ARGS)

check: $(STAMP) ## check lint, format, types, import rules and the rules for tests
	$(BIN)/ruff check --quiet $(SOURCES)
	$(BIN)/ruff format --quiet --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tests/lint.py

screenshots: $(STAMP) ## write the pictures of the page in docs/images/ anew; needs Chromium
	@SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/acceptance/dashboard/test_in_browser.py -k screenshots

matrix: $(STAMP) ## run the tests on every Python, Redis and redis-py found here, and print a table; ONLY='3.14 Valkey'
	@$(BIN)/python -m tests.matrix --only $$ONLY

faults: $(STAMP) ## run every row of the fault matrix with three seeds, then a soak of two minutes; ROWS=row_16
	@$(BIN)/python -m tests.faults $${ROWS:+--rows "$$ROWS"}

soak: $(STAMP) ## inject random faults for MINUTES (default 10), then a million fuzzed envelopes; MINUTES=30 SEED=7 ENVELOPES=0
	@$(BIN)/python -m tests.faults --soak-only --minutes $${MINUTES:-10} $${SEED:+--seed $$SEED} \
		--envelopes $${ENVELOPES:-1000000}

bench: $(BENCH_STAMP) ## compare with peers and bare drivers, 13 to 25 minutes; ONLY='noop ingest'
	@$(BENCH_VENV)/bin/python -m benchmarks $${ONLY:+--only $$ONLY}

bench-quick: $(BENCH_STAMP) ## run the benchmarks with fewer jobs and rounds, in 90 seconds
	@$(BENCH_VENV)/bin/python -m benchmarks --quick $${ONLY:+--only $$ONLY}

advisories: $(ADVISORIES_STAMP) ## check the locked packages against public advisories; error 3: not all could be checked
	@$(BIN)/python .ci/advisories $(ADVISORIES_VENV)/bin/pip-audit $(wildcard requirements*.lock) .ci/advisories.lock

format: $(STAMP) ## format the code and apply the linter's automatic fixes
	@$(BIN)/ruff check --quiet --fix $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

# The smaller locks take their versions from requirements.lock, so the image runs the versions that were tested.
UV := build/lock/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header $(ARGS)
lock: $(STAMP) ## update the lock files from pyproject.toml; ARGS=--upgrade
	@rm -rf build/lock
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/python -m pip -qq --disable-pip-version-check install 'uv>=0.9'
	@$(UV) --universal --python-version 3.11 --extra embedded --extra parquet --extra dashboard --extra gateway --extra otel --extra dev pyproject.toml -o requirements.lock
	@$(UV) --universal --python-version 3.11 -c requirements.lock --extra worker --extra files --extra dashboard --extra gateway pyproject.toml \
		-o requirements-runtime.lock
	@$(UV) --universal --python-version 3.11 -c requirements-runtime.lock --extra embedded --extra bench pyproject.toml \
		-o requirements-bench.lock
	@echo hatchling | $(UV) --universal --python-version 3.11 -c requirements.lock - -o requirements-build.lock

build: $(STAMP) ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## remove .venv and everything that the other targets created
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Try each candidate: it may be a pyenv shim that fails, or a system Python without the venv module.
$(STAMP): requirements.lock pyproject.toml
	@found=; \
	try() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 15))' \
		>/dev/null 2>&1 && found=$$1; }; \
	if [ -n "$$PYTHON" ]; then try "$$PYTHON"; else \
		IFS=:; \
		for name in python3 python3.14 python3.13 python3.12 python3.11 python3.15; do \
			for folder in $$PATH; do try "$$folder/$$name" && break 2; done; \
		done; \
		unset IFS; \
	fi; \
	if [ -z "$$found" ]; then \
		echo "make: no usable Python 3.11 to 3.15 with venv and ensurepip$${PYTHON:+ at $$PYTHON}." >&2; \
		echo 'make: install one (on Debian also its python3-venv package), or give its path: make PYTHON=/path/to/python' >&2; \
		exit 1; \
	fi; \
	if [ -f $(STAMP) ]; then rm $(STAMP); echo 'Updating .venv from the lock file.'; else \
		echo "Creating .venv with $$found; this takes a minute or two."; "$$found" -m venv --clear $(VENV) || exit; \
	fi; \
	$(PIP) install --require-hashes -r requirements.lock && \
	$(PIP) install --no-deps --no-build-isolation -e . && \
	printf '%s' '$(CURDIR)' > $(STAMP)

# The peers have dependencies that must not reach .venv. The project itself runs from this folder.
$(BENCH_STAMP): requirements-bench.lock | $(STAMP)
	@echo 'Creating $(BENCH_VENV) with the peers; this takes a minute.'
	@$(BIN)/python -m venv --clear $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip -qq --disable-pip-version-check --no-input install --require-hashes \
		-r requirements-bench.lock
	@touch $(BENCH_STAMP)

# A separate venv, because pip-audit has dependencies that the project does not have.
$(ADVISORIES_STAMP): .ci/advisories.lock | $(STAMP)
	@$(BIN)/python -m venv --clear $(ADVISORIES_VENV)
	@$(ADVISORIES_VENV)/bin/python -m pip -qq --disable-pip-version-check --no-input install --require-hashes \
		-r .ci/advisories.lock
	@touch $(ADVISORIES_STAMP)
