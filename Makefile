# Every target is a line or two that works without make. Nothing here needs root.
#
#   make demo    a fresh machine names and gates the bundled sound: a table here, pictures in build/
#   make setup   the same environment (.venv: the edge runtime, no torch), and no more
#   make test    all that needs no special hardware but `make live`, in .venv-test (torch, about 5 GB)
#   make live    the live gate and the panel through a sound server (minutes; leave the machine alone)
#   make arm     the edge runtime on an emulated 64-bit Arm (needs debootstrap, qemu-user-static)
#   make endure  ten minutes of live sound through the gate, every core at work, sample by sample
#   make lint    ruff, mypy, import-linter
#   make bench   the figures the documents quote
#   make wheel   dist/*.whl
#   make clean   removes what any of these made

# The first Python that we support and that can make environments; `make PYTHON=... demo` overrides.
PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13,$(if $(shell $(p) -c \
  'import sys, venv, ensurepip; print("ok" if (3, 11) <= sys.version_info < (3, 14) else "")' \
  2>/dev/null),$(p))))
EDGE := .venv
FULL := .venv-test
PIP := bin/python -m pip install --quiet -c tests/constraints.txt
MARKS := not (gpu or device or pi or network)

# a folder of the user's that is called models/ must never be imported in place of ours
export PYTHONSAFEPATH := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test live arm endure lint bench wheel clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

setup: $(EDGE)/.installed

demo: $(EDGE)/.installed
	@mkdir -p build
	@$(EDGE)/bin/rt-tag realtime/sounds/demo.flac --table --plot build/demo.png
	@$(EDGE)/bin/rt-gate realtime/sounds/demo.flac build/gated.flac --plot build/gate.png
	@echo "Pictures: build/demo.png build/gate.png    Without what is no voice: build/gated.flac"
	@echo "Your own sound: $(EDGE)/bin/rt-tag FILE or $(EDGE)/bin/rt-gate IN OUT; without files, live"

test: $(FULL)/.installed
	OMP_NUM_THREADS=1 $(FULL)/bin/python -m pytest -n 2 --dist loadgroup -m "$(MARKS)" --ignore tests/live/gate --ignore tests/live/panel $(ARGS)

# the gate between real streams, sample by sample: one test at a time, alone on the machine
live: $(FULL)/.installed
	OMP_NUM_THREADS=1 $(FULL)/bin/python -m pytest -m live tests/live/gate $(ARGS)
	OMP_NUM_THREADS=1 $(FULL)/bin/python -m pytest -m live tests/live/panel $(ARGS)

arm: $(FULL)/.installed
	@tests/arm/make_root.sh build/arm
	RT_ARM=build/arm $(FULL)/bin/python -m pytest -m pi tests/arm $(ARGS)

endure: $(FULL)/.installed
	OMP_NUM_THREADS=1 $(FULL)/bin/python tests/bench/bench_live_gate.py --endure 10 $(ARGS)

lint: $(FULL)/.installed
	$(FULL)/bin/ruff check .
	$(FULL)/bin/ruff format --check .
	$(FULL)/bin/mypy
	PYTHONSAFEPATH= $(FULL)/bin/lint-imports

bench: $(FULL)/.installed
	@for f in tests/bench/bench_*.py; do $(FULL)/bin/python $$f $(ARGS) || exit 1; done

wheel: $(FULL)/.installed
	$(FULL)/bin/python -m hatchling build -t wheel

clean:
	rm -rf $(EDGE) $(FULL) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(EDGE)/.installed: EXTRAS := tflite,plot
$(FULL)/.installed: EXTRAS := tflite,numba,plot,gui,archive,cluster,train,export,test,dev
$(EDGE)/.installed $(FULL)/.installed: pyproject.toml tests/constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 that can make environments was found." \
	  "On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@echo "Installing rt-tag[$(EXTRAS)] into $(@D) ..."
	@test -x $(@D)/bin/pip || $(PYTHON) -m venv --clear $(@D)
	@$(@D)/$(PIP) -e '.[$(EXTRAS)]'
	@touch $@
