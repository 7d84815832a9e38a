# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What is read from a policy's file answers as the framework that wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import helper
from torch import nn

from kdp_edge.actors.importing import Told, read_actor
from kdp_edge.base.errors import KdpError
from kdp_edge.quantization import float_actor
from tests.data.test_robots import LIFT
from tests.policies.files import answers, cleanrl_onnx, mlp, onnx_file, ppo_tensors, sac_tensors, sb3_zip

LOW, HIGH = LIFT.low, LIFT.high
HALF, MIDDLE = (HIGH - LOW) / 2, (HIGH + LOW) / 2


def read(path: Path, **told: object) -> float_actor.Actor:
    return read_actor(path, LIFT, Told(**told))[0]  # type: ignore[arg-type]


def close(actor: float_actor.Actor, observations: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actor(observations), expected, atol=2e-5)
    assert expected.std(0).min() > 1e-3, "this would compare nothing"


def test_sac_of_stable_baselines(tmp_path: Path, observations: np.ndarray) -> None:
    body, mean = mlp(2, 24, 17, 1, between=nn.ReLU)[:-1], nn.Linear(17, 2)
    actor = read(sb3_zip(tmp_path / "sac.zip", sac_tensors(body, mean), policy_kwargs={"use_sde": False}))
    wanted = np.tanh(answers(nn.Sequential(body, mean), observations)) * HALF + MIDDLE
    close(actor, observations, wanted)


def test_td3_of_stable_baselines(tmp_path: Path, observations: np.ndarray) -> None:
    net = mlp(2, 24, 17, 2, between=nn.ReLU)
    tensors = {f"actor.mu.{k}": v for k, v in net.state_dict().items()}
    actor = read(sb3_zip(tmp_path / "td3.zip", tensors | {"critic.qf0.0.weight": torch.ones(2, 4)}))
    close(actor, observations, np.tanh(answers(net, observations)) * HALF + MIDDLE)


@pytest.mark.parametrize(("between", "kwargs"), [
    (nn.Tanh, {}), (nn.ELU, {"activation_fn": "<class 'torch.nn.modules.activation.ELU'>"}),
])  # fmt: skip
def test_ppo_of_stable_baselines(
    tmp_path: Path, observations: np.ndarray, between: type, kwargs: dict
) -> None:
    net = mlp(2, 24, 17, 2, between=between)
    actor = read(sb3_zip(tmp_path / "ppo.zip", ppo_tensors(net), policy_kwargs=kwargs))
    close(actor, observations, answers(net, observations))


def test_vecnormalize_as_numbers(tmp_path: Path, observations: np.ndarray) -> None:
    net = mlp(2, 24, 2)
    mean, var, clip = np.array([0.3, -2.0]), np.array([4.0, 0.02]), 2.0
    np.savez(tmp_path / "n.npz", mean=mean, var=var, epsilon=1e-8, clip=clip)
    path = sb3_zip(tmp_path / "ppo.zip", ppo_tensors(net))
    inputs = np.clip((observations - mean) / np.sqrt(var + 1e-8), -clip, clip)
    assert (np.abs(inputs) == clip).any()
    close(read(path, normalizer=tmp_path / "n.npz"), observations, answers(net, inputs))


def test_rsl_rl_with_its_normaliser(tmp_path: Path, observations: np.ndarray) -> None:
    net, mean, std = (
        mlp(2, 32, 16, 8, 2, between=nn.ELU),
        torch.tensor([[0.1, -1.0]]),
        torch.tensor([[2.0, 0.3]]),
    )
    tensors = {f"actor.{k}": v for k, v in net.state_dict().items()} | {"std": torch.ones(2)}
    tensors |= {f"critic.{k}": v for k, v in mlp(2, 8, 1).state_dict().items()}
    tensors |= {"actor_obs_normalizer._mean": mean, "actor_obs_normalizer._std": std}
    tensors |= {"critic_obs_normalizer._mean": 9 * mean, "critic_obs_normalizer._std": std}
    torch.save({"model_state_dict": tensors, "iter": 7, "infos": None}, tmp_path / "model_1.pt")
    inputs = (observations - mean.numpy()) / (std.numpy() + 0.01)
    close(read(tmp_path / "model_1.pt", activation="elu"), observations, answers(net, inputs))


def test_cleanrl_sac_by_its_names(tmp_path: Path, observations: np.ndarray) -> None:
    one, two, mean = nn.Linear(2, 20), nn.Linear(20, 12), nn.Linear(12, 2)
    layers = {"fc1": one, "fc2": two, "fc_mean": mean, "fc_logstd": nn.Linear(12, 2)}
    tensors = {f"{name}.{k}": v for name, layer in layers.items() for k, v in layer.state_dict().items()}
    tensors |= {"action_scale": torch.tensor(HALF), "action_bias": torch.tensor(MIDDLE)}
    torch.save(tensors, tmp_path / "actor.pth")
    net = nn.Sequential(one, nn.ReLU(), two, nn.ReLU(), mean, nn.Tanh())
    wanted = answers(net, observations) * HALF + MIDDLE
    close(read(tmp_path / "actor.pth", activation="relu"), observations, wanted)


def test_cleanrl_onnx_and_shares(tmp_path: Path, observations: np.ndarray) -> None:
    net = mlp(2, 24, 17, 2)
    path = cleanrl_onnx(tmp_path / "actor.onnx", net)
    close(read(path), observations, answers(net, observations))
    close(read(path, shares=True), observations, answers(net, observations) * HALF + MIDDLE)


def test_everything_that_folds_in_one_onnx(tmp_path: Path, observations: np.ndarray) -> None:
    """Normaliser, clip, sigmoid, a residual sum, ELU, a squashed answer of negative factor, a clipped end."""
    rng = np.random.default_rng(3)
    make = helper.make_node
    nodes = [
        make("Sub", ["x", "mean"], ["centred"]),
        make("Sqrt", ["var"], ["std"]),
        make("Div", ["centred", "std"], ["normal"]),
        make("Clip", ["normal", "-c", "c"], ["in"]),
        make("MatMul", ["in", "w1"], ["m1"]),
        make("Add", ["b1", "m1"], ["a1"]),
        make("Sigmoid", ["a1"], ["s"]),
        make("Gemm", ["s", "w2", "b2"], ["branch"], transB=1, alpha=0.5),
        make("Mul", ["branch", "two"], ["twice"]),
        make("Gemm", ["in", "w3"], ["skip"]),
        make("Add", ["skip", "twice"], ["sum"]),
        make("Elu", ["sum"], ["e"]),
        make("Gemm", ["e", "w4", "b4"], ["u"]),
        make("Tanh", ["u"], ["t"]),
        make("Mul", ["t", "scale"], ["y0"]),
        make("Add", ["y0", "shift"], ["y1"]),
        make("Clip", ["y1", "lo", "hi"], ["y2"]),
        make("Identity", ["y2"], ["y"]),
        make("Gemm", ["e", "w4"], ["a second head that nobody asked for"]),
    ]
    constants = {
        "mean": [[0.2, -0.1]], "var": [[2.0, 0.25]], "-c": -2.5, "c": 2.5, "w1": rng.normal(size=(2, 9)),
        "b1": rng.normal(size=9), "w2": rng.normal(size=(9, 9)), "b2": rng.normal(size=9), "two": 2.0,
        "w3": rng.normal(size=(2, 9)), "w4": rng.normal(size=(9, 2)), "b4": rng.normal(size=(1, 2)),
        "scale": [1.4, -1.9], "shift": [1.5, 0.0], "lo": -1.0, "hi": 2.5,
    }  # fmt: skip
    path = onnx_file(tmp_path / "all.onnx", nodes, constants)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    close(read(path), observations, session.run(["y"], {"x": observations})[0])


def test_an_actor_survives_its_file_and_damage_is_refused(tmp_path: Path, observations: np.ndarray) -> None:
    actor = read(cleanrl_onnx(tmp_path / "actor.onnx", mlp(2, 8, 2)))
    float_actor.save(actor, tmp_path / "actor.safetensors")
    again = float_actor.load(tmp_path / "actor.safetensors")
    np.testing.assert_array_equal(again(observations), actor(observations))
    whole = (tmp_path / "actor.safetensors").read_bytes()
    for at in (3, 30, 200, len(whole) // 2):
        (tmp_path / "actor.safetensors").write_bytes(whole[:at])
        with pytest.raises(KdpError, match="import the policy again"):
            float_actor.load(tmp_path / "actor.safetensors")
