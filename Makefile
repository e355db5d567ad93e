# make demo: the whole pipeline on a bundled real dataset, offline.   make test: all tests.
# Both do all the set-up on a fresh machine with Python 3.11+ and a C++ compiler.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test types suite test-cluster lint setup clean hardening

demo: $(VENV)/.installed
	$(BIN)/python flows/demo.py

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs=2 types suite

types: $(VENV)/.tested
	$(BIN)/mypy

# In the order of tests/conftest.py, which has the longest files first; one thread for each of the two workers.
suite: $(VENV)/.tested
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-cluster: $(VENV)/.tested-cluster  # nights on a Ray cluster of this machine: minutes
	$(BIN)/python -m pytest -m cluster tests/cluster

hardening: $(VENV)/.tested  # hours; HARDENING='--minutes 5 --share 0.1' for less
	$(BIN)/python -m benchmarks.hardening --results hardening.jsonl --write $(HARDENING)

lint: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(VENV)/.tested

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

PIP = $(BIN)/python -m pip install --quiet
# Of 26,000 modules most are never imported, so none is compiled before it is.
LOCKED = $(PIP) --no-compile --constraint constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --upgrade pip
	$(LOCKED) --editable .
	touch $@

$(VENV)/.tested: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --upgrade pip
	$(LOCKED) --editable '.[test]'
	touch $(VENV)/.installed $@

$(VENV)/.tested-cluster: $(VENV)/.tested
	$(LOCKED) --editable '.[test,test-cluster]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
