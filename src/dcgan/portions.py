"""How many designs a generator's body is given at a time: many where many are made, few where one is waited for."""

from __future__ import annotations

from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from dcgan.data.sampling import BLOCK, generation_block
from dcgan.networks.convolution import convolution_weights
from dcgan.networks.layers import TwoParts
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine

FEW, MANY, LIGHT = 8, 32, 1_000_000
"""A body of fewer weights than `LIGHT` is given 32 maps at a time: with 16 an eighth more of the time goes into reading
its weights, with 64 into memory fresh from the system. A heavier body gets all 64 of a block."""


class Portions:
    """Of one frozen generator. many: maps at a time where more than eight are wanted, of a head that sees all 64."""

    def __init__(self, generator: nn.Module, recipe: Recipe, engine: Engine) -> None:
        self.generator, self.recipe, self.engine = cast("TwoParts", generator), recipe, engine
        self.on_cpu = engine.device.type == "cpu"
        self.many = MANY if self.on_cpu and convolution_weights(generator) < LIGHT else BLOCK

    def of(self, wanted: int) -> int:
        """Maps at a time where `wanted` designs of a block are made."""
        return self.few if wanted <= FEW and self.on_cpu else self.many

    @cached_property
    @torch.inference_mode()
    def few(self) -> int:
        """Maps at a time where no more than eight are wanted: eight, which are then all that the head computes, if
        every design of a block has the bits among eight that it has among many; else as many.

        A design is to be the same pixels however many are made. The kernels of a CPU add up in an order that may depend
        on how many there are: here it did for four maps and fewer, and not for eight and more. So they are asked once.
        """
        recipe, generator = self.recipe, self.generator
        z = self.engine.tensor(generation_block(0, 0, recipe.z_dim, recipe.prior))
        kinds: list[Tensor | None] = [None]
        if recipe.conditional:
            classes = torch.arange(BLOCK) % recipe.classes
            kinds = [
                classes,
                (z[:, :1].sigmoid() * one_hot(classes, recipe.classes)),
            ]  # and a mixture of classes

        def made(labels: Tensor | None, together: int, at_once: int) -> Tensor:
            """All 64, by a head that sees `together` and a body that sees `at_once`."""
            wanted = [None] * BLOCK if labels is None else torch.split(labels, together)
            heads = [generator.head(*some) for some in zip(torch.split(z, together), wanted, strict=False)]
            return torch.cat([generator.body(maps) for head in heads for maps in torch.split(head, at_once)])

        same = all(torch.equal(made(kind, FEW, FEW), made(kind, BLOCK, self.many)) for kind in kinds)
        return FEW if same else self.many
