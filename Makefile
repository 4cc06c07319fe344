# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/keybearer/_version.py)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start hundreds of processes. Without bytecode, each of them compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo test check soak cluster bench docs format generate lock dist changelog clean browser

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(VENV)/run.stamp  ## set up and start the server; prints where to click
	@echo "Starting the server. Ctrl-C stops it."
	@$(BIN)/keybearer serve $(ARGS)

demo: $(VENV)/test.stamp  ## the whole main job in a throw-away directory, told line by line
	@$(BIN)/python -m demo

# Only the tests of the pages need the browser.
BROWSER = $(if $(filter tests/%,$(ARGS)),$(if $(findstring tests/web,$(ARGS)),browser),browser)

test: $(VENV)/test.stamp $(if $(ARGS),,check) $(BROWSER)  ## set up and run all checks and tests; ARGS=path: only those tests
	$(BIN)/pytest $(ARGS)

check: $(VENV)/test.stamp  ## check form, lint, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	@# Types are checked while pytest compiles the tests, which its processes would do once each.
	$(BIN)/mypy & types=$$!; $(BIN)/pytest --collect-only -qq -n0 >/dev/null 2>&1; wait $$types

soak: $(VENV)/test.stamp  ## attack a real server for ten minutes, print a table, and run the long tests
	$(BIN)/pytest -m soak -n0 -s --hypothesis-profile=new-cases $(ARGS)

cluster: $(VENV)/test.stamp  ## kill and part a primary under load of two hosts, and check what was promised; needs root
	$(BIN)/python -m tests.cluster $(ARGS)

bench: $(VENV)/test.stamp  ## measure everything, print one table, write docs/performance.md; ARGS=messages: one group
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/test.stamp  ## build the documentation site; prints where it is
	@$(BIN)/sphinx-build -W -n --keep-going -q -b html -d build/doctrees docs build/docs
	@echo "The documentation is built. Open $(CURDIR)/build/docs/index.html"

format: $(VENV)/test.stamp  ## put the code into its shape
	$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format .

generate: $(VENV)/test.stamp  ## write what is made of the code: references, manual page, completions
	@for module in cli.reference cli.shared_data public_api wire.documents docs.references; do $(BIN)/python -m tests.$$module || exit 1; done

browser:
	@PYTHON=$(BIN)/python sh tests/install_chromium.sh

changelog: $(VENV)/release.stamp  ## move the entries of changes/ into CHANGELOG.md, under the version as it is now
	$(BIN)/towncrier build --yes

dist: $(VENV)/release.stamp  ## build what is released into dist/: wheel, source distribution, bill of materials
	@! ls changes/+* >/dev/null 2>&1 || { echo "changes/ has entries that CHANGELOG.md lacks: run make changelog" >&2; exit 1; }
	rm -rf dist
	$(BIN)/pyproject-build --no-isolation
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements/run.txt --pyproject pyproject.toml \
	  --output-reproducible --output-file dist/keybearer-$(VERSION).cdx.json

lock: $(VENV)/test.stamp  ## resolve the dependencies anew into requirements/
	sh requirements/lock.sh

clean:  ## remove what the other commands made here (never a data directory)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist screenshots

# Each stamp is newer than the lock it was made from, so a changed lock is installed at the next command.
$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(VENV)/bin/pip
	@echo "Installing the server's packages into $(VENV): this takes about half a minute, once."
	$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# The lock names every package, so pip looks for no others. Python compiles a module when it is first imported; most never are.
$(VENV)/test.stamp: requirements/test.txt pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --no-deps --no-compile --require-hashes -r requirements/test.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@ $(VENV)/run.stamp

$(VENV)/release.stamp: requirements/release.txt pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --require-hashes -r requirements/release.txt
	@touch $@

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Keybearer needs Python 3.11 or later; say which with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing (Debian: apt install python3-venv)." >&2; rm -rf $(VENV); exit 1; }
