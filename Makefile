# make run   serve the product on http://localhost:8080
# make test  run every test, on all processors
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# Tests start the program dozens of times: without its compiled files each start takes a third longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test lint format lock migration settings dev browser readers model papers provider binary check-binary clean

run: $(VENV)/installed
	@$(BIN)/python main.py prepare
	@exec $(BIN)/python main.py serve

# What fails is run once more, alone, and must pass then. A test that passes only then has met a defect that shows rarely,
# in itself or in the product: both runs print it, and it is to be found. Whatever fails for a reason fails twice.
test: dev browser readers model papers provider
	$(PYTEST) -n logical $(ARGS) || \
		{ [ $$? = 1 ] && $(PYTEST) -n 0 --maxfail=5 --last-failed --last-failed-no-failures none $(ARGS); }

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy domain storage app pages main.py
	$(BIN)/lint-imports
	$(BIN)/python main.py settings | diff docs/settings.md -

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Newest versions that pyproject.toml allows, with the hashes of all their files.
lock:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip --disable-pip-version-check install --quiet uv
	$(VENV)/lock/bin/uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --output-file requirements.lock
	$(VENV)/lock/bin/uv pip compile pyproject.toml --group test --group lint --constraints requirements.lock --universal \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --output-file requirements-dev.lock

# The next Alembic revision, from what storage/tables says now:  make migration MESSAGE="what changes"
migration: dev
	$(BIN)/python -m storage.migrations.revise "$(MESSAGE)"

# One file that runs without Python: dist/samrad. See docs/deploy.md.
binary:
	PYTHON=$(PYTHON) deploy/binary/build.sh

# The one file in a browser test, where there is no network.
BINARY ?= dist/samrad
ALONE := unshare --mount --net $(shell [ "$$(id -u)" = 0 ] || echo --map-current-user --keep-caps)
check-binary: dev browser
	BINARY=$(abspath $(BINARY)) $(ALONE) sh -c 'ip link set lo up && exec $(PYTEST) tests/deploy/test_binary.py $(ARGS)'

settings: dev
	$(BIN)/python main.py settings > docs/settings.md

dev: $(VENV)/installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Samråd needs Python 3.11 or newer. Name it with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python cannot make virtual environments here. Run: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock | $(VENV)/bin/python
	$(PIP) install --quiet --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

# Real documents for the browser tests: the PDFs of Debian's policy, out of its package. Without them one test is skipped.
papers:
	@test -d .cache/papers || { command -v apt-get >/dev/null && mkdir -p .cache && cd .cache && \
		{ apt-get download -qq debian-policy 2>/dev/null || { apt-get update -qq; apt-get download -qq debian-policy; }; } && \
		dpkg -x debian-policy_*.deb papers && rm -f debian-policy_*.deb; } || echo "no Debian package at hand: one test is skipped"

# A certified OpenID provider for the tests, pinned by its lock file. Without Node.js the tests that need it are skipped.
PROVIDER := tests/support/oidc
provider:
	@if command -v npm >/dev/null; then \
		[ $(PROVIDER)/node_modules/installed -nt $(PROVIDER)/package-lock.json ] || \
		{ npm ci --prefix $(PROVIDER) --ignore-scripts --no-audit --no-fund --silent && touch $(PROVIDER)/node_modules/installed; } || \
		echo "the certified OpenID provider cannot be installed: the tests with it are skipped"; \
	else echo "no Node.js at hand: the tests with the certified OpenID provider are skipped"; fi

# The built-in embedding model, for the tests.
model: dev
	@$(BIN)/python -m app.ai.embedding.convert .cache/model

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		$(MAKE) --no-print-directory install-browser

.PHONY: install-browser
install-browser:
	@command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] || \
		{ echo "The browser tests need Chromium. Run: sudo apt-get install chromium"; exit 1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium fonts-liberation

# Programs that make more files readable, for the tests of them. Without, those tests are skipped.
READERS := tesseract-ocr tesseract-ocr-swe libreoffice-writer-nogui libreoffice-impress-nogui
readers:
	@command -v tesseract >/dev/null && command -v soffice >/dev/null || \
		{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $(READERS) >/dev/null; } || \
		echo "no tesseract or LibreOffice at hand: the tests that need them are skipped"

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
