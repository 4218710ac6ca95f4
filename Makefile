# `make` alone prints the targets. Everything runs in .venv, which is made on first use from
# requirements.lock; nothing outside this folder is changed.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_VENV := build/bench-venv
BENCH_STAMP := $(BENCH_VENV)/.installed
AUDIT_VENV := build/audit-venv
AUDIT_STAMP := $(AUDIT_VENV)/.installed
# The longest files come first and the many short ones last, so that no process waits for another at the end.
TESTS ?= $(wildcard tests/fuzz tests/acceptance tests/faults tests/integration tests/arq_compat tests/security tests/unit)
# Tests often wait for servers: three at a time keep two cores busy. One file stays in one process.
PARALLEL ?= -n 3 --dist loadfile --no-loadscope-reorder
SOURCES := $(wildcard worker producers tests benchmarks)

# Warnings of pip tell of the machine's configuration, not of this project; errors still show.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

# Another project's settings would shadow the locked packages.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# A venv is of no use once its interpreter is gone or the folder has moved (its scripts and the editable
# install carry absolute paths): without the stamp it is made anew.
ifneq ($(shell $(BIN)/python -c 'print("runs")' 2>/dev/null) $(shell cat $(STAMP) 2>/dev/null),runs $(CURDIR))
$(shell rm -f $(STAMP))
endif

.PHONY: help demo test check faults soak bench bench-quick audit format lock build clean
.DEFAULT_GOAL := help

help: ## print the targets
	@echo 'make TARGET [NAME=value ...]'
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1\t/p' Makefile | expand -t 15
	@echo 'The first run makes .venv with Python 3.11 to 3.13; PYTHON=/path/to/python names one.'

demo: $(STAMP) ## run the whole system on this machine; FILE= SOURCE= DATA= REPORT= KEEP=1
	@$(BIN)/hospital-worker demo $${FILE:+--file "$$FILE"} $${SOURCE:+--source "$$SOURCE"} \
		$${DATA:+--data "$$DATA"} $${REPORT:+--report "$$REPORT"} $${KEEP:+--keep}

test: $(STAMP) ## run the tests on real servers of their own; TESTS=tests/unit ARGS='-k codec' PARALLEL=
	@$(BIN)/python -m pytest $(TESTS) $(PARALLEL) $(ARGS)

check: $(STAMP) ## lint, format, types, import rules and the tests' own lint
	$(BIN)/ruff check --quiet $(SOURCES)
	$(BIN)/ruff format --quiet --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tests/lint.py

faults: $(STAMP) ## kill, freeze, cut off, fill up: every row of the fault matrix three times, then a soak of two minutes; ROWS=row_16
	@$(BIN)/python -m tests.faults $${ROWS:+--rows "$$ROWS"}

soak: $(STAMP) ## faults at random for as long as asked, then a million fuzzed envelopes; MINUTES=30 SEED=7 ENVELOPES=0
	@$(BIN)/python -m tests.faults --soak-only --minutes $${MINUTES:-10} $${SEED:+--seed $$SEED} \
		--envelopes $${ENVELOPES:-1000000}

bench: $(BENCH_STAMP) ## measure against peers and bare drivers, 13 to 25 minutes; ONLY='noop ingest'
	@$(BENCH_VENV)/bin/python -m benchmarks $${ONLY:+--only $$ONLY}

bench-quick: $(BENCH_STAMP) ## the same with fewer jobs and rounds, in 90 seconds
	@$(BENCH_VENV)/bin/python -m benchmarks --quick $${ONLY:+--only $$ONLY}

audit: $(AUDIT_STAMP) ## check the locked packages against public advisories; error 3: they cannot be reached
	@$(BIN)/python .ci/audit $(AUDIT_VENV)/bin/pip-audit $(wildcard requirements*.lock) .ci/audit.lock

format: $(STAMP) ## put the code in the form that check wants
	@$(BIN)/ruff check --quiet --fix $(SOURCES)
	@$(BIN)/ruff format --quiet $(SOURCES)

# The smaller locks take their versions from the large one: the image runs what the tests ran.
UV := build/lock/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header $(ARGS)
lock: $(STAMP) ## bring the lock files up to pyproject.toml; ARGS=--upgrade
	@rm -rf build/lock
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/python -m pip -qq --disable-pip-version-check install 'uv>=0.9'
	@$(UV) --universal --python-version 3.11 --extra embedded --extra dev pyproject.toml -o requirements.lock
	@$(UV) --universal --python-version 3.11 -c requirements.lock pyproject.toml -o requirements-runtime.lock
	@$(UV) --universal --python-version 3.11 -c requirements-runtime.lock --extra embedded --extra bench pyproject.toml \
		-o requirements-bench.lock
	@echo hatchling | $(UV) --universal --python-version 3.11 -c requirements.lock - -o requirements-build.lock

build: $(STAMP) ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

clean: ## remove .venv and all that the other targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Names may hide a pyenv shim that fails, or a system Python without its venv module: each is tried.
$(STAMP): requirements.lock pyproject.toml
	@found=; \
	try() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		>/dev/null 2>&1 && found=$$1; }; \
	if [ -n "$$PYTHON" ]; then try "$$PYTHON"; else \
		IFS=:; \
		for name in python3 python3.13 python3.12 python3.11; do \
			for folder in $$PATH; do try "$$folder/$$name" && break 2; done; \
		done; \
		unset IFS; \
	fi; \
	if [ -z "$$found" ]; then \
		echo "make: no usable Python 3.11, 3.12 or 3.13 with venv and ensurepip$${PYTHON:+ at $$PYTHON}." >&2; \
		echo 'make: install one (on Debian also its python3-venv package), or name it: make PYTHON=/path/to/python' >&2; \
		exit 1; \
	fi; \
	if [ -f $(STAMP) ]; then rm $(STAMP); echo 'Bringing .venv up to the lock file.'; else \
		echo "Making .venv with $$found; this takes a minute or two."; "$$found" -m venv --clear $(VENV) || exit; \
	fi; \
	$(PIP) install --require-hashes -r requirements.lock && \
	$(PIP) install --no-deps --no-build-isolation -e . && \
	printf '%s' '$(CURDIR)' > $(STAMP)

# The peers bring dependencies that nothing else here should meet. The project itself is run from its folder.
$(BENCH_STAMP): requirements-bench.lock | $(STAMP)
	@echo 'Making $(BENCH_VENV) with the peers; this takes a minute.'
	@$(BIN)/python -m venv --clear $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip -qq --disable-pip-version-check --no-input install --require-hashes \
		-r requirements-bench.lock
	@touch $(BENCH_STAMP)

# A venv of its own, because what reads advisories brings dependencies that the project does not have.
$(AUDIT_STAMP): .ci/audit.lock | $(STAMP)
	@$(BIN)/python -m venv --clear $(AUDIT_VENV)
	@$(AUDIT_VENV)/bin/python -m pip -qq --disable-pip-version-check --no-input install --require-hashes \
		-r .ci/audit.lock
	@touch $(AUDIT_STAMP)
