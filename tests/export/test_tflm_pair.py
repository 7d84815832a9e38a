# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Two tflm policies in one program: no name clashes, and each plans as alone."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kdp_edge.base.errors import KdpError
from kdp_edge.exporters.bundle import Bundle
from kdp_edge.exporters.firmware import Form
from kdp_edge.exporters.targets import export_planner
from kdp_edge.quantization import reference
from kdp_edge.quantization.plan import IntegerPlanner
from kdp_edge.quantization.synthetic import random_planner
from kdp_edge.wire.twin import Reply, Twin
from tests.export.test_tflm import write_stand_in

STEPS = 3
CALL = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int8), ctypes.POINTER(ctypes.c_int8)
)
BOTH = """
#include "kdp_model.h"
#include "left_leg_model.h"
static int (*invoke)(int, const int8_t *, int8_t *);
int kdp_net_invoke(const kdp_net *net, const int8_t *input, int8_t *output)
{
    const kdp_net *const nets[] = {&kdp_generator, &kdp_critic, &left_leg_generator, &left_leg_critic};
    for (int i = 0; i < 4; i++) {
        if (net == nets[i]) return invoke(i, input, output);
    }
    return KDP_ERROR_NET_FAILED;
}
uint32_t kdp_port_now(void *context) { (void)context; return 0; }
KDP_ALIGNED static uint8_t first[KDP_MODEL_MEMORY], second[LEFT_LEG_MODEL_MEMORY];
int plan(int (*with)(int, const int8_t *, int8_t *), float *actions)
{
    static kdp_policy a, b;
    const kdp_policy_config config_a = {&kdp_model_data, first, sizeof first, 1000000u, NULL, NULL};
    const kdp_policy_config config_b = {&left_leg_model_data, second, sizeof second, 1000000u, NULL, NULL};
    float seen_a[KDP_MODEL_OBS_DIM] = {0}, seen_b[LEFT_LEG_MODEL_OBS_DIM] = {0};
    kdp_action action;
    invoke = with;
    if (kdp_policy_init(&a, &config_a) != 0 || kdp_policy_init(&b, &config_b) != 0) return 1;
    kdp_policy_reset(&a, 3, KDP_LOCKSTEP);
    kdp_policy_reset(&b, 3, KDP_LOCKSTEP);
    for (uint32_t step = 0; step < 3; step++) {
        if (kdp_policy_step(&a, step, seen_a, &action) != 0) return 2;
        *actions++ = action.values[0];
        if (kdp_policy_step(&b, step, seen_b, &action) != 0) return 3;
        *actions++ = action.values[0];
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def other() -> IntegerPlanner:
    return random_planner(obs_dim=3, act_dim=2, width=16, blocks=0, critic_width=8, k=3, latent_dim=3, seed=5)


@pytest.fixture(scope="module")
def left_leg(other: IntegerPlanner, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("pair") / "left"
    return export_planner(other, "tflm", folder, {}, form=Form("left_leg"))  # verified, whole plans too


def _first_actions(planner: IntegerPlanner) -> list[float]:
    twin = Twin(planner)
    twin.reset(3)
    zeros = np.zeros(planner.spec.obs_dim, np.float32)
    replies = [twin.step(step, zeros) for step in range(STEPS)]
    return [float(reply.action[0]) for reply in replies if isinstance(reply, Reply)]


def test_each_plans_as_alone(
    tflm_bundle: Bundle, left_leg: Bundle, planner: IntegerPlanner, other: IntegerPlanner, tmp_path: Path
) -> None:
    (tmp_path / "both.c").write_text(BOTH)
    rooms = [tflm_bundle.path / "plan", left_leg.path / "plan"]
    sources = [tmp_path / "both.c", *rooms[0].glob("*.c"), *rooms[1].glob("left_leg_*.c")]
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    library = tmp_path / "both.so"
    subprocess.run(["cc", *flags, *(f"-I{room}" for room in rooms), *sources, "-o", library], check=True)
    nets = [*planner.nets, *other.nets]

    def invoke(which: int, given: ctypes._Pointer[ctypes.c_int8], to: ctypes._Pointer[ctypes.c_int8]) -> int:
        net = nets[which]
        inputs = np.ctypeslib.as_array(given, (net.input_size,))
        np.ctypeslib.as_array(to, (net.output_size,))[:] = reference.run(net, inputs[None])[0]
        return 0

    actions = (ctypes.c_float * (2 * STEPS))()
    assert ctypes.CDLL(str(library)).plan(CALL(invoke), actions) == 0
    assert list(actions)[::2] == _first_actions(planner)
    assert list(actions)[1::2] == _first_actions(other)


def test_models_and_operators_of_both_compile_together(
    tflm_bundle: Bundle, left_leg: Bundle, tmp_path: Path
) -> None:
    write_stand_in(tmp_path)
    headers = ("model_data.h", "model_ops.h", "left_leg_model_data.h", "left_leg_model_ops.h")
    text = "".join(f'#include "{name}"\n' for name in headers)
    text += "int main() { KdpOpResolver one; LeftLegOpResolver two; (void)one; (void)two;\n"
    text += "return kdp_generator_model[0] + left_leg_generator_model[0]; }\n"
    (tmp_path / "main.cc").write_text(text)
    folders = [tflm_bundle.path, left_leg.path]
    arrays = [folders[0] / "model_data.cc", folders[1] / "left_leg_model_data.cc"]
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", *(f"-I{f}" for f in (*folders, tmp_path))]
    subprocess.run([*command, tmp_path / "main.cc", *arrays, "-o", tmp_path / "main"], check=True)


def test_its_main_and_its_readme_use_the_prefix(left_leg: Bundle, tmp_path: Path) -> None:
    write_stand_in(tmp_path)
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    includes = [f"-I{folder}" for folder in (left_leg.path, left_leg.path / "plan", tmp_path)]
    subprocess.run([*command, *includes, str(left_leg.path / "main.cc")], check=True)
    readme = (left_leg.path / "README.md").read_text()
    assert "left_leg_model_data.cc" in readme and "LeftLegOpResolver" in readme and "KdpOp" not in readme
    assert not list(left_leg.path.glob("model_*"))


def test_a_package_of_it_is_refused(other: IntegerPlanner, tmp_path: Path) -> None:
    with pytest.raises(KdpError, match="--package is for target firmware"):
        export_planner(other, "tflm", tmp_path / "out", {}, form=Form("left_leg", ("zephyr",)))
