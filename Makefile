# Everything a newcomer needs: `make run` for a working hub, `make test` for all tests.
PORT ?= 8080
DATA ?= ./data
JSON ?=
PYTHON ?= python3
BIN := .venv/bin

# Suites that work on whole stores, and what `make test` runs of them on Elasticsearch too; it tries the contract on both.
STORED := $(addprefix tests/,taxii access admission correlate publish e2e soak ops store)
AGAIN := $(addprefix tests/,taxii access correlate/test_once.py e2e/test_demo.py)
NOT_AGAIN := https or test_mutual_tls.py or test_limits.py or test_guesses.py or test_passwords.py or test_client_address.py

.PHONY: install run test test-elastic check bench requirements soak lock clean

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: install
	$(BIN)/threathub demo --data $(DATA) --port $(PORT) $(if $(JSON),--json $(JSON))

# All tests, then once more on Elasticsearch those that work on a whole store. Both share one node, which ends with them.
test: install
	@export HUB_TESTS_SESSION=$$$$; set -e; $(BIN)/python -m pytest; \
	HUB_TESTS_ENGINE=elastic $(BIN)/python -m pytest -k "not ($(NOT_AGAIN))" $(AGAIN)

# Everything that uses a store, on Elasticsearch alone.
test-elastic: install
	HUB_TESTS_ENGINE=elastic HUB_TESTS_DEMAND_ELASTIC=1 $(BIN)/python -m pytest $(STORED)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m bench

requirements: install
	$(BIN)/python -m tests.taxii.requirements

soak: install
	$(BIN)/python -m pytest -m soak -n 3 tests

COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-header --no-annotate --no-strip-extras

lock:
	$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file deploy/requirements.lock pyproject.toml

clean:
	rm -rf .venv data
