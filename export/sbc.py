"""Target sbc: ONNX models that equal the integer reference on every output, and the agent that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdp_edge.export import golden
from kdp_edge.export.agent.backends import OnnxRuntime
from kdp_edge.export.agent_files import check_imports, write_agent
from kdp_edge.export.onnx_format import OPSET, to_integer
from kdp_edge.export.verify import Check, equal
from kdp_edge.quantize.plan import IntegerPlanner


def write(planner: IntegerPlanner, folder: Path) -> dict[str, Any]:
    """Write `generator.onnx`, `critic.onnx` and the agent into `folder`."""
    for net in (planner.generator, planner.critic):
        (folder / f"{net.name}.onnx").write_bytes(to_integer(net))
    write_agent(folder)
    return {"backend": "onnxruntime", "opset": OPSET, "form": "MatMulInteger, exact requantization"}


def verify(folder: Path, planner: IntegerPlanner) -> Sequence[Check]:
    """ONNX Runtime equals the integer reference on every output of every golden input."""
    vectors = golden.load(folder)
    checks = []
    for net in (planner.generator, planner.critic):
        run = OnnxRuntime(folder / f"{net.name}.onnx", net)
        found = run(vectors[f"{net.name}.inputs"])
        checks.append(equal(f"ONNX Runtime, {net.name}", vectors[f"{net.name}.outputs"], found))
    return [*checks, check_imports(folder)]
