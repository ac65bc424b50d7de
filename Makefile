# The two commands are `make book` and `make test`. Everything happens in .venv, which they make:
# nothing but make and Python 3.11 or newer has to be there before.

PYTHON ?= python3
PORT ?= 8000
BOOK_FLAGS ?=
PYTEST_FLAGS ?=
LOCK_FLAGS ?=
MUTANTS_FLAGS ?=
TIMES_FLAGS ?= --slowest 50
WORKERS ?= logical

VENV := .venv
PY := $(VENV)/bin/python
UV_VERSION := 0.13.9

# One BLAS thread: the matrices of the book are small, and a sum split over threads may end in another digit.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

# Records what a stage takes, for `make times`; and pytest with a process for each core, which tells it of each test.
STAGE = $(PY) tools/times.py --stage
PYTEST = $(PY) -m pytest -p tools.times --numprocesses $(WORKERS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:                # each stage takes all cores itself
.PHONY: help book pdf test test-unit test-notebooks test-browser test-live test-lite test-libraries times setup-time notebooks lint format serve lab grading bench mutants mutants-chapters pyodide lock clean

help:  ## say what there is to make
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

book: $(VENV)/.book-installed  ## build the book into _build/html
	$(STAGE) book $(VENV)/bin/jupyter-book build . $(BOOK_FLAGS)
	@echo
	@echo 'The book is in _build/html: open _build/html/index.html in a browser, or run `make serve`.'

pdf: $(VENV)/.pdf-installed  ## print the built book as one PDF into _build/pdf, and link it from its first page
	@test -f _build/html/index.html || { echo 'There is no book in _build/html yet: run `make book` first.' >&2; exit 1; }
	$(PY) tools/pdf.py

test: test-unit test-notebooks  ## run every test: units, doctests, and nbval on every notebook

# Branch coverage makes the tests take half as long again: in CI, and for who asks (PYTEST_FLAGS=--cov).
test-unit: $(VENV)/.test-installed  ## run the unit tests and doctests, nearest to a change first
	$(STAGE) 'unit tests' $(PYTEST) $(if $(CI),--cov) --maxschedchunk 8 $(PYTEST_FLAGS)

# Warnings that Jupyter's own client raises are no business of the notebooks: hence the last option.
test-notebooks: $(VENV)/.test-installed  ## run nbval on every notebook: each stored output must come out again
	$(STAGE) '$(or $(NBVAL_STAGE),notebooks)' $(PYTEST) -p tools.nbval_kernels --dist loadfile --nbval \
	    --nbval-cell-timeout=120 -o addopts= -o filterwarnings=default book

test-browser: $(VENV)/.test-installed  ## read the built book in Chromium (build it first)
	@test -f _build/html/index.html || { echo 'There is no book in _build/html yet: run `make book` first.' >&2; exit 1; }
	$(STAGE) 'book in a browser' $(PYTEST) -m browser --dist loadscope $(PYTEST_FLAGS) \
	    --ignore=tests/browser/lite --ignore=tests/browser/live tests/browser

test-live: $(VENV)/.test-installed $(VENV)/pyodide/pyodide-lock.json  ## run every cell in its page in Chromium (build the book first)
	@test -f _build/html/index.html || { echo 'There is no book in _build/html yet: run `make book` first.' >&2; exit 1; }
	$(STAGE) 'pages that run' $(PYTEST) -m browser --maxschedchunk 1 $(PYTEST_FLAGS) tests/browser/live

test-lite: $(VENV)/.test-installed $(VENV)/pyodide/pyodide-lock.json  ## run every notebook in Chromium (build the book first)
	@test -f _build/html/index.html || { echo 'There is no book in _build/html yet: run `make book` first.' >&2; exit 1; }
	$(STAGE) 'notebooks in a browser' $(PYTEST) -m browser --maxschedchunk 1 $(PYTEST_FLAGS) tests/browser/lite

# In an environment of its own: PyTorch and the rest are no business of the book's. With LIBRARIES_PIP_FLAGS pip may
# be told where a build of PyTorch without CUDA lies.
test-libraries: $(VENV)/libraries/.installed  ## hold returns and losses against rlax, Stable-Baselines3 and TRL (2 GB)
	PGT_LIBRARIES=all $(STAGE) libraries $(VENV)/libraries/bin/python -m pytest -p tools.times $(PYTEST_FLAGS) tests/test_against_libraries.py

times: $(VENV)/.book-installed  ## say what each stage took when it last ran, and the slowest fifty tests
	$(PY) tools/times.py $(TIMES_FLAGS)

setup-time: $(PY)  ## measure a first `make book` in a copy, and what of its packages weighs how much
	$(PY) tools/setup_time.py

notebooks: $(VENV)/.test-installed  ## run every notebook afresh and store it in its normal form
	$(PY) tools/notebooks.py

lint: $(VENV)/.test-installed  ## check style, format and the stored form of the notebooks
	$(STAGE) lint sh -c '$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) tools/notebooks.py --check'

format: $(VENV)/.test-installed  ## mend style and format where ruff can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

serve: $(VENV)/.book-installed  ## serve _build/html on this machine (PORT=8000)
	@test -f _build/html/index.html || { echo 'There is no book in _build/html yet: run `make book` first.' >&2; exit 1; }
	$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: $(VENV)/.book-installed  ## open the notebooks in JupyterLab, to run and change them
	$(PY) -m jupyterlab book

grading: $(VENV)/.grading-installed  ## install the lecturer's commands, .venv/bin/pgtgrade
	@$(PY) -m pgtgrade --help

pyodide: $(VENV)/.book-installed  ## fetch Python for browsers, to hand it out yourself (65 MB)
	$(PY) tools/lite.py --fetch pyodide

bench: $(VENV)/.test-installed  ## run the benchmarks
	$(PY) -m benchmarks

# LOCK_FLAGS=--upgrade moves every pin to the newest release.
COMPILE = $(PY) -m uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
    --no-build --no-config --quiet --custom-compile-command 'make lock' $(LOCK_FLAGS)

mutants: $(VENV)/.test-installed  ## change the core in one place at a time and see whether a test notices (an hour)
	$(PY) tools/mutants.py

# MUTANTS_FLAGS='--every 10 book/theorem.ipynb' takes one chapter, and a tenth of the changes of code besides;
# '--every 1' takes every change of code, which is hours.
mutants-chapters: $(VENV)/.test-installed  ## change what functions return, see whether a chapter notices (an hour)
	$(PY) tools/chapter_mutants.py $(MUTANTS_FLAGS)

lock: $(VENV)/.book-installed  ## write requirements.txt and its companions afresh from pyproject.toml
	$(COMPILE) --extra book --output-file requirements.txt
	$(COMPILE) --extra grading --constraint requirements.txt --output-file requirements-grading.txt
	$(COMPILE) --extra pdf --constraint requirements.txt --output-file requirements-pdf.txt
	$(COMPILE) --extra test --constraint requirements.txt --constraint requirements-grading.txt \
	    --constraint requirements-pdf.txt --output-file requirements-test.txt

clean:  ## remove what was built (.venv stays)
	rm -rf _build build dist pgtlab.egg-info .coverage .hypothesis .pytest_cache .ruff_cache
	find book pgtgrade pgtlab tests tools -name __pycache__ -prune -exec rm -rf {} +
	find book -name .ipynb_checkpoints -prune -exec rm -rf {} +

# uv installs in seconds what takes pip minutes. It does not read pip's settings: where it does not get through, pip may.
install = $(PY) -m uv pip install --quiet $(1) || { \
    echo 'uv could not install them; pip tries.' >&2; $(PY) -m pip install --quiet $(1); }

# --- .venv -----------------------------------------------------------------------------------------------

$(PY):
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'There is no command $(PYTHON): name your Python 3.11 or newer, as in `make PYTHON=python3.12 book`.' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), and 3.11 or newer is needed: name one, as in \`make PYTHON=python3.12 book\`." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '$(PYTHON) comes without ensurepip or venv. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.book-installed: requirements.txt pyproject.toml | $(PY)
	@echo 'Installing the packages of the book into $(VENV): half a minute, about 560 MB.'
	@$(PY) -m pip install --quiet uv==$(UV_VERSION) || true
	@$(call install,--requirement requirements.txt)
	@$(call install,--no-deps --no-build-isolation --editable .)
	@touch $@

$(VENV)/.grading-installed: requirements-grading.txt $(VENV)/.book-installed
	@echo 'Installing the packages of the grader into $(VENV).'
	@$(call install,--requirement requirements-grading.txt)
	@touch $@

$(VENV)/.pdf-installed: requirements-pdf.txt $(VENV)/.book-installed
	@echo 'Installing the packages that print the book into $(VENV).'
	@$(call install,--requirement requirements-pdf.txt)
	@touch $@

$(VENV)/.test-installed: requirements-test.txt $(VENV)/.grading-installed
	@echo 'Installing the packages of the tests into $(VENV).'
	@$(call install,--requirement requirements-test.txt)
	@touch $@

$(VENV)/libraries/.installed: tests/libraries.txt requirements-test.txt $(VENV)/.book-installed
	@echo 'Installing rlax, Stable-Baselines3 and TRL into $(VENV)/libraries: a minute, about 2 GB.'
	@$(PY) -m venv --clear $(VENV)/libraries
	@$(VENV)/libraries/bin/pip install --quiet $(LIBRARIES_PIP_FLAGS) "$$(grep '^torch==' $<)"
	@$(VENV)/libraries/bin/pip install --quiet --requirement $< --constraint requirements-test.txt pytest hypothesis
	@touch $@

$(VENV)/pyodide/pyodide-lock.json: tests/browser/lite/pyodide.txt tests/browser/lite/pyodide.py | $(PY)
	@echo 'Fetching a Pyodide for the tests into $(VENV)/pyodide: 85 MB.'
	$(PY) tests/browser/lite/pyodide.py $(VENV)/pyodide
	@touch $@
