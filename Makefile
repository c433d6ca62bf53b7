# Every target sets up what it needs: Python 3.11 is all a fresh machine must have.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run test test-full faults soak chart dashboards image check bench bench-full bench-profile soak-memory docs site clean

install: .venv/.ready

.venv/.ready: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ocpp-gateway needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

run: install
	$(BIN)/ocpp-gateway demo $(ARGS)

test: install
	$(BIN)/pytest $(ARGS)

test-full: install
	tests/peers/install.sh
	$(BIN)/pytest -n 3 --dist worksteal -m 'full or slow' $(ARGS)

faults: install
	$(BIN)/python -m tests.faults $(ARGS)

soak: install
	$(BIN)/pytest -n 0 -m soak -s tests/faults $(ARGS)

chart: install
	tests/chart/install.sh
	$(BIN)/pytest -n 0 -rs -m chart $(ARGS)

dashboards: install
	tests/chart/install.sh
	.chart/python/bin/python -m tools.dashboards

image: install
	tests/chart/install.sh
	$(BIN)/pytest -n 0 -rs -m image $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	-tests/peers/install.sh bench
	$(BIN)/python -m tests.bench $(ARGS)

bench-full: install
	-tests/peers/install.sh bench
	$(BIN)/python -m tests.bench --full $(ARGS)

bench-profile: install
	$(BIN)/python -m tests.bench.profile $(ARGS)

soak-memory: install
	$(BIN)/python -m tests.bench.soak $(ARGS)

docs: install
	$(BIN)/python -m tools.docs

# Of its own environment: nothing that the program needs.
site: .site/.ready
	NO_MKDOCS_2_WARNING=1 .site/python/bin/mkdocs build --strict --quiet $(ARGS)
	.site/python/bin/python -m tools.site

.site/.ready: requirements-site.lock
	$(PYTHON) -m venv .site/python
	.site/python/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-site.lock
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .peers .chart .image .site
