# `make demo` and `make test` are all a newcomer needs: each sets up the environment that it uses.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
ROOT   ?= ./data/demo
RUN    := .run

export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false

# Test processes at once: twice the two cores, since many tests wait for servers. Each takes half a minute of a core
# before its first test. And more options for pytest.
PROCESSES ?= 4
PYTEST    ?=
# By module, in their order: the long ones of tests/integration come first, the many small ones fill up the end.
PYTEST_ALL = $(BIN)/pytest -n $(PROCESSES) --dist loadscope --no-loadscope-reorder $(PYTEST)

# uv installs what pip would, in less than half of the time. But it knows no settings of pip: behind a mirror that only
# these name, pip does it.
define INSTALL
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt $(1) \
		|| $(BIN)/pip install --quiet --constraint constraints.txt $(1)
endef

# Files of both are read. The libraries that they ask for are not used, or would need an older numpy.
comma := ,
FILES_OF = --no-deps mediapipe invisible-watermark

.PHONY: demo test test-all pytest lint types imports compiled code audit docs bench up down clean

demo: $(VENV)/.demo
	@$(BIN)/mien demo --root $(ROOT)

# The check of the types takes a minute of one core: it runs beside the tests, and either may fail without the other.
test: lint imports compiled
	@$(MAKE) --no-print-directory --jobs=2 --keep-going types pytest

# With the long kills and mutations, and the audits: before a release, or after changes to what is written and resumed.
test-all: lint imports code compiled
	@$(MAKE) --no-print-directory --jobs=2 --keep-going types pytest MARKS="-m ''"
	@$(MAKE) --no-print-directory audit

pytest: $(VENV)/.dev
	$(PYTEST_ALL) $(MARKS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/pyright

imports: $(VENV)/.dev
	$(BIN)/lint-imports

# The tests start more than a hundred processes. Where bytecode may not be written, each would compile all modules anew,
# and where it may, those that start together do.
compiled: $(VENV)/.dev
	@$(BIN)/python -m compileall -q flows tasks model storage mien deployments benchmarks tests
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m tests.bytecode

# Code that is often the way in for an attack; pyproject.toml and the lines themselves say what is waived, and why.
code: $(VENV)/.dev
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive flows tasks model storage deployments

# Known vulnerabilities of the pinned packages. Where nobody can be asked it says so; AUDIT_REQUIRED=1 makes that fail.
audit: $(VENV)/.dev
	@$(BIN)/python -m tests.architecture.vulnerabilities

# The documentation as a site, in build/site. It needs no network, neither to build nor to read.
docs: $(VENV)/.dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet && echo build/site/index.html

# All benchmarks in a short form, some 15 minutes, and a page of what they printed: build/bench.md.
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.short

# Prefect server, MLflow server and a worker on loopback, to look and click; `make down` ends them.
up: $(VENV)/.demo
	@$(BIN)/python -m deployments.local up

down:
	@$(BIN)/python -m deployments.local down

clean:
	rm -rf $(VENV) build *.egg-info

# A marker per extra, renewed when the requirements change.
$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.uv
	$(call INSTALL,--editable '.[demo]')
	$(call INSTALL,$(FILES_OF))
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.uv
	$(call INSTALL,--editable '.[demo$(comma)dev]')
	$(call INSTALL,$(FILES_OF))
	@touch $@ $(VENV)/.demo

# With torch, which has builds of its own for some machines: pip knows where theirs are.
$(VENV)/.uv:
	@command -v $(PYTHON) >/dev/null || { echo "needs Python 3.11: install it, or name yours with make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "install the requirements into $(VENV)"
	@$(BIN)/pip install --quiet --no-compile --constraint constraints.txt uv torch
	@touch $@
