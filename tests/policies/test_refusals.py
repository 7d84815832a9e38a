# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""What cannot be carried is refused in one line with the layer and the rule; nothing in a file is run."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from torch import nn

from kdp_edge.actors.importing import Told, import_actor, read_actor
from kdp_edge.base.errors import KdpError
from tests.data.test_robots import LIFT
from tests.policies.files import cleanrl_onnx, mlp, onnx_file, ppo_tensors, sac_tensors, sb3_zip

ELU = Told(activation="elu")


def nodes(*kinds: str, **options: object) -> Callable[[Path], Path]:
    """A graph of a layer, then these operators, then a layer."""

    def write(folder: Path) -> Path:
        rng, made, source = np.random.default_rng(0), [], "h"
        made.append(helper.make_node("Gemm", ["x", "w"], ["h"]))
        for number, kind in enumerate(kinds):
            more = ["g"] if kind in ("LayerNormalization", "PRelu") else []
            made.append(helper.make_node(kind, [source, *more], [f"n{number}"], **options))
            source = f"n{number}"
        made.append(helper.make_node("Gemm", [source, "v"], ["y"]))
        constants = {"w": rng.normal(size=(2, 4)), "g": np.ones(4), "v": rng.normal(size=(4, 2))}
        return onnx_file(folder / "p.onnx", made, constants)

    return write


def torch_file(name: str, value: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        torch.save(value, folder / name)
        return folder / name

    return write


def scripted(folder: Path) -> Path:
    """The entries of `torch.jit.save`."""
    with zipfile.ZipFile(folder / "policy.pt", "w") as archive:
        for name in ("data.pkl", "code/__torch__.py", "constants.pkl", "data/0", "version"):
            archive.writestr(f"policy/{name}", "x")
    return folder / "policy.pt"


class Program:
    """A pickle that would run."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("it ran"),))


def zip_of_a_pickle(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "p.zip", "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", pickle.dumps(Program()))
    return folder / "p.zip"


def absurd_zip(folder: Path) -> Path:
    """Its directory promises 300 MiB, as a bomb's would."""
    raw = bytearray(zip_of_a_pickle(folder).read_bytes())
    at = raw.rindex(b"PK\x01\x02") + 24
    raw[at : at + 4] = (300 << 20).to_bytes(4, "little")
    (folder / "p.zip").write_bytes(raw)
    return folder / "p.zip"


def absurd_onnx(folder: Path) -> Path:
    path = nodes("Relu")(folder)
    import onnx

    model = onnx.load(str(path))
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([1 << 30, 1 << 30])
    path.write_bytes(model.SerializeToString())
    return path


def external_onnx(folder: Path) -> Path:
    import onnx

    path = nodes("Relu")(folder)
    model = onnx.load(str(path))
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    path.write_bytes(model.SerializeToString())
    return path


def chain(**tensors: torch.Tensor) -> dict[str, torch.Tensor]:
    """A state dict of two layers, some of it exchanged."""
    net = {f"actor.{k}": v for k, v in mlp(2, 6, 2).state_dict().items()}
    return net | {name.replace("_", ".", 2): value for name, value in tensors.items()}


NAN = torch.full((6, 2), float("nan"))
SAC = sac_tensors(mlp(2, 8, 1, between=nn.ReLU)[:-1], nn.Linear(8, 2))


@pytest.mark.parametrize(
    ("write", "told", "says"),
    [
        (nodes("LayerNormalization"), None, r"layer 2 \(LayerNormalization 'n0'\): a layer norm divides by"),
        (nodes("Softmax"), None, r"layer 2 \(Softmax 'n0'\): a softmax chooses among discrete"),
        (nodes("HardSwish"), None, r"layer 2 \(HardSwish 'n0'\): has no integer form"),
        (nodes("Elu", alpha=0.5), None, r"layer 1 \(Elu 'n0'\): alpha is 0.5; only an ELU with alpha 1"),
        (nodes("Relu", "Relu"), None, r"layer 1 \(Relu 'n1'\): a ReLU must follow its layer"),
        (nodes("Tanh", "Tanh"), None, None),
        (external_onnx, None, "tensor w is in another file"),
        (absurd_onnx, None, "tensor w is damaged"),
        (scripted, ELU, "TorchScript, a program with weights, which is never run"),
        (zip_of_a_pickle, None, "holds Python objects besides tensors"),
        (torch_file("p.pt", {"actor": Program()}), ELU, "holds Python objects besides tensors"),
        (absurd_zip, None, "policy.pth is 314572800 bytes, expected at most"),
        (torch_file("p.pt", chain()), None, "does not say what stands between its layers; give --activation"),
        (torch_file("p.pt", chain()), Told(activation="gelu"), r"actor.0\): gelu has no integer form"),
        (torch_file("p.pt", chain(actor_0_weight=NAN)), ELU, r"layer 1 \(actor.0\): holds NaN or infinity"),
        (torch_file("p.pt", chain(actor_1_weight=torch.ones(6))), ELU, r"layer 2 \(actor.1\): a norm has no"),
        (torch_file("p.pt", chain(actor_2_weight=torch.ones(2, 5))), ELU, r"layer 2 .*: weights \[2, 5\]"),
        (torch_file("p.pt", {"rnn.weight_ih_l0": torch.ones(4, 4)}), ELU, "keeps no memory"),
        (torch_file("p.pt", mlp(3, 4, 2).state_dict()), ELU, r"weights \[4, 3\] do not fit 2 inputs"),
        (torch_file("p.pt", mlp(2, 4, 5).state_dict()), ELU, "answers with 5 numbers, the robot has 2"),
        (torch_file("p.pt", mlp(2, 5000, 2).state_dict()), ELU, "at most 64 steps of 4096 numbers"),
        (torch_file("p.pt", [1, 2]), ELU, "may be the actor: none"),
        (lambda f: sb3_zip(f / "p.zip", SAC, high="[1. 1.]"), None, "has high 1, robot lift declares 3"),
        (lambda f: sb3_zip(f / "p.zip", SAC, use_sde=True), None, "use_sde clips its mean"),
        (lambda f: sb3_zip(f / "p.zip", SAC, action_space={":type:": "Discrete"}), None, "expected a Box"),
        (lambda f: sb3_zip(f / "p.zip", {"q_net.0.weight": torch.ones(2, 2)}), None, "no actor in policy"),
        (
            lambda f: sb3_zip(f / "p.zip", SAC | {"features_extractor.cnn.0.weight": torch.ones(1)}),
            None,
            "layer features_extractor.cnn.0.weight: feature extractors",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_names_layer_and_rule(
    write: Callable[[Path], Path],
    told: Told | None,
    says: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path)
    if says is None:
        read_actor(path, LIFT, told or Told())
        return
    with pytest.raises(KdpError, match=says) as refusal:
        read_actor(path, LIFT, told or Told())
    assert "\n" not in str(refusal.value) and path.name in str(refusal.value)
    assert not (tmp_path / "it ran").exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    torch.save(chain(), folder / "p.pt")
    files = [
        cleanrl_onnx(folder / "p.onnx", mlp(2, 4, 2)), folder / "p.pt",
        sb3_zip(folder / "p.zip", ppo_tensors(mlp(2, 4, 2))),
    ]  # fmt: skip
    np.savez(folder / "n.npz", mean=np.zeros(2), var=np.ones(2))
    return {file.name: file.read_bytes() for file in (*files, folder / "n.npz")}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_never_worse(
    data: st.DataObject, whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = data.draw(st.sampled_from(sorted(whole)))
    folder, raw = tmp_path_factory.mktemp("damaged"), bytearray(whole[name])
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    for file, content in (whole | {name: bytes(raw)}).items():
        (folder / file).write_bytes(content)
    told = Told(normalizer=folder / "n.npz") if name == "n.npz" else ELU if name == "p.pt" else Told()
    try:
        read_actor(folder / ("p.zip" if name == "n.npz" else name), LIFT, told)
    except KdpError:
        return


def test_nothing_is_written_when_an_import_fails(home: Path) -> None:
    before = sorted((home / "work").rglob("*"))
    with pytest.raises(KdpError, match="no data set 'lft'"):
        import_actor(cleanrl_onnx(home / "a.onnx", mlp(2, 4, 2)), "lft")
    with pytest.raises(KdpError, match=r"expected .onnx, .zip of Stable-Baselines3, or .pt"):
        import_actor(home / "lift.toml", "lift")
    with pytest.raises(KdpError, match=r"input x has 3 numbers, the robot has 2 observations"):
        import_actor(
            onnx_file(home / "b.onnx", [helper.make_node("Tanh", ["x"], ["y"])], {}, inputs=3), "lift"
        )
    assert sorted((home / "work").rglob("*")) == before
