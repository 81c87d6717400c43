# Everything a newcomer needs. Each target sets up what it needs itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install run test check conformance bench schema clean

install: $(VENV)/installed

# Hashes are checked; nothing is resolved anew. The editor is optional: without npm or pip's index
# the API runs and says how to get it.
$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	-$(BIN)/python -m api.graphiql.install
	touch $@

# The whole node with a made-up network of 89 regions, until Ctrl-C.
run: install
	$(BIN)/tsur up --demo

# Processes take a file of tests at a time, the slow ones among the first.
test: install
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/tsur schema | diff -u schema.graphql -
	$(BIN)/tsur schema --compatible-with schema.released.graphql
	$(BIN)/tsur lifecycle --markdown | diff -u docs/lifecycle.md -

# Other people's clients and test suites at the running product; needs Node. `make conformance
# SUITES="http relay"` runs some of them.
conformance: install conformance/node_modules/installed conformance/schemathesis/.venv/installed
	$(BIN)/python -m conformance $(SUITES)

# What the lock names and no scripts of packages; nothing is resolved anew.
conformance/node_modules/installed: conformance/package.json conformance/package-lock.json
	cd conformance && npm ci --no-progress --loglevel=error
	touch $@

# Beside the product: the attacker brings libraries of its own.
conformance/schemathesis/.venv/installed: conformance/schemathesis/requirements.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# Ratios in one run; results in bench/results/.
bench: install
	$(BIN)/python -m bench

schema: install
	$(BIN)/tsur schema > schema.graphql
	$(BIN)/tsur lifecycle --markdown > docs/lifecycle.md

clean:
	rm -rf $(VENV) .tsur build *.egg-info conformance/node_modules conformance/schemathesis/.venv
