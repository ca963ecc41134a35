# What people type. Every target sees to its environments first; where nothing changed that takes no time.
PYTHON ?= python3
RUN := .venv/bin/python
# Tests wait for a third of their time, for schedules and other programs: one more than there are processors.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
export PYTHONUNBUFFERED := 1
# Hundreds of short programs run here: without byte code each compiles all that it imports, a second or two.
unexport PYTHONDONTWRITEBYTECODE
COMPILE := build/lock/bin/uv --quiet pip compile --universal --generate-hashes --no-annotate --no-header

.PHONY: help install owner demo test unit test-service check format lock bench soak docs-check clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /	/' | expand -t 12

install: ## the environments: .venv, the local stack's, and a laptop's
	@$(PYTHON) ops/environments.py

owner: ## what `python -m ops` needs to deploy to AWS and to look after it, and nothing else
	@$(PYTHON) ops/environments.py --owner

demo: ## the main job from end to end on the local stack; SOURCE=folder backs up one's own
	@$(PYTHON) ops/environments.py --needs gpg
	@$(RUN) -m ops demo $(if $(SOURCE),--source "$(SOURCE)")

test: ## every test, in its short form
	@$(PYTHON) ops/environments.py --needs gpg
	@$(RUN) -m pytest -m "not soak" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

unit: ## the rules alone, in seconds
	@$(PYTHON) ops/environments.py
	@$(RUN) -m pytest tests/domain client/tests/test_origin.py -n $(WORKERS) -q $(ARGS)

test-service: ## the service in-process: requests, events, schedules
	@$(PYTHON) ops/environments.py
	@$(RUN) -m pytest tests/service -n $(WORKERS) --dist loadfile -q $(ARGS)

soak: ## the hour-long forms
	@$(PYTHON) ops/environments.py --needs gpg
	@$(RUN) -m pytest -m soak $(ARGS)

check: install ## format, lint, types, unused code, policies
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(RUN) -m mypy client/tests/conftest.py
	@$(RUN) -m vulture
	@$(RUN) -W ignore::UserWarning -m tools.policies

lock: ## requirements*.txt and the client's, anew from what is beside them, with the digest of every file
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip --quiet install uv==0.13.9
	@for name in requirements requirements-owner requirements-local; do \
		$(COMPILE) --python-version 3.10 $$name.in --output-file $$name.txt || exit 1; \
	done
	@$(COMPILE) --python-version 3.11 requirements-dev.in --output-file requirements-dev.txt
	@$(COMPILE) --python-version 3.10 client/pyproject.toml --output-file client/requirements.txt

format: install ## puts the format right, and what lint can
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

docs-check: ## types every command of the documents on a local stack of its own
	@$(PYTHON) ops/environments.py --needs gpg
	@$(RUN) -m tools.docs.check $(ARGS)

bench: ## how fast it is, against its budgets
	@$(PYTHON) ops/environments.py --needs gpg
	@$(RUN) -m bench $(ARGS)

clean: ## ends the local stack and removes everything that was made here
	@test ! -x $(RUN) || $(RUN) -m ops local down
	@rm -rf .venv build
