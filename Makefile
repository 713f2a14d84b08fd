# Each target makes the environment when it is missing and does nothing twice.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1
QUESTION ?= What is the capital of Australia?

.PHONY: ask test lint index test-virtuoso clean

# The constraints pin torch to the version that has a CPU build; without them pip takes gigabytes of CUDA.
$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || python3 -m venv $(VENV)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(PY) -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $(STAMP)

ask: $(STAMP)
	$(VENV)/bin/ontoprompt ask "$(QUESTION)"

test: $(STAMP) lint
	$(PY) -m pytest

lint: $(STAMP)
	$(VENV)/bin/ruff check ontoprompt tests bench ontology
	$(VENV)/bin/mypy

index: $(STAMP)
	$(VENV)/bin/ontoprompt index

test-virtuoso: $(STAMP)
	$(PY) tests/virtuoso/run.py

clean:
	rm -rf $(VENV) build dist
