# One command for each task. `make` alone lists them.
# Needs Python 3.11 or newer with pip; other dependencies are installed into .venv and node_modules.

PYTHON ?= python3
WORKERS ?= 3
NAME ?=
LAB ?=
KNET_DATA ?= $(abspath $(wildcard ../shared/data))
export KNET_DATA

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# The venv's own Node (from the `network` extra), so that every build uses the same version.
WITH_NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
NODE_MODULES := contracts/node_modules/.package-lock.json
LAB_SOURCES := $(wildcard jupyter_ext/src/*.ts jupyter_ext/src/*/*.ts jupyter_ext/style/*.css jupyter_ext/schema/* jupyter_ext/jupyter-config/* \
	jupyter_ext/*.json jupyter_ext/pyproject.toml)
ARTIFACTS := knet/chain/artifacts
REBUILT := .cache/artifacts
REPORT := .cache/tests.xml
# Browser tests keep an event loop running, which breaks other tests in the same process; so they run alone.
BROWSER_REPORT := .cache/browser.xml
# Version 1 of the MCP SDK, which cannot be installed beside version 2.
MCP1 := .cache/mcp1
MCP1_REPORT := .cache/mcp1.xml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo lab setup test test-browser test-binder mcp1 typescript pytest lint format contracts artifacts openapi types docs bench fuzz pins clean

help:
	@echo "make demo         start a small network on this machine, ask a question, verify the answer"
	@echo "make lab          start JupyterLab with the panels, on the same network"
	@echo "make test         run everything that CI runs: lint, contracts, tests"
	@echo "make test-browser run only the tests that drive JupyterLab in Chromium"
	@echo "make test-binder  build and open the Binder content; check memory and time to the first answer"
	@echo "make mcp1         run only the MCP tests, with version 1 of the SDK"
	@echo "make lint         run ruff, mypy, tsc, prettier, forge fmt"
	@echo "make format       rewrite the sources as lint wants them"
	@echo "make contracts    test the contracts, compare the committed artifacts with the compiler's output"
	@echo "make artifacts    compile the contracts for Python, take new gas snapshots"
	@echo "make openapi      write docs/openapi.json, the nodes' HTTP interface"
	@echo "make types        write the TypeScript types of the panels from the Python records"
	@echo "make docs         build the documentation into site/"
	@echo "make bench        list the benchmarks; make bench NAME=x runs one"
	@echo "make fuzz         give a million hostile inputs to everything that reads foreign bytes; INPUTS=10000 gives fewer"
	@echo "make typescript   check and test the TypeScript of the JupyterLab extension"
	@echo "make setup        install the dependencies of development"
	@echo "make pins         write constraints.txt from the installed versions"
	@echo "make clean        remove everything that was installed or built"
	@echo
	@echo "PYTHON=python3.12 picks an interpreter, KNET_DATA=folder the data sets, WORKERS=4 the test processes,"
	@echo "LAB='--no-browser' further options for JupyterLab."

# --- installing --------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) tools/make_venv.py $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	@echo "knet: installing the dependencies of the demo (a few minutes the first time)"
	$(PIP) -e '.[all]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "knet: installing the dependencies of development (a few minutes the first time)"
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.runtime

$(NODE_MODULES): contracts/package-lock.json | $(VENV)/.dev
	cd contracts && $(WITH_NODE) npm ci --no-audit --no-fund
	@touch $@

# The extension's build fetches its own Node. Output of an earlier build would be packed again, so it is removed first.
$(VENV)/.lab: $(LAB_SOURCES) | $(VENV)/.runtime
	@echo "knet: building the JupyterLab extension (a minute the first time)"
	@rm -rf jupyter_ext/knet_jupyter/labextension
	$(PIP) jupyterlab -e ./jupyter_ext
	@touch $@

setup: $(VENV)/.dev $(VENV)/.lab $(NODE_MODULES)
	@echo "knet: ready. Next: make demo, or make test"

# --- running -----------------------------------------------------------------------------------------------------

demo: $(VENV)/.runtime
	@$(BIN)/knet demo

lab: $(VENV)/.lab
	@mkdir -p .cache/workspace
	KNET_PROFILE=demo $(BIN)/jupyter lab --ServerApp.root_dir=.cache/workspace $(LAB)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks$(addprefix .,$(NAME))

# Two processes at most; progress while it runs, and one line of counts at the end. SEED=5 repeats a run.
fuzz: $(VENV)/.dev
	@$(BIN)/python -m tests.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

# --- checking ----------------------------------------------------------------------------------------------------

test:
	@start=$$(date +%s) && $(MAKE) --no-print-directory lint contracts typescript pytest mcp1 && \
	echo "knet: lint clean, contracts reproducible, tests done in $$(($$(date +%s) - start)) s" && \
	$(BIN)/python tools/summary.py $(REPORT) $(BROWSER_REPORT) $(MCP1_REPORT)

# A file stays with one process, so that a daemon, network or cluster that its tests share is started once.
pytest: $(VENV)/.dev $(VENV)/.lab $(NODE_MODULES)
	@mkdir -p $(dir $(REPORT))
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore tests/browser --junitxml=$(REPORT)
	$(BIN)/python -m pytest tests/browser --junitxml=$(BROWSER_REPORT)

# FIRST_ANSWER=180 raises the limit in seconds on a busy machine. MODELS=folder provides the embedding model's graph where
# the model hub is out of reach, so that the build does not export it.
test-binder: $(VENV)/.runtime
	$(BIN)/python tools/test_binder.py $(if $(FIRST_ANSWER),--first-answer $(FIRST_ANSWER)) $(if $(MODELS),--models $(MODELS))

# Packages that only version 1 needs; the others are the same for both.
$(MCP1)/.installed: | $(VENV)/.dev
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --upgrade --no-deps --target $(MCP1) \
		'mcp<2' httpx-sse pydantic-settings python-dotenv
	@touch $@

mcp1: $(MCP1)/.installed $(NODE_MODULES)
	PYTHONPATH=$(MCP1) MCP_MAJOR=1 $(BIN)/python -m pytest tests/mcp/test_server.py --junitxml=$(MCP1_REPORT)

test-browser: $(VENV)/.dev $(VENV)/.lab $(NODE_MODULES)
	$(BIN)/python -m pytest tests/browser
	@echo "knet: screenshots are in .cache/screenshots"

typescript: $(VENV)/.dev $(VENV)/.lab
	cd jupyter_ext && $(WITH_NODE) npm test --silent

lint: $(VENV)/.dev $(VENV)/.lab $(NODE_MODULES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/typescript_types.py --check
	cd jupyter_ext && $(WITH_NODE) npm run --silent check
	cd contracts && $(WITH_NODE) npm run --silent fmt

format: $(VENV)/.dev $(VENV)/.lab $(NODE_MODULES)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	cd jupyter_ext && $(WITH_NODE) npm run --silent format
	cd contracts && $(WITH_NODE) npx forge fmt

contracts: $(NODE_MODULES)
	@rm -rf $(REBUILT)
	$(WITH_NODE) python contracts/build.py $(REBUILT)
	@diff -rq $(REBUILT) $(ARTIFACTS) || { echo "knet: $(ARTIFACTS) differs from the compiler's output for contracts/src; run make artifacts"; exit 1; }
	cd contracts && $(WITH_NODE) npm run --silent test

artifacts: $(NODE_MODULES)
	$(WITH_NODE) python contracts/build.py $(ARTIFACTS)
	cd contracts && $(WITH_NODE) npm run --silent snapshot

openapi: $(VENV)/.dev
	$(BIN)/python tools/openapi.py

types: $(VENV)/.dev $(VENV)/.lab
	$(BIN)/python tools/typescript_types.py

docs: $(VENV)/.dev
	$(BIN)/mkdocs build --quiet
	@echo "knet: open site/index.html"

pins: $(VENV)/.dev
	$(BIN)/python tools/pins.py > constraints.txt.new && mv constraints.txt.new constraints.txt

clean:
	rm -rf $(VENV) .cache site contracts/node_modules
	rm -rf tests/ipfs/node_modules tests/ipfs/daemon/node_modules tests/browser/plain/node_modules
	rm -rf contracts/out contracts/cache contracts/broadcast
	rm -rf jupyter_ext/node_modules jupyter_ext/lib jupyter_ext/knet_jupyter/labextension jupyter_ext/dist
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	@echo "knet: clean"
