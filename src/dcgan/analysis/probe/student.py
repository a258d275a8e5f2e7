"""Few labels, and a network that learns what a classifier and its neighbours say of all pictures: a "noisy student".

The answers are those of fixed features. A network that starts from the discriminator's layers learns them from pictures
that are distorted anew each time (Xie et al. 2020): it cannot learn each picture's error by heart, and what it says of
the undistorted ones is wrong elsewhere than its teacher is. The two together are better than either.

Answers are weighed so that all classes are as frequent among the pictures without labels (distribution alignment,
Berthelot et al. 2020, section 3.1), as they are among those with: where they are not, leave the student out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.analysis.probe.distort import distorted
from dcgan.analysis.probe.neighbours import Neighbours
from dcgan.analysis.probe.probe import CHOOSING_DRAWS, Probed, Split, draw, held_out, over_draws, share
from dcgan.analysis.probe.supervised import Supervised
from dcgan.analysis.probe.svm import fit
from dcgan.data.sampling import BatchSampler, Stream, stream, torch_seed
from dcgan.model import Model
from dcgan.training.ema import Average
from dcgan.training.engine import Engine

Images = NDArray[np.uint8]
Progress = Callable[[int, int], None]

STEPS = 2000
BATCH, KNOWN = 112, 16
"""Pictures of a step, and beside them some with a label."""
RATE, DECAY, DROPOUT, AVERAGED = 2e-3, 1e-2, 0.2, 0.996
"""Adam's peak rate; AdamW's decay; of the last layer; of the moving average, which answers."""
RISE = 100
"""Steps until the rate is at its peak, a tenth of few; from there it falls in a cosine to nothing."""
SHARPNESS = 2.0
"""The power that answers are raised to before they are learned."""
ROUNDS = 10
"""Of weighing the classes."""
BLOCK = 500


def balanced(answers: Tensor, asked: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One factor for each class, so that all are as frequent in `answers`; and those factors on `asked`.

    Both float32 (N, classes), rows of sum 1, as what is returned.
    """
    asked = answers if asked is None else asked
    for _ in range(ROUNDS):
        factors = 1 / (answers.shape[1] * answers.mean(0))
        answers, asked = (part * factors for part in (answers, asked))
        answers, asked = (part / part.sum(1, keepdim=True) for part in (answers, asked))
    return answers, asked


def taught(
    model: Model,
    images: Images,
    answers: Tensor,
    known: NDArray[np.int64],
    *,
    mirrored: bool,
    steps: int = STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Supervised:
    """A network with D's layers, and its weights to begin with, that learned `answers`: the moving average.

    images: uint8 (N, C, H, W). answers: float32 (N, classes), rows of sum 1, one 1 for those in `known`: it stays.
    mirrored: whether a mirrored picture shows the same. A function of all these and the seed.
    """
    engine, classes = model.engine, answers.shape[1]
    wanted, _ = balanced(nn.functional.normalize(answers**SHARPNESS, p=1))
    with torch.random.fork_rng(devices=[]):
        engine.seed(torch_seed(seed, 0, 0))
        network = Supervised(model.recipe, classes, DROPOUT)
        network.hidden.load_state_dict(model.discriminator.state_dict())
        network.requires_grad_(True).train()
        engine.place(network)
        average = Average(network, AVERAGED)
        parts = list(network.parameters())
        optimizer = torch.optim.AdamW(
            [
                {"params": [part for part in parts if part.ndim > 1], "weight_decay": DECAY},
                {"params": [part for part in parts if part.ndim < 2], "weight_decay": 0.0},
            ],
            RATE,
            betas=(0.9, 0.99),
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
        sampler = BatchSampler(len(images), BATCH, seed)
        for step in range(steps):
            draw = stream(Stream.ANALYSIS, seed, 28, step)
            which = np.concatenate([sampler.indices(step), draw.choice(known, KNOWN)])
            engine.seed(torch_seed(seed, step, 1))
            seen = distorted(
                engine.scaled(engine.tensor(images[which])), torch.default_generator, mirrored=mirrored
            )
            logits = network(seen.contiguous(memory_format=torch.channels_last))
            loss = nn.functional.cross_entropy(logits, wanted[which].to(engine.device))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            average.update(step)
            if progress:
                progress(step + 1, steps)
    return cast(Supervised, average.module)


def _rate(step: int, steps: int) -> float:
    """Of the peak rate, at a step."""
    rise = min(RISE, 1 + steps // 10)
    return min(1.0, (step + 1) / rise) * (0.5 + 0.5 * math.cos(math.pi * step / max(1, steps)))


@torch.inference_mode()
def probabilities(network: Supervised, images: Images, engine: Engine, *, mirrored: bool) -> Tensor:
    """float32 (N, classes): what a taught network says of each picture, and of its mirror image, on average."""
    found = []
    for start in range(0, len(images), BLOCK):
        x = engine.scaled(engine.tensor(np.ascontiguousarray(images[start : start + BLOCK])))
        answers = network(x).softmax(1)
        found.append(((answers + network(x.flip(3)).softmax(1)) / 2 if mirrored else answers).cpu())
    return torch.cat(found)


def probe_student(
    model: Model,
    split: Split,
    pictures: tuple[Images, Images],
    neighbours: Neighbours,
    c: float,
    per_class: int,
    draws: int,
    *,
    mirrored: bool,
    steps: int = STEPS,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
    progress: Progress | None = None,
) -> Probed:
    """The row of a student beside its teacher, over the first of the draws of `probe_few`.

    split, pictures: features and, uint8 (N, C, H, W), the pictures to learn from and to be tested on. c: of the
    classifier that teaches. Held-out pictures are learned from too, without their labels.
    """
    _, pool = held_out(len(split.train), seed)
    found, alone = [], []
    for number in range(draws):
        own = pool[draw(split.train_labels[pool], per_class, split.classes, seed, CHOOSING_DRAWS + number)]
        machine = fit(split.train[own], split.train_labels[own], split.classes, c)
        answers = neighbours.for_train(machine, split.train, own, split.train_labels[own])
        teacher = answers, neighbours.for_test(machine, split.test, answers)

        def told(done: int, total: int, before: int = number) -> None:
            if progress:
                progress(before * total + done, draws * total)

        network = taught(
            model,
            pictures[0],
            answers,
            own,
            mirrored=mirrored,
            steps=steps,
            seed=seed + number,
            progress=told,
        )
        student = [probabilities(network, some, model.engine, mirrored=mirrored) for some in pictures]
        _, both = balanced(*((a + b) / 2 for a, b in zip(teacher, student, strict=True)))
        found.append(share(both, split.test_labels))
        alone.append(share(student[1], split.test_labels))
        tell(
            f"draw {number + 1} of {draws}: {100 * found[-1]:.2f} % with the student, who alone has "
            f"{100 * alone[-1]:.2f} %"
        )
    facts: dict[str, Any] = {"steps": steps, "alone": alone}
    return over_draws("with a student", split, found, c, per_class, facts)
