# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""An observation normaliser beside a policy: SB3's VecNormalize as .npz, since its own file is a pickle.

Written where the policy was trained:

    numpy.savez("normalizer.npz", mean=env.obs_rms.mean, var=env.obs_rms.var,
                epsilon=env.epsilon, clip=env.clip_obs)
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from kdp_edge.base.errors import KdpError
from kdp_edge.quantization.float_actor import Actor


def with_normalizer(actor: Actor, path: Path) -> Actor:
    """The actor behind `clip((observation - mean) / sqrt(var + epsilon), -clip, clip)`.

    Raises:
        KdpError: unreadable, other sizes, or the actor normalises already.
    """
    if actor.clip != np.inf or actor.mean.any() or (actor.std != 1).any():
        raise KdpError(f"{path}: the policy's own file normalises its observations; leave --normalizer away")
    arrays = _read(path)
    mean, variance = (np.asarray(arrays[name], np.float64).ravel() for name in ("mean", "var"))
    epsilon, clip = (float(arrays.get(name, usual)) for name, usual in (("epsilon", 1e-8), ("clip", 10.0)))
    for name, values in (("mean", mean), ("var", variance)):
        if values.shape != (actor.obs_dim,) or not np.isfinite(values).all():
            raise KdpError(f"{path}: {name} has {len(values)} numbers, expected {actor.obs_dim} finite ones")
    if (variance < 0).any() or not (epsilon > 0 and clip > 0):
        raise KdpError(f"{path}: var, epsilon and clip must be above 0")
    std = np.sqrt(variance + epsilon)
    return replace(actor, mean=mean.astype(np.float32), std=std.astype(np.float32), clip=clip)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("mean", "var", "epsilon", "clip") if name in file}
    except FileNotFoundError:
        raise KdpError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        reason = "a pickle, which is never loaded" if "pickle" in str(error).lower() else str(error)
        raise KdpError(
            f"{path}: not a readable .npz with mean and var ({reason}); docs/your-policy.md shows how to "
            "write one"
        ) from None
    if not {"mean", "var"} <= set(arrays):
        raise KdpError(f"{path}: holds {', '.join(arrays) or 'nothing'}, expected mean and var")
    return arrays
