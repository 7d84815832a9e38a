# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The keyed drift field: where generated windows should move.

Algorithm 2 of "Generative Modeling via Drifting" (arXiv 2602.04770) within each condition, with
positives matched by key as in "Amortizing Trajectory Diffusion with Keyed Drift Fields"
(arXiv 2603.14056, reproduced from its abstract).
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE_FLOOR = 0.05  # of a unit per dimension: a condition whose windows coincide has no scale of its own


def drift_field(samples: Tensor, positives: Tensor, taus: tuple[float, ...]) -> Tensor:
    """The drift V of every generated window, for the loss |x - stopgrad(x + V)|^2.

    For each temperature, affinities between a window and the positives and the other samples are
    the geometric mean of a softmax over columns and one over rows of -distance / (scale * tau);
    positives attract, samples repel, a sample does not see itself, and V is divided by its root
    mean square over the batch.

    Args:
        samples: generated windows [B, G, C]: B conditions, G latents each.
        positives: data windows drawn among the key neighbours of the same condition [B, P, C].
        taus: temperatures relative to the condition's mean distance.

    Returns:
        V [B, G, C], the sum over temperatures; no gradient flows through it.
    """
    samples, positives = samples.detach(), positives.detach()
    count, width = positives.shape[1], samples.shape[-1]
    everything = torch.cat([positives, samples], 1)
    distance = pair_distances(everything)[:, count:]
    scale = distance.mean((1, 2), keepdim=True).clamp(min=SCALE_FLOOR * width**0.5)
    closeness = -distance / scale
    closeness[..., count:].diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    logits = torch.stack([closeness / tau for tau in taus], 1)  # [B, temperatures, G, P + G]
    affinity = (logits.softmax(-1) * logits.softmax(-2)).sqrt_()
    attract, repel = affinity[..., :count], affinity[..., count:]
    pull, push = repel.sum(-1, keepdim=True), attract.sum(-1, keepdim=True)
    pair = torch.cat([attract * pull, repel * -push], -1)
    field = (pair.flatten(1, 2) @ everything).unflatten(1, logits.shape[1:3])
    unit = field.square().mean((0, 2, 3), keepdim=True).sqrt() + 1e-8
    return (field / unit).sum(1)


def pair_distances(points: Tensor) -> Tensor:
    """Distances between points [B, N, C] of the same condition [B, N, N], by one product.

    From the condition's mean, so that little is lost in |x|^2 + |y|^2 - 2xy.
    """
    centred = points - points.mean(1, keepdim=True)
    product = centred @ centred.mT
    square = product.diagonal(dim1=1, dim2=2)
    return (square[:, :, None] + square[:, None] - 2 * product).clamp_(min=0).sqrt_()
