# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Policies in the files that people have, for a robot of 2 observations and 2 actions.

`sb3_zip` writes the layout of Stable-Baselines3 2.9 without having it: names of the entries, tensors, and the
fields of `data` as it writes them, pickles included.
"""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

PICKLE = "gAWVMAAAAAAAAACMIXN0YWJsZV9iYXNlbGluZXMzLmNvbW1vbi5wb2xpY2llc5SMEQ=="  # cut short: must not be read


def mlp(*widths: int, between: type[nn.Module] = nn.Tanh, seed: int = 0) -> nn.Sequential:
    """Linear layers of these widths, an activation between them."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), between()]
    return nn.Sequential(*layers[:-1])


def answers(net: nn.Module, inputs: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.from_numpy(np.asarray(inputs, np.float32))).numpy()


def sb3_zip(
    path: Path,
    tensors: dict[str, torch.Tensor],
    low: str = "[ 0. -2.]",
    high: str = "[3. 2.]",
    policy_kwargs: dict[str, Any] | None = None,
    **data: Any,
) -> Path:
    box = {":type:": "<class 'gymnasium.spaces.box.Box'>", ":serialized:": PICKLE, "dtype": "float32"}
    described = {
        "policy_class": {":type:": "<class 'abc.ABCMeta'>", ":serialized:": PICKLE},
        "policy_kwargs": policy_kwargs or {},
        "use_sde": False,
        "action_space": box | {"_shape": [2], "low": low, "high": high},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps(described | data))
        with archive.open("policy.pth", "w") as file:
            torch.save(tensors, file)
        archive.writestr("_stable_baselines3_version", "2.9.2")
    return path


def sac_tensors(body: nn.Sequential, mean: nn.Linear) -> dict[str, torch.Tensor]:
    tensors = {f"actor.latent_pi.{k}": v for k, v in body.state_dict().items()}
    tensors |= {f"actor.mu.{k}": v for k, v in mean.state_dict().items()}
    return tensors | {"actor.log_std.weight": torch.ones(2, 3), "critic.qf0.0.weight": torch.ones(4, 4)}


def ppo_tensors(net: nn.Sequential) -> dict[str, torch.Tensor]:
    *_, last = net
    body = {f"mlp_extractor.policy_net.{k}": v for k, v in net[:-1].state_dict().items()}
    head = {f"action_net.{k}": v for k, v in last.state_dict().items()}
    value = {"mlp_extractor.value_net.0.weight": torch.ones(4, 2), "value_net.weight": torch.ones(1, 4)}
    return {"log_std": torch.zeros(2), **body, **head, **value}


def onnx_file(
    path: Path, nodes: list[onnx.NodeProto], constants: dict[str, Any], inputs: int = 2, output: str = "y"
) -> Path:
    """A graph from `x` [batch, inputs] to `output`."""
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()]
    sides = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", inputs]),
        helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", None]),
    ]
    graph = helper.make_graph(nodes, "actor", sides[:1], sides[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def cleanrl_onnx(path: Path, net: nn.Sequential) -> Path:
    """`torch.onnx.export` of CleanRL's actor_mean: Gemm with transB, Tanh between."""
    nodes, constants, source = [], {}, "x"
    for number, layer in enumerate(net):
        target = "y" if number == len(net) - 1 else f"h{number}"
        if isinstance(layer, nn.Linear):
            constants |= {f"{number}.w": layer.weight.detach(), f"{number}.b": layer.bias.detach()}
            node = helper.make_node("Gemm", [source, f"{number}.w", f"{number}.b"], [target], transB=1)
        else:
            node = helper.make_node(type(layer).__name__, [source], [target])
        nodes.append(node)
        source = target
    return onnx_file(path, nodes, constants)
