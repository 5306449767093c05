# Two commands: `make demo` and `make test`. PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint clean

# The demo never needs an account: W&B stays offline even where a key exists.
demo: $(STAMP)
	WANDB_MODE=offline $(BIN)/lit-vision fit --config quickstart/digits
	WANDB_MODE=offline $(BIN)/lit-vision fit --config quickstart/digit_scenes
	WANDB_MODE=offline $(BIN)/lit-vision test --config rectifiers/variance --row he
	WANDB_MODE=offline $(BIN)/lit-vision test --config rectifiers/variance --row xavier
	$(BIN)/lit-vision dashboard runs --no-serve

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Installed again only when pyproject.toml changed; the package itself is editable.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "lit_vision needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d; say make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv runs
