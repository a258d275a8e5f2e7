"""A run folder as training would write it, made of noise that turns into stripes."""

import json

import numpy as np

from dcgan import pictures


def journal_line(event, step, **more):
    return {
        "event": event,
        "step": step,
        "images": step * 64,
        "seconds": step * 0.05,
        "time": "2026-05-06T10:00:00+00:00",
        **more,
    }


def interval(step, **more):
    values = {
        "epoch": step * 64 / 6000,
        "rate": 860.0,
        "loss_d": 1.2 + 0.1 * np.sin(step),
        "loss_g": 0.4,
        "real_score": 0.6,
        "fake_score": 0.4,
        "grad_d": 2.0,
        "grad_g": 1.0,
    }
    return journal_line("interval", step, **(values | more))


def score(step, **more):
    """A check-up of the training, as the journal has it."""
    values = {"extractor": "fixed", "n": 1000, "frechet": 20.0, "floor": 4.0, "precision": 0.7, "recall": 0.4}
    values |= {"density": 0.9, "coverage": 0.6, "diversity": 0.95, "nyquist": 1.1, "best": True}
    return journal_line("score", step, **(values | more))


def write_journal(folder, events, tail=""):
    (folder / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events) + tail)


def write_samples(folder, count, channels=1, side=8):
    """`count` grids of 2 × 2 pictures, a white stripe moving through noise; returns their journal lines."""
    (folder / "samples").mkdir(exist_ok=True)
    draw = np.random.default_rng(0)
    events = []
    for index in range(count):
        images = draw.integers(0, 120, (4, side, side, channels), np.uint8)
        images[:, :, index % side] = 255
        file = f"samples/{(index + 1) * 640:08d}.png"
        (folder / file).write_bytes(pictures.png(pictures.grid(images)))
        events.append(journal_line("sample", (index + 1) * 10, file=file, epoch=(index + 1) / 10))
    return events


RECIPE = {"preset": "fast-28", "method": "adversarial", "objective": "hinge", "z_dim": 64, "lr_d": 0.0002}
DATA = {
    "name": "stripes",
    "images": 6000,
    "height": 8,
    "width": 8,
    "channels": 1,
    "classes": ["left", "right"],
    "counts": [4000, 2000],
    "sha256": "3f9a" * 16,
    "source": "https://example.org/stripes",
    "split": "train",
    "licence": "MIT",
    "files": {"stripes.idx": "ab12" * 16},
    "skipped": [{"file": "broken.png", "reason": "not a whole PNG"}],
    "skipped_count": 1,
    "notes": ["Nothing was resized."],
}


def make_run(folder):
    """A finished run of 12 grids, 80 intervals, 3 epochs and one score curve, in `folder`."""
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps(RECIPE))
    (folder / "data.json").write_text(json.dumps(DATA))
    events = [journal_line("start", 0, version="0.1.0", torch="2.13.0", device="cpu", threads=2)]
    events += [interval(step) for step in range(10, 810, 10)]
    events += [journal_line("epoch", 100 * n, epoch=n, epoch_seconds=5.0 + n) for n in (1, 2, 3)]
    events += [score(100 * n, frechet=50.0 / n) for n in (1, 2, 3)]
    events += [journal_line("checkpoint", 100, file="checkpoints/00000100.safetensors")]
    events += write_samples(folder, 12)
    events += [journal_line("finish", 800)]
    write_journal(folder, events)
    return folder


DIAGNOSIS = {
    "finding": "mode collapse",
    "sure": 0.9,
    "evidence": "coverage 0.04 of 0.92, recall 0.01",
    "mend": ["g_lr=1e-4"],
    "now": "roll back",
    "since": 300,
}
RESULT = {
    "extractor": "domain",
    "extractor_sha256": "cd34" * 16,
    "n": 10000,
    "split": "test",
    "seed": 0,
    "step": 700,
    "checkpoint": "best",
    "frechet": 21.3,
    "floor": {"frechet": 1.8, "precision": 0.93},
    "kid": 0.0123,
    "kid_spread": 0.0011,
    "precision": 0.71,
    "coverage": 0.61,
    "extractor_facts": {"test_accuracy": 0.921},
}
HISTOGRAM = {"classes": ["left", "right"], "data": [0.667, 0.333], "generated": [0.9, 0.1]}
PICTURES = ("real", "generated", "classes", "closest")


def write_evaluation(folder, doctor=(DIAGNOSIS,), results=(RESULT,), histogram=HISTOGRAM):
    """What an evaluation and a doctor leave in a run's folder."""
    place = folder / "evaluation"
    place.mkdir()
    draw = np.random.default_rng(1)
    for name in PICTURES:
        images = draw.integers(0, 256, (16, 8, 8, 1), np.uint8)
        (place / f"{name}.png").write_bytes(pictures.png(pictures.grid(images)))
    for name, value in (("doctor", list(doctor)), ("scores", list(results)), ("histogram", histogram)):
        (place / f"{name}.json").write_text(json.dumps(value))
    return place
