# Every target sets up .venv by itself; a machine needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Chaos by seeds; `make soak SEEDS=1 FIRST=17` plays one of them again.
SEEDS ?= 200
FIRST ?= 1

.PHONY: setup run test interop real-agents soak check bench screenshots docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Clown needs Python 3.11 or newer; set PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

run: setup
	@$(BIN)/clown-tui

test: setup
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup --cov --cov-report= $(ARGS)
	@$(BIN)/python -m coverage report --fail-under 85 --format total >/dev/null || { $(BIN)/python -m coverage report; exit 1; }

soak: setup
	$(BIN)/python -m tests.soak.chaos --seeds $(SEEDS) --first $(FIRST) $(ARGS)

# Clients of other makers and the Autobahn suite, fetched from their registries into .interop/.
interop: setup
	$(BIN)/python -m tests.interop.install
	$(BIN)/python -m pytest -m interop tests/interop $(ARGS)

# The real agents against a provider on loopback, fetched from their registry into .interop/ (1.5 GB).
real-agents: setup
	$(BIN)/python -m tests.interop.agents.install
	$(BIN)/python -m pytest -m real_agents tests/interop/agents $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

screenshots: setup
	$(BIN)/python -m screenshots

docs: setup
	$(BIN)/python -m clown_daemon.protocol.reference docs/protocol.md docs/http-api.md

clean:
	rm -rf $(VENV) .interop build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* *.egg-info
