"""Paper 001: does an encoder beside a DCGAN make its features better? Real and fake scores, and the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dcgan.pictures import grid
from dcgan.probes import Asked
from dcgan.studies.drawing import Panel, beside, curves, losses, sample_at
from dcgan.studies.page import number, table
from dcgan.studies.probing import over_seeds, percent, pictures_of, probed
from dcgan.studies.study import Planned, Published, Study
from dcgan.subject import not_seen

if TYPE_CHECKING:
    from dcgan.analysis.probe.probe import Probed
    from dcgan.studies.done import Done
    from dcgan.studies.page import Page

EPOCHS = (1, 5, 10, 20, 25)
NEAR = 0.1
"""Of an epoch."""
SAW = ("fake above real", "fake above real", "fake as real", "fake below real", "fake below real")
CONTROLS = Asked(layers="last", pool=0, controls=("pixels", "untrained"))
"""Of the first seed."""
LAST = Asked(layers="last", pool=0, controls=())
LAYERS = 4
SEEDS = (0, 1, 2)


def body(page: Page, done: list[Done]) -> str:
    """Scores at the paper's epochs, both models as feature extractors over the seeds, reconstructions, designs."""
    regularized = [one for one in done if one.run.recipe.method == "regularized"]
    plain = [one for one in done if one not in regularized]
    return "\n\n".join(
        [
            "## Real and fake score",
            "Mean probability of being real that D gives to real and to fake pictures, over the interval that ends at "
            f"the epoch: of `{regularized[0].plan.name}` and, beside it, of `{plain[0].plan.name}`.",
            _scores(regularized[0], plain[0]),
            page.picture(
                "course", curves([Panel("Losses of rdcgan", "batches", losses(regularized[0].run))]), "losses"
            ),
            "## As feature extractors",
            _features(regularized, plain),
            "## Reconstructions",
            _reconstructions(page, regularized[0]),
            "## Samples of the same z at the end",
            page.picture(
                "samples",
                beside(
                    [
                        (
                            f"{one.plan.name}, {one.reached[0]:,} images",
                            sample_at(one.run, "images", one.reached[0])[2],
                        )
                        for one in (regularized[0], plain[0])
                    ]
                ),
                "samples of both",
            ),
        ]
    )


def _scores(regularized: Done, plain: Done) -> str:
    rows = []
    for epoch, saw in zip(EPOCHS, SAW, strict=True):
        near, beside_it = _interval(regularized, epoch), _interval(plain, epoch)
        words = "not reached"
        if near:
            words = "fake above real" if near["fake_score"] > near["real_score"] else "fake below real"
        found = [
            number(entry[key]) if entry else ""
            for entry in (near, beside_it)
            for key in ("real_score", "fake_score")
        ]
        rows.append([str(epoch), saw, words, *found])
    head = ("epoch", "published", "here", "real score", "fake score", "DCGAN's real score", "fake score")
    return table(head, rows)


def _interval(one: Done, epoch: int) -> dict[str, Any] | None:
    """What the journal says of the interval that ends nearest to an epoch, within a tenth of one."""
    entries = [entry for entry in one.run.journal() if entry["event"] == "interval"]
    near = min(entries, key=lambda entry: abs(entry["epoch"] - epoch), default=None)
    return near if near and abs(near["epoch"] - epoch) <= NEAR else None


def _features(regularized: list[Done], plain: list[Done]) -> str:
    encoder_only = Asked(layers=[f"encoder.conv{LAYERS}"], pool=0, controls=())
    both = [probed(one.run, LAST if number else CONTROLS) for number, one in enumerate(regularized)]
    discriminator = [
        probed(one.run, Asked(layers=[f"conv{LAYERS}"], pool=0, controls=()))[0] for one in regularized
    ]
    encoder = [probed(one.run, encoder_only)[0] for one in regularized]
    untrained = Asked(layers="last", pool=0, controls=("untrained",))
    dcgan = [probed(one.run, LAST if number else untrained) for number, one in enumerate(plain)]
    wide = [probed(one.run, Asked(layers="all", pool=4, controls=()))[0] for one in regularized]
    wide_plain = [probed(one.run, Asked(layers="all", pool=4, controls=()))[0] for one in plain]
    lines: list[tuple[str, list[Probed]]] = [
        ("RDCGAN, last layers of D and E", [rows[0] for rows in both]),
        ("RDCGAN, last layer of D", discriminator),
        ("RDCGAN, last layer of E", encoder),
        ("DCGAN, last layer of D", [rows[0] for rows in dcgan]),
        ("RDCGAN, all layers of D and E, 4×4", wide),
        ("DCGAN, all layers of D, 4×4", wide_plain),
        ("RDCGAN's networks untrained, last layers", [both[0][2]]),
        ("DCGAN's network untrained, last layer", [dcgan[0][1]]),
        ("raw pixels", [both[0][1]]),
    ]
    cells = [[name, f"{found[0].numbers:,}", over_seeds(found)] for name, found in lines]
    ours, theirs = [rows[0] for rows in both], [rows[0] for rows in dcgan]
    pairs = [a.accuracy - b.accuracy for a, b in zip(ours, theirs, strict=False)]
    won = sum(difference > 0 for difference in pairs)
    return "\n\n".join(
        [
            table(("features", "numbers", "accuracy, %"), cells, numeric=True),
            f"One run's 95 % interval is ± {percent(ours[0]).split(' ± ')[1]}. RDCGAN's features against DCGAN's, seed "
            f"by seed: {', '.join(f'{100 * difference:+.2f}' for difference in pairs)} points, {won} of {len(pairs)} "
            f"for RDCGAN. RDCGAN saw {regularized[0].reached[0]:,} pictures in {regularized[0].reached[2] / 60:.0f} "
            f"minutes, DCGAN {plain[0].reached[0]:,} in {plain[0].reached[2] / 60:.0f}: give the budget by --images or "
            "--epochs. RDCGAN's features are twice as many numbers, its encoder's beside its discriminator's.",
        ]
    )


def _reconstructions(page: Page, one: Done) -> str:
    learned = pictures_of(one.run)
    unseen = not_seen(learned)
    data, which = (learned, "training") if unseen is None else (unseen, "test")
    model = one.run.model(start="last")
    some = data.images[:500].transpose(0, 2, 3, 1)
    made = model.reconstruct(some)
    error = float(np.sqrt(np.square(made.astype(np.float64) - some).mean()))
    mean = data.images.mean(0).transpose(1, 2, 0)
    fixed = float(np.sqrt(np.square(some - mean).mean()))
    rows = np.concatenate([some[:16], made[:16]])
    picture = page.picture(
        "reconstructions",
        beside([(f"{which} pictures, and G(E(x)) below", grid(rows, 16))], scale=2),
        "reconstructions",
    )
    return (
        f"{picture}\n\nRoot mean square error on {len(some)} {which} pictures: {error:.1f} of 255; of the mean "
        f"picture: {fixed:.1f}."
    )


def _planned(method: str, seed: int) -> Planned:
    regularized = method == "regularized"
    return Planned(
        name=f"{'rdcgan' if regularized else 'dcgan'}-{seed}",
        title=f"{'with' if regularized else 'without'} the encoder, seed {seed}",
        data="mnist",
        preset="rdcgan",
        images=100 * 60_000,
        budget="100 epochs of 60,000",
        settings={"method": method, "seed": seed, "evaluate_every": 0.0},
        saw="a fake score above the real one in the first epochs and below it in the last; no accuracy",
    )


STUDY = Study(
    name="rdcgan",
    title="Does an encoder make a DCGAN's features better?",
    paper="Mehralian and Karasfi 2018, whose model is paper 001's subject",
    question="“RDCGAN can achieve high accuracy at classification compared to DCGAN”: also at equal width and budget?",
    numbers=(
        Published("accuracy of any kind", "none printed", "the whole paper"),
        Published("epoch 1", "fake score above real score", "results"),
        Published("epoch 5", "fake score above real score", "results"),
        Published("epoch 10", "fake score as real score", "results"),
        Published("epochs 20 and 25", "fake score below real score", "results"),
    ),
    runs=tuple(_planned(method, seed) for seed in SEEDS for method in ("regularized", "adversarial")),
    differs=(
        "The paper's grids and scores are of a model that its text does not fix; here it is the authors' public code "
        "at 28×28, z of 100 numbers where their visualisation used 2.",
        "The classifier is this project's L2-SVM on standardised features, C chosen on held-out training pictures.",
        "DCGAN is the same D and G without the encoder, trained by the same number of pictures.",
    ),
    minutes=4.0,
    body=body,
)
