# Gatekeeper. `make demo` and `make test` need Python 3.11 to 3.13, git and make; they set up by themselves.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
# The system's certificates, so that a company's own authority works as it does for pip.
export UV_SYSTEM_CERTS := 1
export UV_LINK_MODE ?= copy
# Hundreds of processes of ours start in the tests: each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: secrets digests help setup demo test matrix stress mutants check lint up mondays down bench bench-judgement reference pictures docs lock clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: $(VENV)/ready  ## .venv with the locked dependencies (done by the others where needed)

$(VENV)/ready: requirements.lock pyproject.toml
	@python=""; for candidate in "$$PYTHON" python3 python3.13 python3.12 python3.11; do \
	  if [ -n "$$candidate" ] && "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	  then python="$$candidate"; break; fi; done; \
	if [ -z "$$python" ]; then echo "Python 3.11, 3.12 or 3.13 is needed; none is on the path. Name one: make PYTHON=/path/to/python"; exit 1; fi; \
	echo "setting up $(VENV) with $$($$python --version), the locked dependencies (once, about a minute) ..."; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(VENV); \
	  "$$python" -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "$$python can't make $(VENV). Debian and Ubuntu have what is missing in the package python3-venv" \
	      "(python3.12-venv for a python3.12): apt install python3-venv"; exit 1; }; \
	fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/ready  ## the weekly run under Airflow, eight Mondays of 2018 on real data
	@$(BIN)/python demo/run.py

test: $(VENV)/ready  ## every test but those of matrix and stress
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not stress and not matrix" $(PYTEST)

matrix: $(VENV)/ready  ## the tests that need an environment of their own or a Debian package (.ci/run installs these)
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m "matrix and not stress" $(PYTEST)
	@GATEKEEPER_TESTS_POOLER=1 $(BIN)/python -m pytest -n 3 --dist loadgroup -m "not stress" -k postgresql tests/registry $(PYTEST)

stress: $(VENV)/ready  ## the long races and kills of the registry, with their figures
	@$(BIN)/python -m pytest -n 2 --dist load -m stress $(PYTEST)

mutants: $(VENV)/ready  ## mutation testing of the promotion rule, the promotion act and the ladder
	@$(BIN)/python tests/mutants/run.py $(MUTANTS)

lint: $(VENV)/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

check: lint  ## ruff, mypy --strict, import-linter, and the quick tests
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not slow and not stress and not matrix" $(PYTEST)

up: $(VENV)/ready  ## Airflow and the scoring server on this machine; says where, and the password
	@$(BIN)/python up/run.py up

mondays: $(VENV)/ready  ## the demo's eight Mondays, one after another, in what `make up` has started
	@$(BIN)/python up/run.py mondays $(COUNT)

down: $(VENV)/ready  ## and down again; what they keep stays in build/up
	@$(BIN)/python up/run.py down

secrets:  ## secrets/ for docker-compose.yaml, a file for each; what is there stays
	@container/make_secrets.sh

digests:  ## pin the images of docker-compose.yaml to the digests that a registry gives for them (needs docker)
	@container/digests.sh

bench: build/bench/ready build/bench-mlserver/ready  ## benchmarks beside peers, in an environment of their own
	@build/bench/bin/python bench/run.py

bench-judgement: $(VENV)/ready  ## the rule's size and power (docs/why/judgement.md), and policies over simulated years (policies.md)
	@$(BIN)/python bench/judgement/judgement_table.py
	@$(BIN)/python bench/judgement/judgement_flipped.py
	@$(BIN)/python bench/judgement/judgement_budget.py
	@$(BIN)/python bench/judgement/judgement.py --plots docs/pictures

reference: $(VENV)/ready  ## docs/reference again, from the code
	@$(BIN)/python docs/tooling/reference.py

pictures: $(VENV)/ready  ## every picture of the documentation again, in Chromium
	@$(BIN)/python docs/tooling/pictures.py

docs: $(VENV)/ready  ## the documentation as a site: build/docs/index.html; a broken link fails
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet -d build/docs-trees docs build/docs
	@echo "build/docs/index.html: written"

build/bench/ready: $(VENV)/ready bench/requirements.lock
	@echo "setting up build/bench with the peers ..."
	@[ -x build/bench/bin/python ] || $(BIN)/python -m venv build/bench
	@$(BIN)/uv pip sync --quiet --python build/bench/bin/python --require-hashes bench/requirements.lock
	@$(BIN)/uv pip install --quiet --python build/bench/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

build/bench-mlserver/ready: $(VENV)/ready bench/serving/mlserver/requirements.lock
	@echo "setting up build/bench-mlserver ..."
	@[ -x build/bench-mlserver/bin/python ] || $(BIN)/python -m venv build/bench-mlserver
	@$(BIN)/uv pip sync --quiet --python build/bench-mlserver/bin/python --require-hashes bench/serving/mlserver/requirements.lock
	@touch $@

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --generate-hashes

lock: $(VENV)/ready  ## resolve the two lock files again
	@$(COMPILE) --all-extras pyproject.toml --output-file requirements.lock
	@$(COMPILE) --all-extras pyproject.toml bench/peers.in --output-file bench/requirements.lock
	@$(COMPILE) bench/serving/mlserver/requirements.in --output-file bench/serving/mlserver/requirements.lock

clean:  ## remove what make made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
