# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""NVIDIA's own parser and builder, from the package tensorrt-rtx; no GPU needed.

The package is large and optional, so the name of this file keeps it out of `make test`;
`make trt-check` installs the extra and runs it. It fails, and never skips, without the package.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import pytest
import tensorrt_rtx

from kdp_edge.exporters.onnx_float import dequantized, to_float
from kdp_edge.exporters.onnx_format import to_integer, to_qdq
from kdp_edge.exporters.trt_rtx import problems
from kdp_edge.quantization.synthetic import random_net
from tests.export.trt_cases import CASES
from tests.export.trt_model import Case

BATCH = 3  # no other size of the cases, so no dimension fits by chance
CRASHED = "the parser crashed"


def verdict(model: bytes) -> list[str]:
    """`problems` in a process of its own: the parser ends the process on some broken files."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=_send_problems, args=(model, there))
    process.start()
    there.close()
    try:
        if not here.poll(60):
            pytest.fail("the parser gave no answer within 60 s")
        return list(here.recv())
    except EOFError:
        return [CRASHED]
    finally:
        process.kill()
        process.join()


def _send_problems(model: bytes, answer: Connection) -> None:
    answer.send(problems(model, BATCH))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gets_the_verdict_of_the_table(case: Case) -> None:
    found = verdict(case.build())
    assert (found == []) == case.accepted, found


@pytest.mark.parametrize("shape", [(19, 128, 2, 56), (14, 64, 1, 1)])
@pytest.mark.parametrize("batch", [1, 8])
def test_an_engine_is_built_from_the_qdq_form(shape: tuple[int, int, int, int], batch: int) -> None:
    assert problems(to_qdq(random_net("net", *shape)), batch) == []


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("batch", [1, 8])
def test_an_engine_is_built_from_the_float_forms(half: bool, batch: int) -> None:
    net = random_net("net", 19, 128, 2, 56)
    assert problems(to_float(net, dequantized(net), half), batch) == []


def test_the_form_for_cpus_is_rejected() -> None:
    assert problems(to_integer(random_net("net", 19, 32, 1, 8)), 1) != []


def test_every_call_of_the_agent_exists() -> None:
    calls = {
        tensorrt_rtx.Runtime: ["deserialize_cuda_engine"],
        tensorrt_rtx.ICudaEngine: ["create_execution_context"],
        tensorrt_rtx.IExecutionContext: ["set_input_shape", "set_tensor_address", "execute_async_v3"],
    }
    assert [name for kind, names in calls.items() for name in names if not hasattr(kind, name)] == []
