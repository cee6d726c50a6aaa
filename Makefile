# Every target does all the set-up it needs; a bare machine needs Python >= 3.11, pip and make.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := tests/peers/node_modules/.ready

.PHONY: help demo serve test system quick check format bench micro fuzz docs clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Aldis needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv (a minute, once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## send a campaign of 1,000 through the gateway and look around (make demo ARGS=--exit)
	@$(BIN)/aldis demo $(ARGS)

serve: $(READY)  ## run the gateway with config/gateway.toml
	@$(BIN)/aldis serve --config config/gateway.toml

test: check $(PEERS)  ## checks and all tests
	@$(BIN)/python -m pytest $(ARGS)

system:
	@sh tests/system-packages.sh

$(PEERS): tests/peers/package.json tests/peers/package-lock.json | system
	@cd tests/peers && npm ci --silent --no-audit --no-fund
	@touch $@

quick: $(READY)  ## the tests that take under a minute together
	@$(BIN)/python -m pytest -m "not slow" $(ARGS)

check: $(READY)  ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)  ## put the sources in form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)  ## the figures, end to end (about fifteen minutes); results in bench/results/
	@$(BIN)/python -m bench.micro
	@$(BIN)/python -m bench.load all

micro: $(READY)  ## microseconds per call
	@$(BIN)/python -m bench.micro

fuzz: $(READY)  ## inputs nobody would send to all that reads a peer (make fuzz ARGS='--inputs 10000000')
	@$(BIN)/python -m tests.fuzz $(ARGS)

docs: $(READY)  ## renew the pages that are made from tables in the code
	@$(BIN)/python -m gateway.commands.reference

clean:  ## remove what was set up
	@rm -rf .venv build data tests/peers/node_modules .fuzz *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
