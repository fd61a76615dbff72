# make demo    one terminal's whole life, with a verdict and an HTML report
# make test    all tests
# make check   style, types, import contracts, generated pages
# make docs    write docs/reference from the tables
# Everything runs in .venv, which is made and filled when it is needed.

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(if $(shell $(name) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo yes),$(name))))
BIN := .venv/bin
JOBS ?= 3

# The tests start some hundred processes: each would compile the whole program again. A file's tests go to one process,
# in the order of the folders: those that wait for processes come first, and no long file comes last.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check docs clean

demo: .venv/filled
	$(BIN)/poslab demo

test: .venv/filled
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: .venv/filled
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pos_lab.handbook --check

docs: .venv/filled
	$(BIN)/python -m pos_lab.handbook

.venv/filled: pyproject.toml
	@test -n "$(PYTHON)" || { echo "pos-lab needs Python 3.11 or later with the venv module" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv report build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
