# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The C arrays are the models, aligned, and compile; the header names what firmware must register."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kdp_edge.exporters.bundle import Bundle

PRINT_MODELS = """
#include <cstdio>
#include <cstdint>
#include <initializer_list>
#include "model_data.h"
int main() {
  for (const unsigned char* model : {kdp_generator_model, kdp_critic_model})
    if (reinterpret_cast<uintptr_t>(model) % 16) return 1;
  std::fwrite(kdp_generator_model, 1, sizeof kdp_generator_model, stdout);
  std::fwrite(kdp_critic_model, 1, kdp_critic_model_size, stdout);
}
"""


def test_the_arrays_compile_are_aligned_and_give_back_the_models(tflm_bundle: Bundle, tmp_path: Path) -> None:
    main = tmp_path / "main.cc"
    main.write_text(PRINT_MODELS)
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-I", str(tflm_bundle.path)]
    program = tmp_path / "models"
    subprocess.run(
        ["g++", *flags, str(main), str(tflm_bundle.path / "model_data.cc"), "-o", str(program)], check=True
    )
    printed = subprocess.run([program], capture_output=True, check=True).stdout
    files = [(tflm_bundle.path / f"{name}.tflite").read_bytes() for name in ("generator", "critic")]
    assert printed == b"".join(files)


def test_the_operator_list_is_what_the_models_use(tflm_bundle: Bundle) -> None:
    text = (tflm_bundle.path / "model_ops.h").read_text()
    assert "MicroMutableOpResolver<2>" in text
    assert "AddFullyConnected()" in text
    assert "AddAdd()" in text
