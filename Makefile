# Every target makes its own environment: nothing but make and Python >= 3.11 is assumed. PYTHON=python3.12 chooses another interpreter.
#
#   make demo    start everything, load documents, ask three questions, stop
#   make up      run the stack until Ctrl-C (settings: environment, or .env)
#   make test    all tests, on a real Kafka and Redis      ARGS=... goes to pytest; TEST_PROCESSES=1 runs them one by one
#   make faults  ten minutes of faults under mixed load, its whole history checked; ARGS="--seed 7 --minutes 3"; `make test` takes a minute
#                ARGS="--tasks 500 --seed 7": tasks of every kind while workers are killed
#   make fairness  one abusive account beside ten normal ones for two minutes, against their idle latency
#   make chaos-http  a minute of hostile connections while twenty users chat
#   make contract  the API under schemathesis, as user, administrator and operator; installs it for this run alone
#   make check   formatting, lint, types, import rules, generated pages, lock; writes nothing here
#   make bench   benchmarks, one JSON line per figure      BENCH=name runs one
#   make screenshots  takes the pictures of docs/screenshots anew
#   make audit   locked versions against advisories         CLAW_AUDIT_DB=path: a database in the OSV format; without it, asks the public one
#   make sbom    the bill of materials, CycloneDX JSON, on standard output

PYTHON ?= $(shell for candidate in python3 python3.11 python3.12 python3.13; do \
	$$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo $$candidate; break; }; done)
TEST_PROCESSES ?= 3
UV_VERSION := 0.13.9
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
UV := UV_PROJECT_ENVIRONMENT=$(VENV) UV_PYTHON_DOWNLOADS=never $(VENV)/.uv/bin/uv
STAMP := $(VENV)/.synced
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/claw

# an environment that happens to be active must not leak into ours
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := demo
.PHONY: demo up test browser screenshots faults fairness chaos-http contract check bench environment

demo: environment
	@$(BIN)/claw demo

up: environment
	@set -a; if [ -f .env ]; then . ./.env; fi; exec $(BIN)/claw up

test: environment browser
	@$(BIN)/pytest -n $(TEST_PROCESSES) $(ARGS)

screenshots: environment browser
	@$(BIN)/python -m tests.pages.screenshots

# the browser that pages are tested in; without it their tests are skipped, and say so
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get -qq update >/dev/null \
		&& DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk >/dev/null; } \
		|| echo "no Chromium, and none can be installed here: the tests of pages are skipped" >&2

faults: environment
	@$(BIN)/claw faults $(ARGS)

fairness: environment
	@$(BIN)/python -m benchmarks fairness

chaos-http: environment
	@$(BIN)/python -m benchmarks.chaos_http

contract: environment
	@$(BIN)/python -m benchmarks.contract env $(UV) tool run --from schemathesis==4.32.5 schemathesis

bench: environment
	@$(BIN)/python -m benchmarks $(BENCH)

audit: environment
	@$(BIN)/python -m ops.supply_chain.audit env $(UV)

sbom: environment
	@$(BIN)/python -m ops.supply_chain.sbom env $(UV)

check: export PYTHONDONTWRITEBYTECODE := 1
check: environment
	$(BIN)/ruff format --check --cache-dir $(CACHE)/ruff .
	$(BIN)/ruff check --cache-dir $(CACHE)/ruff .
	$(BIN)/mypy --cache-dir $(CACHE)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/claw docs --check
	$(UV) lock --check

environment: $(STAMP)

# made again only when the dependencies change; the stamp is written last, so a run that is cut off is repeated
$(STAMP): pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.13 found: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(VENV)/.uv/bin/uv --version 2>/dev/null | grep -q "^uv $(UV_VERSION) " || { rm -rf $(VENV)/.uv && $(PYTHON) -m venv $(VENV)/.uv \
		&& $(VENV)/.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	@$(UV) sync --frozen --quiet --extra ocr || { $(UV) sync --frozen --quiet \
		&& echo "the extra ocr has no packages for this machine: scans are read where Tesseract is installed" >&2; }
	@touch $@
