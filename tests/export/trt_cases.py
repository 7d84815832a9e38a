# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""All cases of the TensorRT rules: for our rules, and for NVIDIA's parser (`make trt-check`)."""

from __future__ import annotations

from tests.export import trt_file_cases, trt_quantizer_cases
from tests.export.trt_model import Case

CASES: list[Case] = [*trt_file_cases.CASES, *trt_quantizer_cases.CASES]
