# make demo    colour the example pictures with a plain install
# make test    everything, with all extras, and the plain install's own tests
# make check   lint, format, types

PYTHON ?= python3
VENV := .venv
PLAIN := .venv-plain
PIP := -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo setup test test-slow check clean

demo: $(VENV)/plain
	$(VENV)/bin/photochrom examples -o coloured --overwrite
	@echo "The coloured pictures are in $(CURDIR)/coloured"

setup: $(VENV)/all $(PLAIN)/plain

test: setup
	$(VENV)/bin/python -m pytest -m "not slow"
	$(PLAIN)/bin/python -m pytest -m "plain and not slow"

test-slow: setup
	$(VENV)/bin/python -m pytest -m slow

check: $(VENV)/all
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

clean:
	rm -rf $(VENV) $(PLAIN) coloured

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/plain: $(VENV)/bin/python pyproject.toml constraints.txt
	$(VENV)/bin/python $(PIP) -e .
	@touch $@

$(VENV)/all: $(VENV)/bin/python pyproject.toml constraints.txt
	$(VENV)/bin/python $(PIP) torch
	$(VENV)/bin/python $(PIP) -e ".[dev]"
	@touch $@ $(VENV)/plain

$(PLAIN)/plain: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PLAIN)
	$(PLAIN)/bin/python $(PIP) -e . pytest hypothesis
	@touch $@
