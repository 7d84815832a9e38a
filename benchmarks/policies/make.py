# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""Writes the policies of benchmarks/results/policies.json in other people's files, and imports them.

    pip install --no-deps stable-baselines3 pandas cloudpickle
    for task in hopper walker2d halfcheetah; do kdp-edge data make $task-medium-expert --steps 30000; done
    python benchmarks/policies/make.py policies
    kdp-edge bench policies --episodes 20

Three are the shipped SAC experts as files that Stable-Baselines3 itself saves. Three are distilled from
them (their mean actions, on the data and where the student goes): an ELU actor as rsl_rl saves it, with its
normaliser; a tanh actor as Stable-Baselines3's PPO; a tanh actor as CleanRL's ONNX.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from torch import nn

from kdp_edge.actors.importing import Told, import_actor
from kdp_edge.data import store
from kdp_edge.data.making.policy import load_policy, policy_path
from kdp_edge.tasks import get_task
from kdp_edge.tasks.environments import make_env

ROUNDS, EPISODES, STEPS, BATCH = 3, 4, 2500, 512


class Expert:
    """A shipped SAC policy without its noise."""

    def __init__(self, name: str) -> None:
        self.layers = load_policy(policy_path(name)).layers
        self.actions = self.layers[-1][0].shape[1] // 2

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        hidden = observations.astype(np.float32)
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weight + bias, 0)
        weight, bias = self.layers[-1]
        return np.tanh(hidden @ weight + bias)[:, : self.actions]


def sac_zip(name: str, task: str, folder: Path) -> Path:
    """The expert as Stable-Baselines3's SAC saves it."""
    expert = Expert(name)
    widths = [weight.shape[1] for weight, _ in expert.layers[:-1]]
    kwargs = {"net_arch": {"pi": widths, "qf": [8]}}
    model = SAC("MlpPolicy", make_env(get_task(task)), policy_kwargs=kwargs, buffer_size=10, device="cpu")
    actor = model.policy.actor
    linears = [layer for layer in actor.latent_pi if isinstance(layer, nn.Linear)] + [actor.mu]
    with torch.no_grad():
        for layer, (weight, bias) in zip(linears, expert.layers, strict=True):
            rows = len(layer.bias)
            layer.weight.copy_(torch.tensor(weight.T[:rows]))
            layer.bias.copy_(torch.tensor(bias[:rows]))
    model.save(folder / f"{name}_sac.zip")
    return folder / f"{name}_sac.zip"


def distilled(net: nn.Module, task: str, expert: Expert, mean: np.ndarray, std: np.ndarray) -> None:
    """Fit `net`, which reads normalised observations, to the expert where the data and `net` itself go."""
    seen = store.load_data(task).observations
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for number in range(ROUNDS):
        inputs = torch.tensor((seen - mean) / std, dtype=torch.float32)
        wanted = torch.tensor(expert(seen))
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = 1e-3 * (1 - 0.95 * step / STEPS)
            rows = torch.randint(len(inputs), (BATCH,))
            loss = ((net(inputs[rows]).clamp(-1.1, 1.1) - wanted[rows]) ** 2).mean()
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        print(f"{task}: round {number}, error {float(loss):.5f}", flush=True)
        if number < ROUNDS - 1:
            seen = np.concatenate([seen, rolled(net, task, mean, std, number)])


def rolled(net: nn.Module, task: str, mean: np.ndarray, std: np.ndarray, seed: int) -> np.ndarray:
    """Observations that the student meets."""
    env, seen = make_env(get_task(task)), []
    for episode in range(EPISODES):
        observation, _ = env.reset(seed=50_000 + 100 * seed + episode)
        done = False
        while not done:
            seen.append(observation)
            with torch.no_grad():
                action = net(torch.tensor((observation - mean) / std, dtype=torch.float32))
            observation, _, ended, cut, _ = env.step(action.clamp(-1, 1).numpy())
            done = ended or cut
    return np.asarray(seen, np.float32)


def mlp(widths: list[int], between: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):  # noqa: RUF007
        layers += [nn.Linear(a, b), between()]
    return nn.Sequential(*layers[:-1])


def spread(task: str) -> tuple[np.ndarray, np.ndarray]:
    observations = store.load_data(task).observations
    return observations.mean(0), observations.std(0) + 0.01


def rsl_rl_pt(task: str, expert: Expert, folder: Path) -> Path:
    """An ELU actor of three layers with its empirical normaliser."""
    obs, (mean, std) = get_task(task).obs_dim, spread(task)
    net = mlp([obs, 256, 128, 64, expert.actions], nn.ELU)
    distilled(net, task, expert, mean, std)
    tensors = {f"actor.{name}": tensor for name, tensor in net.state_dict().items()}
    tensors |= {"std": torch.ones(expert.actions)}
    tensors["actor_obs_normalizer._mean"] = torch.tensor(mean[None])
    tensors["actor_obs_normalizer._std"] = torch.tensor(std[None] - 0.01)
    torch.save({"model_state_dict": tensors, "iter": 1, "infos": None}, folder / f"{task}_rsl_rl.pt")
    return folder / f"{task}_rsl_rl.pt"


def ppo_zip(task: str, expert: Expert, folder: Path) -> tuple[Path, Path]:
    """A tanh actor of Stable-Baselines3's PPO, and VecNormalize's numbers."""
    mean, std = spread(task)
    kwargs = {"net_arch": {"pi": [128, 128], "vf": [8]}}
    model = PPO("MlpPolicy", make_env(get_task(task)), policy_kwargs=kwargs, device="cpu")
    net = nn.Sequential(*model.policy.mlp_extractor.policy_net, model.policy.action_net)
    distilled(net, task, expert, mean, std)
    model.save(folder / f"{task}_ppo.zip")
    np.savez(folder / f"{task}_normalizer.npz", mean=mean, var=std**2, epsilon=1e-8, clip=10.0)
    return folder / f"{task}_ppo.zip", folder / f"{task}_normalizer.npz"


def cleanrl_onnx(task: str, expert: Expert, folder: Path) -> Path:
    """A tanh actor behind its normaliser and a clip, as a graph."""
    from onnx import TensorProto, helper, numpy_helper

    obs, (mean, std) = get_task(task).obs_dim, spread(task)
    net = mlp([obs, 128, 128, expert.actions], nn.Tanh)
    distilled(net, task, expert, mean, std)
    make, constants = helper.make_node, {"mean": mean, "std": std, "-1": np.float32(-1), "1": np.float32(1)}
    nodes = [make("Sub", ["x", "mean"], ["centred"]), make("Div", ["centred", "std"], ["h"])]
    source = "h"
    for number, layer in enumerate(net):
        if isinstance(layer, nn.Linear):
            constants |= {
                f"w{number}": layer.weight.detach().numpy(),
                f"b{number}": layer.bias.detach().numpy(),
            }
            nodes.append(make("Gemm", [source, f"w{number}", f"b{number}"], [f"h{number}"], transB=1))
        else:
            nodes.append(make("Tanh", [source], [f"h{number}"]))
        source = f"h{number}"
    nodes.append(make("Clip", [source, "-1", "1"], ["action"]))
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()]
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", obs), ("action", expert.actions))
    ]
    graph = helper.make_graph(nodes, "actor", sides[:1], sides[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / f"{task}_cleanrl.onnx").write_bytes(model.SerializeToString())
    return folder / f"{task}_cleanrl.onnx"


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    files: list[tuple[Path, str, Told]] = []
    for name in ("hopper", "walker2d", "halfcheetah"):
        files.append(
            (sac_zip(f"{name}_expert", f"{name}-medium-expert", folder), f"{name}-medium-expert", Told())
        )
    walker, hopper, cheetah = (f"{name}-medium-expert" for name in ("walker2d", "hopper", "halfcheetah"))
    files.append((rsl_rl_pt(walker, Expert("walker2d_expert"), folder), walker, Told(activation="elu")))
    ppo, normalizer = ppo_zip(hopper, Expert("hopper_expert"), folder)
    files.append((ppo, hopper, Told(normalizer=normalizer)))
    files.append((cleanrl_onnx(cheetah, Expert("halfcheetah_expert"), folder), cheetah, Told()))
    for file, task, told in files:
        print(import_actor(file, task, None, told).path)


if __name__ == "__main__":
    main()
