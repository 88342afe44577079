# The only door: `make` lists what can be done. Nothing is installed outside of .venv, save
# Debian's python3-venv and, for tests, chromium, where they are missing and we are root.

.DEFAULT_GOAL := help
.PHONY: help run up down order reset test faults storm hostile schedules plans bench bench-quick check screenshots browser \
	lock clean

IN := .venv/bin/
RUNNER := $(IN)python -m sandbox.runner

# A stamp is named after what it stands for, so a changed list, or a moved clone, has none.
cksum = $(shell $(1) | cksum | cut -d ' ' -f 1)
VENV := .venv/made-$(call cksum,pwd)
FOR_RUN := .venv/run-$(call cksum,cat sandbox/requirements.txt)
FOR_TEST := .venv/test-$(call cksum,cat tests/requirements.txt)
INSTALL := $(IN)python -m pip install --disable-pip-version-check --require-hashes --no-deps --progress-bar off

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | while IFS='	' read -r verb text; do \
		printf '  make %-11s %s\n' "$$verb" "$$text"; done

run: $(FOR_RUN) ## Start everything here; Ctrl-C stops it
	@$(RUNNER) run

up: $(FOR_RUN) ## Start everything in the background
	@$(RUNNER) up

down: $(FOR_RUN) ## Stop what runs in the background
	@$(RUNNER) down

order: $(FOR_RUN) ## Take one order through the running product, step by step
	@$(RUNNER) order

reset: $(FOR_RUN) ## Stop everything and delete its data
	@$(RUNNER) reset

test: $(FOR_TEST) browser ## Run all tests against real servers
	@$(IN)python -m pytest --numprocesses auto --maxprocesses 4 --no-loadscope-reorder

faults: $(FOR_TEST) ## Kill every part of the product, one after another; takes long
	@$(IN)python -m pytest tests/faults --faults $(if $(DEFAULTS),--defaults --timeout 400)

storm: $(FOR_TEST) ## Let crowds loose on the stock, with sweeps among them; prints how long they waited
	@$(IN)python -m pytest tests/contention --storm

hostile: $(FOR_TEST) ## Send the API more than 20,000 hostile requests; takes long
	@$(IN)python -m pytest tests/web/test_hostile.py tests/web/test_fuzz.py \
		--hypothesis-profile hostile --timeout 3600

schedules: $(FOR_TEST) ## Run 10,000 random schedules of payments and faults; takes hours
	@$(IN)python -m tests.schedules

plans: $(FOR_TEST) ## Explain every statement that the tests send, on a shop that has grown; takes long
	@rm -rf var/plans && mkdir -p var/plans
	@$(IN)python -m pytest --numprocesses auto --maxprocesses 4 -p tests.plans.recorder \
		--record var/plans tests/web tests/models tests/tasks
	@$(IN)python -m pytest tests/plans --explain var/plans

bench: $(FOR_RUN) ## Measure every hot path beside its floor: a table, var/bench/bench.json and .svg
	@$(IN)python -m benchmarks

bench-quick: $(FOR_RUN) ## The most telling ratios, within a minute
	@$(IN)python -m benchmarks --quick

check: $(FOR_TEST) ## Check style, types, imports, migrations and docs
	$(IN)ruff check
	$(IN)ruff format --check
	$(IN)mypy
	$(IN)lint-imports
	$(IN)python -m pytest -q tests/test_architecture.py tests/test_docs.py tests/test_migrations.py

screenshots: $(FOR_TEST) browser ## Take pictures of the main pages for the README
	@$(IN)python -m tests.browser.screenshots

browser:
	@command -v chromedriver >/dev/null || { \
		command -v apt-get >/dev/null && test "$$(id -u)" = 0 && \
		echo "Installing the browser that tests look through" && apt-get update -q && \
		apt-get install -y -q --no-install-recommends chromium chromium-driver; } || \
		echo "NO BROWSER: the tests in tests/browser are skipped. On Debian: apt-get install chromium-driver"

LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: $(VENV) ## Bring the pinned and hashed packages in line with pyproject.toml
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && $(IN)python -m venv "$$tmp" && \
	"$$tmp/bin/python" -m pip install -q uv && PATH="$$tmp/bin:$$PATH" && set -x && \
	$(LOCK) pyproject.toml -o requirements.txt && \
	$(LOCK) pyproject.toml --extra sandbox -c requirements.txt -o sandbox/requirements.txt && \
	$(LOCK) pyproject.toml --extra sandbox --extra dev -c requirements.txt -o tests/requirements.txt

clean: ## Remove the virtual environment and caches, keep the data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(FOR_RUN): $(VENV)
	@echo "Installing the packages that make run needs"
	@$(INSTALL) -r sandbox/requirements.txt
	@rm -f .venv/run-* && touch $@

$(FOR_TEST): $(VENV)
	@echo "Installing the packages that make test needs"
	@$(INSTALL) -r tests/requirements.txt
	@rm -f .venv/test-* && touch $@

$(VENV):
	@for python in python3.11 python3.12 python3.13 python3.14 python3; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		python=; \
	done; \
	test "$$python" || { echo "Python 3.11 or newer is needed, and was not found."; exit 2; }; \
	"$$python" -c 'import ensurepip' 2>/dev/null || { \
		command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get update -q && \
		apt-get install -y --no-install-recommends "$$python-venv"; } || \
		{ echo "Python's venv is missing. On Debian: apt-get install $$python-venv"; exit 2; }; \
	echo "Making .venv with $$python" && "$$python" -m venv --clear .venv
	@touch $@
