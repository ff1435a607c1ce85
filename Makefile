# Parley's one entrance for people and for CI. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
UV := .venv/bin/uv
SERVICES := gateway auth project chat media notification
GROUPS := bootstrap $(SERVICES) edge standins embedded lint test scan bench dev
WORKERS := $(SERVICES:%=services.%.consumers:worker)
SOURCES := libs services deploy tests bench scripts
STACK ?= $(shell cat .parley/stack 2>/dev/null || echo embedded)
T ?= tests
BENCHES = $(sort $(subst _,-,$(filter-out __init__ tokens regression,$(basename $(notdir $(wildcard bench/[a-z]*.py) $(patsubst %/__main__.py,%,$(wildcard bench/*/__main__.py)))))))

ALONE := chat-fanout chat-slow# benchmarks that need no stack

.PHONY: sbom audit help setup lock up down status logs demo seed backup backup-segment restore clients test test-unit test-contract test-integration test-e2e faults drill compose-kills compose-drill fuzz-api history cov cov-events \
	smoke image images image-smoke image-twice k8s-render k8s-secrets k8s-check k8s-play compose-check scan bench bench-check check fmt lint types arch architecture docs-check env-check schemas schemas-check api-check lock-check secrets-check docs adr clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2}'

# --- setting up -----------------------------------------------------------------
setup: ## Make .venv with everything pinned by hash (Debian packages too, where root)
	@bash scripts/setup.sh

lock: setup ## Resolve pyproject.toml's groups into hashed requirements/*.txt
	@for group in dev $(filter-out dev,$(GROUPS)); do echo "locking $$group"; \
	  $(UV) pip compile -q --python $(PYTHON) --universal --generate-hashes --no-header --no-annotate $(UPGRADE) --group $$group \
	    $$([ $$group = dev ] || [ $$group = bench ] || [ $$group = scan ] || [ $$group = bootstrap ] || echo --constraint requirements/dev.txt) -o requirements/$$group.txt || exit 1; done

# --- running --------------------------------------------------------------------
up: setup ## Start the whole stack here and wait until it is ready (STACK=embedded or compose)
	@PYTHONPATH=. $(PYTHON) scripts/stack.py $(STACK) up

down: ## Stop the stack cleanly; the data stays
	@[ ! -x $(PYTHON) ] || $(PYTHON) scripts/stack.py $(STACK) down

status: setup ## Show each process: pid, port, memory, restarts, health
	@PYTHONPATH=. $(PYTHON) scripts/stack.py $(STACK) status

logs: setup ## Follow the logs (S=chat for one process)
	@PYTHONPATH=. $(PYTHON) scripts/stack.py $(STACK) logs $(S)

demo: up ## Play a real story through the edge: people, a picture, a push, a mail
	@$(PYTHON) -m scripts.demo --stack $(STACK)

seed: up ## Fill the running stack with people, projects and messages to look at
	@$(PYTHON) -m scripts.seed --stack $(STACK)

backup: setup ## Back up the running stack (D=/backups K=/another/disk for the keys)
	@PYTHONPATH=. $(PYTHON) scripts/stack.py $(STACK) backup $(or $(D),$(error name a folder: make backup D=/backups K=/another/disk)) $(if $(K),--keys $(K))

backup-segment: setup ## Add to the backups what came since (D=/backups)
	@PYTHONPATH=. $(PYTHON) scripts/stack.py $(STACK) segment $(or $(D),$(error name a folder: make backup-segment D=/backups))

restore: setup ## Make the stack what it was (D=/backups, AT=moment, K=/another/disk, REPLACE=1)
	@PYTHONPATH=. $(PYTHON) scripts/stack.py $(STACK) restore $(or $(D),$(error name a folder: make restore D=/backups)) $(if $(AT),--at $(AT)) $(if $(K),--keys $(K)) $(if $(REPLACE),--replace)

# --- testing --------------------------------------------------------------------
clients: setup ## Install what tests use beside the servers: npm packages, chromium, promtool
	@$(PYTHON) -m tests.support.clients

test: setup clients ## All tests, on a stack of their own (T=path narrows)
	@$(PYTHON) -m $(if $(filter tests,$(T)),tests.support.whole_suite,pytest $(T))

test-unit: setup ## Unit tests: no server, seconds
	@$(PYTHON) -m pytest tests/unit

test-contract: setup ## Event schemas, OpenAPI documents
	@$(PYTHON) -m pytest tests/contract

test-integration: setup ## Adapters and services on real servers
	@$(PYTHON) -m pytest tests/integration

test-e2e: setup clients ## The whole house through the edge, faults included
	@$(PYTHON) -m pytest tests/e2e

faults: setup ## Long fault runs (RUNS=30 a phase, MINUTES=90 at most, FRESH=1 anew where the library changed); counts in docs/
	@[ -z "$(FRESH)" ] || PYTHONPATH=. $(PYTHON) -m tests.support.fault_counts fresh
	@PYTHONPATH=. PARLEY_FAULT_RUNS=$(or $(RUNS),3) $(PYTHON) -m tests.support.fault_counts plan
	@PARLEY_FAULT_RUNS=$(or $(RUNS),3) PARLEY_FAULT_MINUTES=$(MINUTES) $(PYTHON) -m pytest -m faults \
	  tests/integration/events/test_fault_phases.py tests/e2e/test_kills.py; code=$$?; \
	  PYTHONPATH=. $(PYTHON) -m tests.support.fault_counts table; exit $$code

drill: setup ## Lose a whole installation and restore it (MESSAGES=2000)
	@PARLEY_DRILL=$(or $(MESSAGES),2000) $(PYTHON) -m pytest -s tests/e2e/test_restore_drill.py

fuzz-api: setup clients ## Generated calls of the whole API through the edge (EXAMPLES=100 an operation, role and kind)
	@PARLEY_SCHEMA_EXAMPLES=$(or $(EXAMPLES),100) $(PYTHON) -m pytest -q -o timeout=86400 tests/e2e/test_generated_calls.py

compose-kills: setup ## Kill each container of an installation by Compose under load (PARLEY_IMAGES=built)
	@$(PYTHON) -m pytest -p no:randomly tests/containers/kills.py

compose-drill: setup ## Lose an installation by Compose and restore it (PARLEY_IMAGES=built)
	@$(PYTHON) -m pytest -p no:randomly tests/containers/drill.py

history: setup ## Random clients on two chat processes while everything dies in turn (SECONDS=600)
	@PARLEY_HISTORY_SECONDS=$(or $(SECONDS),60) $(PYTHON) -m pytest -s tests/integration/chat/history

cov: setup ## Branch coverage of libs and services
	@$(PYTHON) -m pytest --cov --cov-report=term-missing:skip-covered $(T)

cov-events: setup ## Branch coverage of libs/events by its own tests; fails below 95 %
	@$(PYTHON) -m pytest -m "not faults" --cov=libs/events --cov-branch --cov-report=term-missing:skip-covered \
	  --cov-fail-under=95 tests/unit/events tests/contract/events tests/integration/events

smoke: setup ## Start each service with its own requirements alone
	@PYTHONPATH=. $(PYTHON) scripts/smoke.py $(or $(S),$(SERVICES))

# --- packaging ------------------------------------------------------------------
image: ## Build a service's container image (S=chat)
	@bash scripts/images/build.sh $(or $(S),$(error name a service: make image S=chat))

images: ## Build the images of all services
	@bash scripts/images/build.sh $(SERVICES) edge standins

image-twice: ## Build an image twice from nothing and compare the layers (S=chat)
	@bash scripts/images/twice.sh $(or $(S),$(SERVICES) edge standins)

k8s-render: setup ## Print what an overlay of deploy/k8s applies (O=dev)
	@.venv/bin/kubectl kustomize deploy/k8s/overlays/$(or $(O),production)

k8s-secrets: setup ## Write new Secrets for a cluster into a folder (D=/safe/place)
	@PYTHONPATH=. $(PYTHON) scripts/k8s_secrets.py $(or $(D),$(error name a folder: make k8s-secrets D=/safe/place))

k8s-play: setup ## Run manifests by podman with production's security context (S="auth chat")
	@PYTHONPATH=. $(PYTHON) -m scripts.images.play $(S)

sbom: setup ## Write a CycloneDX bill of materials of each image into .sbom (S=chat for one)
	@$(PYTHON) -m scripts.supply.materials .sbom $(S)

audit: setup ## Audit the locks against a snapshot of OSV's advisories (F=all.zip)
	@$(PYTHON) -m scripts.supply.advisories $(or $(F),$(error name a snapshot: make audit F=all.zip))

scan: setup ## Scan manifests and Dockerfiles by checkov, in an environment of its own
	@bash scripts/scan.sh

image-smoke: setup ## Run images as production does, on servers of their own (S=chat for one)
	@PYTHONPATH=. $(PYTHON) -m scripts.images.smoke $(or $(S),$(SERVICES))

bench: setup ## Run a benchmark, on the running stack where it needs one (B=chat-quiet)
	@[ -n "$(B)" ] || { echo "usage: make bench B=NAME; there are: $(BENCHES)"; exit 2; }
	@[[ " $(ALONE) " = *" $(B) "* ]] || $(MAKE) --no-print-directory up
	@$(PYTHON) -m bench.$(subst -,_,$(B))

bench-check: setup ## Run a benchmark and refuse ratios a fifth worse than bench/recorded.json (B=gateway)
	@[[ " $(ALONE) " = *" $(B) "* ]] || $(MAKE) --no-print-directory up
	@$(PYTHON) -m bench.regression $(B)

# --- checking -------------------------------------------------------------------
check: setup lint types arch architecture docs-check env-check schemas-check api-check lock-check secrets-check k8s-check compose-check ## Everything a tool can check

fmt: setup ## Format the code
	@$(PYTHON) -m ruff format -q $(SOURCES) && $(PYTHON) -m ruff check -q --fix $(SOURCES)

lint: setup ## Format, ruff, spelling, Dockerfiles
	@$(PYTHON) -m ruff format --check -q $(SOURCES) && $(PYTHON) -m ruff check -q $(SOURCES) && $(PYTHON) -m codespell_lib && .venv/bin/hadolint Dockerfile deploy/nginx/Dockerfile deploy/compose/*Dockerfile

types: setup ## mypy strict
	@$(PYTHON) -m mypy

arch: setup ## Import contracts
	@.venv/bin/lint-imports --no-cache

architecture: setup ## Module and function sizes, names, one way in for each library
	@$(PYTHON) -m pytest -q -p no:randomly tests/unit/test_architecture.py

docs-check: setup ## Links, commands and generated pages of the docs are true, licences are allowed
	@$(PYTHON) scripts/check_docs.py && $(PYTHON) scripts/coverage.py --check && $(PYTHON) scripts/network_page.py --check && $(PYTHON) scripts/alerts_page.py --check && $(PYTHON) -m scripts.supply.licences --check

env-check: setup ## .env.example holds every setting of every service, the manifests what they need
	@PYTHONPATH=. $(PYTHON) scripts/env_example.py --check && $(PYTHON) -m pytest -q -p no:randomly tests/contract/k8s/test_settings.py

k8s-check: setup ## The manifests are valid and keep their rules
	@$(PYTHON) -m pytest -q -p no:randomly tests/contract/k8s

compose-check: setup ## docker-compose.yml keeps its rules
	@$(PYTHON) -m pytest -q -p no:randomly tests/contract/compose

schemas: setup ## Write golden files of new event versions, docs/events.md, docs/asyncapi.json
	@$(PYTHON) -m libs.events schemas && $(PYTHON) -m libs.events docs --workers $(WORKERS)

schemas-check: setup api-check ## Event schemas, OpenAPI and socket pages are what the code says
	@$(PYTHON) -m libs.events schemas --check && $(PYTHON) -m libs.events docs --check --workers $(WORKERS) && $(PYTHON) -m pytest -q -p no:randomly tests/contract/events
	@PYTHONPATH=. $(PYTHON) scripts/openapi.py --check && PYTHONPATH=. $(PYTHON) scripts/asyncapi_sockets.py --check
	@PYTHONPATH=. $(PYTHON) scripts/permissions.py --check && PYTHONPATH=. $(PYTHON) scripts/roles.py --check

api-check: setup ## The HTTP API keeps its own rules, but for scripts/api_exceptions.json
	@PYTHONPATH=. $(PYTHON) scripts/api_lint.py

lock-check: setup ## requirements/*.txt satisfy pyproject.toml
	@$(PYTHON) -m scripts.check_locks

secrets-check: setup ## No secret stands in a tracked file (tests hold false ones by nature)
	@git ls-files -z -- . ':!requirements' ':!tests' ':!docs/asyncapi*.json' ':!docs/events.md' ':!docs/openapi' ':!services/gateway/openapi.json' ':!LICENSE' ':!*package-lock.json' \
	  | xargs -0 .venv/bin/detect-secrets-hook

docs: setup schemas ## Write every generated page
	@PYTHONPATH=. $(PYTHON) scripts/env_example.py && PYTHONPATH=. $(PYTHON) scripts/openapi.py && PYTHONPATH=. $(PYTHON) scripts/asyncapi_sockets.py && PYTHONPATH=. $(PYTHON) scripts/permissions.py && PYTHONPATH=. $(PYTHON) scripts/roles.py && $(PYTHON) -m deploy.observability.dashboards && $(PYTHON) scripts/coverage.py && $(PYTHON) scripts/network_page.py && $(PYTHON) scripts/alerts_page.py && $(PYTHON) -m scripts.supply.licences

adr: setup ## Start a decision record (T="Use something")
	@$(PYTHON) scripts/new_adr.py "$(T)"

clean: down ## Remove .parley (the stack's data) and caches; keys of volumes that Docker keeps stay
	@[ ! -d .parley ] || find .parley -mindepth 1 -maxdepth 1 ! -name compose -exec rm -rf {} +; rmdir .parley 2>/dev/null || true
	@rm -rf .smoke .scan .sbom .mypy_cache .ruff_cache .pytest_cache .hypothesis
