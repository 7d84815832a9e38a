# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
# Three commands for a fresh Debian or Ubuntu machine with Python 3.11 or newer:
#   make demo   the whole line once: data, training, int8, bundles, firmware, emulated board, report
#   make test   every test
#   make prove  no input makes the firmware's core misbehave, shown by static analysis (docs/assurance.md)
# They install what they need: Python packages into .venv, compilers and QEMU through apt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# only files whose hashes the locks list; a lock is complete, so nothing is looked up besides
LOCKED := $(PIP) install --require-hashes --no-deps --only-binary :all:
EDITABLE := $(PIP) install --no-deps --no-build-isolation --editable .
export PATH := $(CURDIR)/$(BIN):$(PATH)

# program=package; what a user needs, and what the tests compare with
USE := gcc=gcc arm-none-eabi-gcc=gcc-arm-none-eabi qemu-system-arm=qemu-system-arm
CHECK = g++=g++ gdb-multiarch=gdb-multiarch stm32flash=stm32flash openocd=openocd teensy_loader_cli=teensy-loader-cli \
	openssl=openssl cmake=cmake clang=clang clang-tidy=clang-tidy cppcheck=cppcheck \
	powerpc-linux-gnu-gcc=gcc-powerpc-linux-gnu qemu-ppc=qemu-user \
	riscv64-unknown-elf-gcc=gcc-riscv64-unknown-elf qemu-system-riscv32=$(QEMU_RISCV)
# a package of its own since Debian 13
QEMU_RISCV = $(shell apt-cache show qemu-system-riscv >/dev/null 2>&1 && echo qemu-system-riscv || echo qemu-system-misc)

PROVE := frama-c=frama-c-base why3=why3 z3=z3

.PHONY: demo test lint prove coverage lock sbom trt-check gpu-check tools test-tools picture clean

demo: tools $(VENV)/.demo
	$(BIN)/kdp-edge demo

test: test-tools $(VENV)/.test
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/lint && $(PIP) install --no-deps --no-build-isolation --target build/lint .
	MYPYPATH=build/lint $(BIN)/mypy -p kdp_edge  # the installed packages: mypy cannot see an editable map

prove:
	@wanted="$$($(call missing,$(PROVE)))"; [ -z "$$wanted" ] || $(call apt,$$wanted)
	$(PYTHON) firmware/prove/prove.py $(ALL)

# every branch of fail-safe and server is taken by the tests that compare them with the twin
coverage: test-tools $(VENV)/.test
	$(BIN)/python -m pytest tests/firmware/coverage.py

# NVIDIA's own parser and builder as a second opinion on the jetson bundle; 240 MB, no GPU needed
trt-check: $(VENV)/.test
	$(PIP) install --require-hashes --no-deps -r supply/trt-check.txt  # their makers publish a part as source
	$(BIN)/python -m pytest tests/peers/tensorrt_rtx.py

# training on an NVIDIA GPU, and the CUDA calls of the Jetson's server; needs a GPU and torch's CUDA build
gpu-check: $(VENV)/.test
	$(BIN)/python -m pytest tests/peers/gpu.py

# resolves pyproject.toml anew: supply/lock.py; make lock UPGRADE=--upgrade takes newer releases
lock: $(VENV)/bin/python
	$(PIP) install uv
	$(BIN)/python supply/lock.py $(UPGRADE)

# the list of parts that goes into the wheel, after a change of requirements or behaviour policies
sbom: $(VENV)/.test
	$(BIN)/python supply/wheel_sbom.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
		"kdp-edge needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call apt,python3-venv)
	$(PYTHON) -m venv $(VENV)

# torch's CPU build where pip finds it, else the one that everybody gets
$(VENV)/.torch: $(VENV)/bin/python supply/torch.txt supply/torch-cpu.txt
	$(LOCKED) -r supply/torch-cpu.txt 2>/dev/null || $(LOCKED) -r supply/torch.txt
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml supply/demo.txt
	$(LOCKED) -r supply/demo.txt
	$(EDITABLE)
	@$(PIP) check
	@touch $@

$(VENV)/.test: $(VENV)/.demo supply/test.txt
	$(LOCKED) -r supply/test.txt
	@$(PIP) check
	@touch $@

# apt is used when it may be (root, or sudo without a password); otherwise say what to install
apt = { packages="$(1)"; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo"; \
	else as_root=no; fi; \
	if [ "$$as_root" = no ] || ! command -v apt-get >/dev/null; then \
		echo "Missing on this machine. Install: apt-get install --no-install-recommends $$packages" >&2; exit 2; fi; \
	echo "Installing through apt: $$packages"; \
	$$as_root apt-get update -qq && $$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $$packages >/dev/null; }

missing = for pair in $(1); do command -v $${pair%%=*} >/dev/null || printf '%s ' $${pair\#\#*=}; done

tools:
	@wanted="$$($(call missing,$(USE)))"; \
	[ -e /usr/include/stdio.h ] || wanted="$$wanted libc6-dev"; \
	case "$$(arm-none-eabi-gcc -print-file-name=picolibc.specs 2>/dev/null)" in */*) ;; \
		*) wanted="$$wanted picolibc-arm-none-eabi";; esac; \
	[ -z "$$wanted" ] || $(call apt,$$wanted)

test-tools: tools
	@wanted="$$($(call missing,$(CHECK)))"; \
	[ -e /usr/powerpc-linux-gnu/include/stdio.h ] || wanted="$$wanted libc6-dev-powerpc-cross"; \
	[ -z "$$wanted" ] || $(call apt,$$wanted)
	@ls $$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 || \
		$(call apt,libclang-rt-$$(clang -dumpversion | cut -d. -f1)-dev)

# README's picture of a report: make picture REPORT=kdp-work/reports/TIME-TASK (kdp-edge hil --pace device --video)
picture: $(VENV)/.demo
	@command -v chromium >/dev/null || $(call apt,chromium)
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=985,1090 \
		--screenshot=docs/report.png file://$(abspath $(REPORT))/report.html
	$(BIN)/python -c 'from PIL import Image; Image.open("docs/report.png").quantize(64).save("docs/report.png", optimize=True)'

clean:
	rm -rf $(VENV) build *.egg-info
