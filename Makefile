# Every target makes the virtual environment that it needs; nothing is installed outside of it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed-run
READY_TEST := $(VENV)/.installed-test
READY_BENCH := $(VENV)/.installed-bench
READY_INTEGRATION := $(VENV)/.installed-integration
LISTEN ?= 127.0.0.1:10067

# The tests start the service many times: each time it would be compiled anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test fuzz integration chaos outage vendors bench lint format lock clean

run: $(READY)
	$(BIN)/pipeline-exporter demo --listen $(LISTEN)

# More than there may be cores: many tests wait for a process or a server.
WORKERS = $(shell cores=$$(nproc); echo $$((cores > 4 ? cores : 4)))

test: $(READY_TEST)
	$(BIN)/python -m pytest -m "not integration" -n $(WORKERS) $(ARGS)

integration: $(READY_INTEGRATION)
	$(BIN)/python -m tests.integration.servers
	$(BIN)/python -m pytest -m integration $(ARGS)

chaos: $(READY_TEST)
	$(BIN)/python -m tests.chaos --kills 200 $(ARGS)

# A collector that is away for ten minutes.
outage: $(READY_TEST)
	$(BIN)/python -m tests.chaos.outage $(ARGS)

# Apify's 200 log streams and GoldRush's moving tails, the exporter killed under them; `make integration` has short forms.
vendors: $(READY_TEST)
	$(BIN)/python -m tests.vendors apify --streams 200 --kills 40 $(ARGS)
	$(BIN)/python -m tests.vendors goldrush --seconds 300 $(ARGS)
	$(BIN)/python -m tests.vendors goldrush --seconds 300 --pipelines 3 --budget 10/s $(ARGS)
	$(BIN)/python -m tests.vendors goldrush --seconds 300 --kills 30 $(ARGS)

# As many random streams as the variable says; tests try 300.
fuzz: $(READY_TEST)
	PIPELINE_EXPORTER_FUZZ_RUNS=$${PIPELINE_EXPORTER_FUZZ_RUNS:-100000} $(BIN)/python -m pytest tests/logs/test_fuzz_all.py $(ARGS)

bench: $(READY_BENCH)
	$(BIN)/python -m tests.bench $(ARGS)
	$(BIN)/python -m tests.bench.logs $(LOG_ARGS)

lint: $(READY_INTEGRATION)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy examples/provider/pipeline_exporter_rivulet.py

format: $(READY_INTEGRATION)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The lock files hold every package with its hash. Run this after a change of the ranges in pyproject.toml.
LOCK := $(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-annotate --no-header --python-version 3.11
lock: $(READY_TEST)
	$(LOCK) --output-file requirements/install.txt --group install
	$(LOCK) --output-file requirements/run.txt --group build pyproject.toml
	$(LOCK) --output-file requirements/test.txt --group test pyproject.toml
	$(LOCK) --output-file requirements/bench.txt --group bench pyproject.toml
	$(LOCK) --output-file requirements/integration.txt --group integration pyproject.toml

clean:
	rm -rf $(VENV) build *.egg-info $(COMPILED:.pyx=.c) $(COMPILED:.pyx=.*.so) .hypothesis .mypy_cache .pytest_cache .ruff_cache

# The hottest loops are compiled where there is a compiler; without one everything works too, only slower.
COMPILED := $(wildcard exporter/*/*.pyx)

# uv takes seconds for what takes pip half a minute. Where there is none, or it cannot reach the index that pip is told of, pip does it.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
UV := $(BIN)/uv --quiet pip install --python $(BIN)/python --link-mode copy --compile-bytecode

$(VENV)/.installed-%: requirements/%.txt requirements/install.txt pyproject.toml $(COMPILED)
	@echo "Installing into $(VENV), about half a minute …"
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) --only-binary :all: --require-hashes --requirement requirements/install.txt \
		&& $(UV) --no-deps --require-hashes --requirement $< \
		|| $(PIP) --no-deps --require-hashes --requirement $<
	rm -rf build $(COMPILED:.pyx=.*.so)
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@
