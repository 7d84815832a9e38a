# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Target sbc: ONNX models that equal the integer reference on every output, and the agent that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdp_edge.exporters import golden
from kdp_edge.exporters.agent.backends import open_planner, runs
from kdp_edge.exporters.agent_files import check_imports, write_agent
from kdp_edge.exporters.agent_service import write_dockerfile, write_unit
from kdp_edge.exporters.onnx_format import OPSET, to_integer
from kdp_edge.exporters.verify import Check, equal
from kdp_edge.quantization.plan import IntegerPlanner


def write(planner: IntegerPlanner, folder: Path) -> dict[str, Any]:
    """Write a model for each net and the agent into `folder`."""
    for net in planner.nets:
        (folder / f"{net.name}.onnx").write_bytes(to_integer(net))
    write_agent(folder)
    write_unit(folder, gpu=False)
    write_dockerfile(folder)
    return {"backend": "onnxruntime", "opset": OPSET, "form": "MatMulInteger, exact requantization"}


def verify(folder: Path, planner: IntegerPlanner) -> Sequence[Check]:
    """ONNX Runtime equals the integer reference on every output of every golden input and plan."""
    vectors = golden.load(folder)
    device = open_planner("onnxruntime", folder, planner, exact=True)
    checks = []
    for net, run in runs(device):
        found = run(vectors[f"{net.name}.inputs"])
        checks.append(equal(f"ONNX Runtime, {net.name}", vectors[f"{net.name}.outputs"], found))
    plans = zip(*(vectors[f"plan.{name}"] for name in ("observation", "episode", "index")), strict=True)
    digests = np.array([device.plan(o, int(e), int(i)).digest for o, e, i in plans], np.uint32)
    checks.append(equal("ONNX Runtime, digests of whole plans", vectors["plan.digest"], digests))
    return [*checks, check_imports(folder)]
