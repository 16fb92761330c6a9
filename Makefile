# Everything one does with this checkout. Needs make and a Debian machine; the rest is installed.
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
LAB := tests/lab/lab
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
CONSTRAINTS := $(wildcard constraints.txt)
DEBIAN_PYTHON := python3 python3-venv
# Labs that stand side by side in `make test`, one for each worker of pytest.
LABS ?= 3
# Compiled once, and root's not into the checkout: hundreds of tests start Python, which else compiles all anew each time.
# The order of a test's cases is the same in each of pytest's workers, which insist on it.
COMPILED := PYTHONDONTWRITEBYTECODE= PYTHONHASHSEED=0
AS_ROOT := $(SUDO) env $(COMPILED) PYTHONPYCACHEPREFIX=$(HOME)/.cache/raycluster-lab/pycache $(foreach name,RAYCLUSTER_LAB RAYCLUSTER_LAB_CACHE RAYCLUSTER_VLLM,$(if $($(name)),$(name)=$($(name))))
OF_THE_LAB_ITSELF := tests/lab/test_lab*.py
SLOW := tests/payload tests/remote/transfer tests/remote/execute/test_image_chain.py tests/cli/test_streams.py \
  $(shell grep -rlE --include='test_*.py' '^from hypothesis import|mark\.(sshd|slow)' tests)

.DEFAULT_GOAL := help
.PHONY: help setup packages check gates pure test test-long test-lab test-worlds test-vllm fuzz bench demo docs screens release lab lab-down clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make the Python environment, in .venv

# Written last, so that an installation which was interrupted is done again.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	@python3 -c 'import ensurepip, venv' 2>/dev/null || \
	  { $(SUDO) apt-get update -q && $(SUDO) apt-get install -q -y --no-install-recommends $(DEBIAN_PYTHON); }
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]' $(addprefix -c ,$(CONSTRAINTS))
	@touch $@

packages: ## install the Debian packages that the lab needs
	$(LAB) packages

check: setup ## what a commit must pass, in a minute: format, lint, types, layers, tests that need Python alone
	@$(MAKE) --no-print-directory --jobs=2 gates pure

gates: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

pure: setup
	$(COMPILED) $(BIN)/pytest -n 4 -m 'not lab and not slow and not sshd'

test: setup packages check ## the above, and on real hosts all that a user may do and meet, in some ten minutes
	$(AS_ROOT) $(BIN)/pytest -n $(LABS) -m '(lab or slow or sshd) and not long' tests/lab $(SLOW) --ignore-glob '$(OF_THE_LAB_ITSELF)'

test-long: setup packages ## what takes real hosts half a minute each: crashes that heal, cables that are cut; some three minutes
	$(AS_ROOT) $(BIN)/pytest -n $(LABS) -m long tests/lab

test-lab: setup packages ## the lab itself: that its hosts are real, that labs keep apart, that the screens can be recorded
	$(AS_ROOT) $(BIN)/pytest $(OF_THE_LAB_ITSELF)

test-worlds: setup packages ## hosts of other kinds: login shells, greetings, accounts, keys, engines, a newer OpenSSH; forty minutes
	$(AS_ROOT) $(if $(RECORD),RAYCLUSTER_RECORD=1) $(BIN)/pytest -n 2 tests/worlds

test-vllm: setup packages ## real vLLM on the lab's hosts, on their CPUs: a model answers (3 GB, once; RAYCLUSTER_VLLM=0.17.1: an older one)
	$(AS_ROOT) $(BIN)/pytest tests/vllm

fuzz: setup ## try a hundred thousand hostile inventories, for half an hour at most
	$(BIN)/python -m tests.fuzz --files 100000 --minutes 30

bench: setup packages ## measure it beside other tools, on the lab and on 200 hosts played by this machine; also into bench.json
	$(AS_ROOT) $(BIN)/python -m tests.bench

demo: setup packages ## a cluster comes up before your eyes, on real hosts made for it
	tests/lab/demo

docs: setup ## make what is generated in docs/ anew: the keys of the inventory, the versions that were tried
	$(BIN)/python -m tests.docs.configuration
	$(BIN)/python -m tests.docs.compatibility

screens: setup packages ## record the screens of the README and docs/ anew, on the lab's hosts
	$(AS_ROOT) $(BIN)/python -m tests.lab.screens

release: setup ## build wheel and sdist into dist/, and check them in a fresh environment
	.ci/release

lab: packages ## bring up the lab's hosts and leave them standing
	$(LAB) up

lab-down: ## end the lab
	$(LAB) down

clean: ## remove what was made here: the environment, caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist *.egg-info
	find orchestrator tests -name __pycache__ -prune -exec rm -rf {} +
