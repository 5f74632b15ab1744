# make demo   a living village on this machine (ARGS="--busy", "--fresh", "--port 8081" …)
# make test   all tests; installs chromium, postgresql and mosquitto where it may
# make check  lint, types, layers, templates

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEBIAN := chromium postgresql mosquitto espeak-ng fonts-dejavu-core
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test check assets bench packages clean

demo: $(VENV)/demo
	@$(BIN)/shop-hub demo $(ARGS)

# What shares nothing runs four at a time (it waits much), the longest first; what opens browsers or whole villages runs
# after it, two at a time. A browser that did not answer in time on a busy machine is asked again; any other failure counts at once.
test: packages $(VENV)/test
	@$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/browser --ignore tests/journeys tests/faults tests/fleet tests/devices tests $(ARGS)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --reruns 2 --only-rerun "TimeoutError|Protocol error|Locator expected" tests/journeys tests/browser $(ARGS)

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet shop_hub kiosk
	$(BIN)/python build_hook.py --check

bench: $(VENV)/test
	$(BIN)/python -m tests.benchmarks $(ARGS)

assets: $(VENV)/test
	$(BIN)/python build_hook.py

# Debian's packages for the tests, where this user may install them; else the tests say what they skipped.
packages:
	@if command -v chromium >/dev/null && command -v espeak-ng >/dev/null && { command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ]; } \
	  && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN) >/dev/null; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then \
	  sudo -n apt-get update -qq && sudo -n DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN) >/dev/null; \
	fi

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing: sudo apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/demo: $(BIN)/python pyproject.toml constraints.txt build_hook.py $(shell find kiosk/assets shop_hub/translations -type f -not -path '*/node_modules/*' -not -path '*/LC_MESSAGES/*' 2>/dev/null)
	@echo "Installing shop_hub into $(VENV) …"
	@$(PIP) --editable .
	@touch $@

$(VENV)/test: $(VENV)/demo
	@echo "Installing what the tests need …"
	@$(PIP) --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) kiosk/static/dist kiosk/assets/node_modules
