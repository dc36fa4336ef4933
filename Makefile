# The front door. Two commands for a start: make demo, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PROGRAMS := notary notary-server notary-signer docker-registry skopeo
PACKAGES := notary docker-registry skopeo

.DEFAULT_GOAL := help
DECIDING := imgsig/notary/*,imgsig/state/*,imgsig/policy.py,imgsig/strictjson.py,imgsig/transport/*

.PHONY: help differential coverage demo test test-lowest lint types docs peers fixtures clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r command purpose; \
	do printf '%-18s %s\n' "$$command" "$$purpose"; done

demo: $(VENV)/.run ## verify a signed image from the archive in fixtures/, then see it refused once a byte is changed
	@$(BIN)/python fixtures/demo.py

test: $(VENV)/.test ## run the tests
	$(BIN)/python -m pytest

test-lowest: .venv-lowest/.test ## run the unit tests with the lowest versions that pyproject.toml admits
	.venv-lowest/bin/python -m pytest tests/unit

differential: $(VENV)/.test ## compare every verdict with the real notary client's, and print the table
	$(BIN)/python -m tests.interop.differential

coverage: $(VENV)/.test ## how many branches of what decides the tests take; fails below 98 %
	$(BIN)/python -m pytest -q tests/unit tests/attacks tests/conformance --cov --cov-report=
	$(BIN)/python -m coverage report --fail-under=98 --include='$(DECIDING)'

lint: $(VENV)/.lint ## check style and the bans
	$(BIN)/python -m ruff check .

types: $(VENV)/.lint ## check types, strictly
	$(BIN)/python -m mypy

docs: $(VENV)/.docs ## build the documentation into site/
	$(BIN)/python -m mkdocs build --strict --quiet

peers: ## install the real programs that tests/interop asks (Debian packages; needs root)
	@missing=; for program in $(PROGRAMS); do command -v $$program >/dev/null || missing=yes; done; \
	if [ -z "$$missing" ]; then echo "peers: all there"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(PACKAGES); \
	else echo "peers: please install the Debian packages $(PACKAGES)" >&2; exit 1; fi

fixtures: $(VENV)/.test ## record fixtures/ anew from the real programs (see fixtures/README.md)
	$(BIN)/python -m fixtures.record
	$(BIN)/python -m fixtures.record_inspect

clean: ## remove what the commands above have made
	rm -rf $(VENV) .venv-lowest build dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: what is installed into the virtual environment, once until pyproject.toml changes.

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.docs: $(VENV)/.%: $(VENV)/.run
	$(PIP) --editable '.[$*]'
	@touch $@

.venv-lowest/.test: pyproject.toml tests/lowest.txt
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/lowest.txt --editable '.[test]'
	@touch $@
