# Two commands for a fresh machine: `make demo` and `make test`. Each sets up what it needs, once.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test check format lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml $(wildcard src/dcgan/networks/csrc/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dcgan needs Python 3.11 or later: make PYTHON=python3.11 setup"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)
	@$(BIN)/dcgan demo

# A process for each core: most tests are of one thread. Those of a file stay together, with what they set up.
test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadfile

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! git grep -nE 'import pickle|weights_only=False|allow_pickle=True|torch\.load\(|extractall\(|shell=True' -- src

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes the versions that are installed now; torch stays at the plain version, which a machine without a GPU gets as a CPU build.
lock: $(READY)
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip --exclude wheel | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
