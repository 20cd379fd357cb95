# Everything a developer does. `make serve` and `make test` need nothing but make and a Python.
.DEFAULT_GOAL := help
.PHONY: chaos cluster dist engines help serve test test-light lint format bench lock clean

# BLAS threads that spin for each other made small matrix products 12 times slower on 2 busy cores.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

# Some containers forbid it to keep bytecode: each of the two hundred processes of a test run would
# compile the project anew, and each of four would prepare all tests.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

serve: $(VENV)/serve.stamp  ## set up and start the service with the embedded database
	@exec $(BIN)/stepahead serve

test: $(VENV)/dev.stamp  ## set up and run all tests
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-light: $(VENV)/light.stamp  ## set up without TensorFlow, run all tests that need none
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not tensorflow" $(ARGS)

lint: $(VENV)/dev.stamp  ## style, layers and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(VENV)/dev.stamp  ## format the code, mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp  ## run all benchmarks, up to half an hour, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks $(ARGS)

lock: $(VENV)/dev.stamp  ## compile requirements/*.txt from pyproject.toml
	sh requirements/compile $(BIN)/uv

cluster: $(VENV)/dev.stamp  ## two hosts in network namespaces, one of them cut off (as root)
	$(BIN)/pytest -o log_cli=true -o log_cli_level=INFO tests/cluster

engines: $(VENV)/dev.stamp requirements/batch.txt  ## install Ray, Dask and DuckDB (0.5 GB), forecast on each
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/batch.txt
	$(BIN)/pytest -q tests/engines $(ARGS)

chaos: $(VENV)/dev.stamp  ## kill, stop, cut off and fill up everything, TIMES times (20); print a table
	CHAOS_TIMES=$(or $(TIMES),20) $(BIN)/pytest -q tests/chaos $(ARGS)

dist: $(VENV)/release.stamp  ## build wheel, source archive and CycloneDX list into dist/
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(BIN)/python -W ignore -m cyclonedx_py requirements requirements/serve.txt \
		--pyproject pyproject.toml --output-reproducible --output-file \
		"$$(ls dist/*.tar.gz | sed 's/\.tar\.gz$$/.cdx.json/')"

clean:  ## remove the virtual environment (never the data)
	rm -rf $(VENV)

# What tests need is compiled when it is first imported: pip would compile all of TensorFlow.
COMPILING := --no-compile
$(VENV)/serve.stamp: COMPILING := --compile

# A set of requirements is installed once, and again when it or the project's own metadata changed.
# dev contains light and serve, so a `make serve` after a `make test` finds all it needs.
$(VENV)/dev.stamp $(VENV)/light.stamp: requirements/nixtla.txt
$(VENV)/%.stamp: requirements/%.txt pyproject.toml requirements/python
	@sh requirements/python $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(COMPILING) --require-hashes \
		-r requirements/$*.txt
	@if [ $* = dev ] || [ $* = light ]; then $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --no-deps -r requirements/nixtla.txt; fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@
