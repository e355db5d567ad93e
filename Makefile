# make demo: the whole pipeline on a bundled real dataset, offline.   make test: all tests.
# Both do all the set-up on a fresh machine with Python 3.11+ and a C++ compiler.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-cluster lint setup clean hardening

demo: $(VENV)/.installed
	$(BIN)/python flows/demo.py

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

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

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/.tested-cluster: $(VENV)/.tested
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,test-cluster]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
