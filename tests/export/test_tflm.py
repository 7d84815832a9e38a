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


STAND_IN = """#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
#define TF_LITE_ENSURE_STATUS(a) do { const TfLiteStatus s = (a); if (s != kTfLiteOk) return s; } while (0)
struct TfLiteTensor { struct { int8_t* int8; } data; };
namespace tflite {
struct Model;
const Model* GetModel(const void*);
template <unsigned n> struct MicroMutableOpResolver {
  TfLiteStatus AddFullyConnected();
  TfLiteStatus AddAdd();
};
struct MicroInterpreter {
  template <unsigned n>
  MicroInterpreter(const Model*, const MicroMutableOpResolver<n>&, uint8_t*, size_t);
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t);
  TfLiteTensor* output(size_t);
};
}
"""
TFLITE = [f"micro/micro_{name}.h" for name in ("interpreter", "mutable_op_resolver")]


def write_stand_in(folder: Path) -> None:
    """TFLite-Micro's headers, as far as a bundle includes them, in an include folder."""
    for name in (*TFLITE, "schema/schema_generated.h"):
        header = folder / "tensorflow" / "lite" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(STAND_IN if name == TFLITE[0] else f'#include "../micro/{TFLITE[0][6:]}"\n')


def test_main_cc_compiles_against_a_stand_in_of_tflite_micro(tflm_bundle: Bundle, tmp_path: Path) -> None:
    write_stand_in(tmp_path)
    bundle = tflm_bundle.path
    assert len((bundle / "main.cc").read_text().splitlines()) <= 60
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    includes = [f"-I{folder}" for folder in (bundle, bundle / "plan", tmp_path)]
    subprocess.run([*command, *includes, str(bundle / "main.cc")], check=True)


def test_the_headers_can_be_included_from_c(tflm_bundle: Bundle, tmp_path: Path) -> None:
    program = '#include "model_data.h"\n#include "kdp_model.h"\nint size[kdp_critic_arena_size];\n'
    (tmp_path / "main.c").write_text(program)
    includes = [f"-I{tflm_bundle.path}", f"-I{tflm_bundle.path / 'plan'}"]
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    subprocess.run([*command, *includes, str(tmp_path / "main.c")], check=True)


def test_whole_plans_through_tflite_micro_are_verified(tflm_bundle: Bundle) -> None:
    checks = {check["name"]: check["count"] for check in tflm_bundle.manifest["verification"]}
    assert checks["TFLite-Micro behind the C planner, digests of whole plans: differing outputs"] > 0


def test_the_operator_list_is_what_the_models_use(tflm_bundle: Bundle) -> None:
    text = (tflm_bundle.path / "model_ops.h").read_text()
    assert "MicroMutableOpResolver<2>" in text
    assert "AddFullyConnected()" in text
    assert "AddAdd()" in text
