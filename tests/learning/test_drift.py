# SPDX-FileCopyrightText: 2026 the kdp-edge authors
# SPDX-License-Identifier: MIT
"""The drift field against a loop that follows the formula literally, and what it is for: spread."""

from __future__ import annotations

import math

import pytest
import torch

from kdp_edge.learn.drift import SCALE_FLOOR, drift_field

TAUS = (0.02, 0.05, 0.2)


def literal_field(samples: list[list[float]], positives: list[list[float]], tau: float) -> list[list[float]]:
    """Algorithm 2 for one condition and one temperature, in plain Python, before normalisation."""
    width = len(samples[0])
    everything = positives + samples
    distance = [[math.dist(x, other) for other in everything] for x in samples]
    flat = [d for row in distance for d in row]
    scale = max(sum(flat) / len(flat), SCALE_FLOOR * math.sqrt(width))
    count = len(positives)
    raw = [
        [0.0 if j == count + i else math.exp(-d / scale / tau) for j, d in enumerate(row)]
        for i, row in enumerate(distance)
    ]
    columns = [sum(row[j] for row in raw) for j in range(len(everything))]
    affinity = [[math.sqrt(a / sum(row) * a / columns[j]) for j, a in enumerate(row)] for row in raw]
    field = []
    for row in affinity:
        attract, repel = sum(row[:count]), sum(row[count:])
        pull = [sum(row[j] * positives[j][c] for j in range(count)) for c in range(width)]
        push = [sum(row[count + j] * samples[j][c] for j in range(len(samples))) for c in range(width)]
        field.append([repel * p - attract * q for p, q in zip(pull, push, strict=True)])
    return field


@pytest.mark.parametrize("seed", range(5))
def test_field_equals_the_literal_formula(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    samples = torch.randn(3, 5, 4, generator=rng, dtype=torch.float64)
    positives = torch.randn(3, 6, 4, generator=rng, dtype=torch.float64)
    expected = torch.zeros_like(samples)
    for tau in (0.2, 0.5):
        raw = torch.tensor(
            [literal_field(x.tolist(), y.tolist(), tau) for x, y in zip(samples, positives, strict=True)],
            dtype=torch.float64,
        )
        expected += raw / (raw.square().mean().sqrt() + 1e-8)
    torch.testing.assert_close(drift_field(samples, positives, (0.2, 0.5)), expected, rtol=1e-5, atol=1e-6)


def one_temperature_after_the_other(
    samples: torch.Tensor, positives: torch.Tensor, taus: tuple[float, ...]
) -> torch.Tensor:
    """Algorithm 2, one temperature after the other, with torch's own distances."""
    samples, positives = samples.detach(), positives.detach()
    count, width = positives.shape[1], samples.shape[-1]
    distance = torch.cat([torch.cdist(samples, positives), torch.cdist(samples, samples)], -1)
    scale = distance.mean((1, 2), keepdim=True).clamp(min=SCALE_FLOOR * width**0.5)
    closeness = -distance / scale
    closeness[..., count:].diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    total = torch.zeros_like(samples)
    for tau in taus:
        logits = closeness / tau
        affinity = (logits.softmax(-1) * logits.softmax(-2)).sqrt()
        attract, repel = affinity[..., :count], affinity[..., count:]
        field = (attract * repel.sum(-1, keepdim=True)) @ positives
        field -= (repel * attract.sum(-1, keepdim=True)) @ samples
        total += field / (field.square().mean().sqrt() + 1e-8)
    return total


def test_field_equals_the_sum_of_one_temperature_after_the_other() -> None:
    rng = torch.Generator().manual_seed(0)
    samples, positives = (torch.randn(7, count, 5, generator=rng) for count in (12, 8))
    expected = one_temperature_after_the_other(samples, positives, TAUS)
    torch.testing.assert_close(drift_field(samples, positives, TAUS), expected, rtol=1e-4, atol=1e-4)


def particles_after_drifting(taus: tuple[float, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    modes = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])
    data = modes[torch.arange(64) % 2] + 0.3 * torch.randn(64, 2, generator=rng)
    samples = 0.1 * torch.randn(1, 32, 2, generator=rng)
    for _ in range(400):
        samples = samples + 0.05 * drift_field(samples, data[None], taus)
    return samples[0], data


def test_particles_keep_the_spread_of_the_data_and_both_modes() -> None:
    samples, data = particles_after_drifting(TAUS)
    ratio = samples.std(0).mean() / data.std(0).mean()
    assert 0.8 < ratio < 1.25
    assert 0.3 < (samples[:, 0] > 0).float().mean() < 0.7


def test_no_gradient_flows_through_the_field() -> None:
    samples = torch.randn(1, 4, 2, requires_grad=True)
    assert not drift_field(samples, torch.randn(1, 4, 2), TAUS).requires_grad


def test_windows_that_coincide_give_finite_drift() -> None:
    same = torch.zeros(2, 4, 3)
    assert torch.isfinite(drift_field(same, same, TAUS)).all()
