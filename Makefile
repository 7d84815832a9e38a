# Two commands for a fresh Debian or Ubuntu machine with Python 3.11 or newer:
#   make demo   the whole line once: data, training, int8, bundles, firmware, emulated board, report
#   make test   every test
# Both install what they need: Python packages into .venv, the cross-toolchain and QEMU through apt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APT_PACKAGES := gcc g++ libc6-dev python3-venv gcc-arm-none-eabi picolibc-arm-none-eabi \
	qemu-system-arm gdb-multiarch stm32flash
TOOLS := gcc g++ arm-none-eabi-gcc qemu-system-arm gdb-multiarch stm32flash

.PHONY: demo test lint trt-check toolchain install clean

demo: install
	$(BIN)/kdp-edge demo

test: install
	$(BIN)/python -m pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p kdp_edge

# NVIDIA's own parser and builder as a second opinion on the jetson bundle; 240 MB, no GPU needed
trt-check: install
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable '.[trt-check]'
	$(BIN)/python -m pytest tests/peers/tensorrt_rtx.py

install: toolchain $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "kdp-edge needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[train,hil,dev]'
	@touch $@

# apt is used when it may be (root, or sudo without a password); otherwise say what to install
toolchain:
	@missing=""; for tool in $(TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	ls /usr/lib/picolibc/arm-none-eabi/picolibc.specs >/dev/null 2>&1 || \
		[ -n "$$(arm-none-eabi-gcc -print-file-name=picolibc.specs 2>/dev/null | grep /)" ] || missing="$$missing picolibc"; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo"; \
	else echo "Missing:$$missing. Install with: sudo apt-get install $(APT_PACKAGES)" >&2; exit 2; fi; \
	command -v apt-get >/dev/null || { echo "Missing:$$missing; no apt-get here, install them by hand" >&2; exit 2; }; \
	echo "Installing through apt:$$missing"; \
	$$as_root apt-get update -qq && $$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $(APT_PACKAGES) >/dev/null

clean:
	rm -rf $(VENV) build *.egg-info
