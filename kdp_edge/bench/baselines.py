"""What a run is measured against: diffusion and behaviour cloning, trained beside it on the same data.

`<run>/baselines/` holds diffusion.safetensors, clone.safetensors and metrics.json (written last).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from kdp_edge.base.errors import KdpError
from kdp_edge.base.files import write_json
from kdp_edge.bench.diffusion import Denoiser, DiffusionStage
from kdp_edge.data.store import DataSet
from kdp_edge.learn.actor import ActorStage
from kdp_edge.learn.checkpoint import load_checkpoint, save_weights
from kdp_edge.learn.clone import CloneStage, MeanStage
from kdp_edge.learn.matches import Matches, spread_ratio
from kdp_edge.learn.net import ResidualMLP
from kdp_edge.learn.train import Show, Trainer, nothing_saved
from kdp_edge.learn.values import ValueStage
from kdp_edge.run import Run, RunConfig

FOLDER = "baselines"
INTERRUPTED = 130
DIFFUSION_SEED, CLONE_SEED = 3, 4
PREPARATION = (ValueStage.name, MeanStage.name, ActorStage.name)  # the run's checkpoint holds their results
STEPS = (20, 5, 1)  # evaluations of a plan that are measured


class BaselineTrainer(Trainer):
    """Trains the baselines of a complete run; its values and mean windows come from the run's checkpoint."""

    def __init__(self, run: Run, show: Show, stop_after: int | None = None, folder: str = FOLDER) -> None:
        """`folder`: where results and checkpoint lie, inside the run's."""
        super().__init__(run.path, show, stop_after)
        known = {name: self.saved["stages"][name] for name in PREPARATION if name in self.saved["stages"]}
        self.base = run
        self.path = run.path / folder
        self.path.mkdir(parents=True, exist_ok=True)
        self.checkpoint = self.path / "checkpoint.pt"
        self.saved = nothing_saved()
        if self.checkpoint.is_file():
            self.saved = load_checkpoint(self.checkpoint, self.config.device)
        self.saved["stages"] = known | self.saved["stages"]

    def run(self) -> Run:
        """Train to the end; an interrupt is saved, and the same command goes on from there."""
        try:
            return super().run()
        except KdpError as error:
            if error.exit_code != INTERRUPTED:
                raise
            what = str(error).partition(";")[0]
            raise KdpError(f"{what}; saved; give the same command again to go on", INTERRUPTED) from None

    def _load_data(self, config: RunConfig) -> DataSet:
        data = super()._load_data(config)
        if data.sha256 != self.base.provenance["data"]["sha256"]:
            raise KdpError(f"data set '{config.data}' changed since {self.base.path} was trained")
        return data

    def _run(self) -> Run:
        prepared = self.prepare(self.config)
        matches = prepared.matches
        diffusion = DiffusionStage(*self._seeded(DIFFUSION_SEED, matches))
        self._train(diffusion)
        config, _, rng = self._seeded(CLONE_SEED, None)
        own = torch.as_tensor(prepared.windows.flat, device=config.device)  # not moved by any policy
        clone = CloneStage(config, matches.keys, own, rng)
        self._train(clone)
        save_weights(self.path / "diffusion.safetensors", diffusion.average.state_dict())
        save_weights(self.path / "clone.safetensors", clone.deployed().state_dict())
        spread = {
            f"diffusion-{steps}": sampled_spread(diffusion.average, matches, self.config, steps)
            for steps in STEPS
        }
        metrics = {"wall_s": self._seconds("wall_s"), "losses": self.losses, "spread_ratio": spread}
        write_json(self.path / "metrics.json", metrics)
        return self.base


def sampled_spread(denoiser: Denoiser, matches: Matches, config: RunConfig, steps: int) -> float:
    """`spread_ratio` of the diffusion model's candidates."""
    rng = torch.Generator(matches.keys.device).manual_seed(config.seed)

    def windows(inputs: Tensor) -> Tensor:
        state = inputs[..., : config.obs_dim]  # the latents behind it are KDP's; noise is drawn here
        shape = (*state.shape[:-1], config.window_dim)
        return denoiser.sample(state, torch.randn(shape, generator=rng, device=state.device), steps)

    return spread_ratio(cast(ResidualMLP, windows), matches, config, states=1024)


def ensure_baselines(run: Run, show: Show) -> None:
    """Train the run's baselines unless they are there."""
    if not (run.path / FOLDER / "metrics.json").is_file():
        BaselineTrainer(run, show).run()
