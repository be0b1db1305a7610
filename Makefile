# Every target sets up what it needs: `make demo` and `make test` work on a fresh machine with Python 3.11.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
NO_TORCH := .venv-slicer512
READERS := .venv-readers
ONLY ?=
export HF_HUB_OFFLINE := 1
export QT_QPA_PLATFORM := offscreen
export VTK_DEFAULT_OPENGL_WINDOW := vtkEGLRenderWindow
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup demo test lint bench screenshots package-lists clean

help:
	@echo "make demo        simulate one patient, analyze it, print the result and the next steps"
	@echo "make test        all tests (installs what they need)"
	@echo "make bench       speed against named peers (ONLY=name for one)"
	@echo "make screenshots pictures of both panels and of a result"
	@echo "make setup       the environments alone;  make clean  removes them"

setup: $(VENV)/ready

$(VENV)/ready: constraints.txt python_core/pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "Python 3.11 or later is needed: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q --upgrade pip
	$(RUN) -m pip install -q -c constraints.txt -e "./python_core[analysis,cpu,pacs,test,dev]" \
		slicer-core "trame-slicer[standalone]" PySide6_Essentials
	$(RUN) -m pip install -q -c constraints.txt --no-deps zennit  # asks for a torchvision that the tests do not need
	touch $@

# Reviewing needs no torch: this environment has none, and the newest stable Slicer core.
$(NO_TORCH)/ready: Testing/mrml/requirements-5.12.txt python_core/pyproject.toml
	$(PYTHON) -m venv $(NO_TORCH)
	$(NO_TORCH)/bin/python -m pip install -q --upgrade pip
	$(NO_TORCH)/bin/python -m pip install -q -r Testing/mrml/requirements-5.12.txt
	$(NO_TORCH)/bin/python -m pip install -q --no-deps -e ./python_core
	touch $@

# Readers of DICOM that tests ask for a second opinion, and that need other versions than ours.
$(READERS)/ready: Testing/dicom/requirements-readers.txt
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python -m pip install -q --upgrade pip
	$(READERS)/bin/python -m pip install -q -r Testing/dicom/requirements-readers.txt
	touch $@

.PHONY: system
system:
	@sh scripts/system_packages.sh

demo: setup
	$(RUN) scripts/demo.py

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m mypy

test: setup $(NO_TORCH)/ready $(READERS)/ready system lint
	$(RUN) -m pytest python_core/tests
	$(RUN) -m pytest Testing
	$(NO_TORCH)/bin/python -m pytest Testing/mrml

bench: setup
	$(RUN) bench/bench.py $(if $(ONLY),--only "$(ONLY)")

screenshots: setup system
	$(RUN) scripts/make_screenshots.py

package-lists:
	$(PYTHON) Testing/panel/list_packaged_files.py

clean:
	rm -rf $(VENV) $(NO_TORCH) $(READERS) build demo
