"""One run in memory: its networks, its place in the data, and the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.data.dataset import Dataset
from dcgan.data.sampling import BatchSampler, Stream, chances, flips, latent, torch_seed
from dcgan.methods import CHANCES, Batch, Turn, build_method
from dcgan.networks import build_networks
from dcgan.networks.layers import in_place
from dcgan.pictures import grid, png
from dcgan.recipe import Recipe
from dcgan.training.ema import Average
from dcgan.training.engine import Engine, cpu_name, to_uint8
from dcgan.training.finite import Finite
from dcgan.training.memory import keep_memory
from dcgan.training.ranks import ALONE, Ranks
from dcgan.training.recorder import Recorder
from dcgan.training.soundness import IMAGES, Answer, keep_sound, sooner


class Trainer:
    """Networks, optimizers and moving average of a recipe over its data.

    Every random draw is a function of (seed, step, rank), so nothing but the step number has to be restored for a
    resumed run to be the uninterrupted one, bit for bit.

    One of several ranks computes its share of the batch that one process would have taken: the same images, latent
    vectors and mirrored ones, so that the number of ranks changes rounding, batch norm (each normalises by its own
    share) and dropout, and nothing else.
    """

    def __init__(self, recipe: Recipe, data: Dataset, engine: Engine, ranks: Ranks = ALONE) -> None:
        self.recipe, self.data, self.engine, self.ranks = recipe, data, engine, ranks
        self.step = 0
        self.finite = Finite(engine.device)
        keep_memory()
        engine.seed(recipe.seed)
        networks = {role: engine.place(module) for role, module in build_networks(recipe).items()}
        for network in networks.values():
            in_place(network)
        self.gradients = {role: torch.zeros((), device=engine.device) for role in networks}
        """The norm of each network's newest gradient: where they take turns, one step makes one of them."""
        share = ranks.share(recipe.batch)
        self.sampler = BatchSampler(len(data), share, recipe.seed, ranks.rank, ranks.world)
        self.part = slice(ranks.rank * share, (ranks.rank + 1) * share)
        # Pictures that are mapped from a file stay there: only those of a batch are ever copied.
        self.pool = None if data.mapped else engine.tensor(np.require(data.images, requirements="W"))
        self.pool_labels = (
            None if data.labels is None else engine.tensor(np.require(data.labels, requirements="W"))
        )
        self.fixed = self._fixed_batch()
        self.kernels = self._keep_sound(networks)
        self.method = build_method(recipe, networks, self.engine.autocast, ranks.mean_)
        self.average = Average(networks["generator"], recipe.ema)
        self.buffers = [
            buffer
            for network in networks.values()
            for buffer in network.buffers()
            if buffer.is_floating_point()
        ]
        """What a step changes beside the weights: the statistics of batch norm, the vectors of spectral norm."""
        # The sums over several ranks are not recorded: that was never tried, for want of a second GPU.
        recorded = engine.device.type == "cuda" and ranks.world == 1
        self.recorder = Recorder(self._computed, engine.tensor) if recorded else None

    @property
    def images(self) -> int:
        """Real images seen so far, by all ranks together."""
        return self.step * self.recipe.batch

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.sampler.epoch(self.step)

    def advance(self) -> dict[str, Tensor]:
        """One training step. Returns its 0-d quantities; raises `Diverged` when one is not finite, on a GPU some steps
        later (`finite.settle` waits for all of them)."""
        self.engine.seed(torch_seed(self.recipe.seed, self.step, self.ranks.rank))
        drawn, turn = self.draws(self.step), self.method.turn(self.step)
        values = self.recorder(drawn, turn) if self.recorder else self._computed(self._sent(drawn), turn)
        self.average.update(self.step)
        self.step += 1
        self.finite.see(values, self.step)
        return values

    def batch(self, step: int) -> Batch:
        """This rank's part of the minibatch of a step, which is a function of (seed, step) alone."""
        return self._batch(self._sent(self.draws(step)))

    def draws(self, step: int) -> dict[str, NDArray[Any]]:
        """All that is drawn for a step, and pictures that are not on the device yet; in every step alike in shape."""
        recipe, chosen = self.recipe, self.sampler.indices(step)
        drawn: dict[str, NDArray[Any]] = {"chosen": chosen}
        if self.pool is None:
            drawn["pictures"] = self.data.images[chosen]
        if recipe.flip:
            drawn["mirrored"] = flips(recipe.seed, step, 0, recipe.batch)[self.part]
        drawn["z"] = latent(recipe.seed, step, 0, recipe.batch, recipe.z_dim, recipe.prior)[self.part]
        if recipe.augment != "none":
            drawn["chances"] = chances(recipe.seed, step, 0, recipe.batch, CHANCES)[:, self.part]
        return drawn

    def _sent(self, drawn: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
        return {name: self.engine.tensor(array) for name, array in drawn.items()}

    def _batch(self, drawn: Mapping[str, Tensor]) -> Batch:
        chosen = drawn["chosen"]
        real = self.engine.scaled(drawn["pictures"] if self.pool is None else self.pool[chosen])
        if "mirrored" in drawn:
            real = torch.where(drawn["mirrored"][:, None, None, None], real.flip(3), real)
        labels = self.pool_labels if self.recipe.conditional else None
        classes = None if labels is None else labels[chosen]
        return Batch(real, classes, drawn["z"], drawn.get("chances"))

    def _computed(self, drawn: Mapping[str, Tensor], turn: Turn) -> dict[str, Tensor]:
        """Train on what was drawn; the step's quantities. It neither waits for the device nor asks which step it is."""
        values = self.method.step(self._batch(drawn), turn)
        self.ranks.mean_(chain(values.values(), self.buffers))
        for role, weights in self.method.weights.items():
            values[f"weights_{role[0]}"] = _norm([*weights])
            if turn.whose in ("both", role):
                gradients = [weight.grad for weight in weights if weight.grad is not None]
                self.gradients[role].copy_(_norm(gradients))
            values[f"grad_{role[0]}"] = self.gradients[role].clone()
        return values

    def picture(self) -> bytes:
        """PNG of the averaged generator's images, from the same z every time; one column a class."""
        z, wanted, columns = self.fixed
        with torch.no_grad():
            images = to_uint8(self.average.module(z, wanted))
        return png(grid(images, columns))

    def _keep_sound(self, networks: dict[str, nn.Module]) -> dict[str, Any]:
        """What was chosen where bf16 is asked for: the layers that stay in float32, by name, and the passes of others
        that are products. Where all of it is to be float32, the engine is changed for one that computes so."""
        if not self.engine.bf16 or self.engine.device.type != "cpu":
            return {}
        batch = self.batch(0)
        parameters = [weight for network in networks.values() for weight in network.parameters()]

        def run(engine: Engine = self.engine, images: int = self.recipe.batch) -> list[Tensor]:
            labels = None if batch.labels is None else batch.labels[:images]
            with engine.autocast():
                said = [networks["discriminator"](networks["generator"](batch.z[:images], labels), labels)]
                if "encoder" in networks:
                    said.append(networks["encoder"](batch.real[:images]))
            return said

        def passes(bf16: bool) -> None:
            said = run(replace(self.engine, bf16=bf16), IMAGES)
            told = torch.stack([out.float().sum() for out in said]).sum()
            torch.autograd.grad(told, parameters, allow_unused=True)

        def ask() -> tuple[dict[str, Answer], bool]:
            machine = f"torch {torch.__version__} on {cpu_name()}"
            answers = keep_sound(networks, run, machine)
            worth = self.recipe.precision != "auto" or sooner(networks, passes, machine)
            return answers, worth

        # What one rank of a machine finds and keeps, the others take: two that measure at once disturb each other.
        answers, worth = self.ranks.first_here(ask)
        if not worth:
            self.engine = replace(self.engine, bf16=False)
            return {}
        chosen = {
            "float32_layers": [name for name, answer in answers.items() if not answer.good],
            "products": {name: sorted(answer.taken) for name, answer in answers.items() if answer.taken},
        }
        return {name: value for name, value in chosen.items() if value}

    def describe(self) -> dict[str, Any]:
        """What the run is computed on: same facts → same bits."""
        return {**self.engine.describe(), **self.kernels}

    def _fixed_batch(self) -> tuple[Tensor, Tensor | None, int]:
        recipe = self.recipe
        columns = recipe.classes if 4 <= recipe.classes <= 16 else 8
        z = latent(recipe.seed, 0, 0, 8 * columns, recipe.z_dim, recipe.prior, Stream.FIXED)
        wanted = np.arange(8 * columns, dtype=np.int64) % recipe.classes if recipe.conditional else None
        return self.engine.tensor(z), None if wanted is None else self.engine.tensor(wanted), columns


@torch.no_grad()
def _norm(tensors: list[Tensor]) -> Tensor:
    """Of all of them as one vector: 0-d."""
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
    return norm
