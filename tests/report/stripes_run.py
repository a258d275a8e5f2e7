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
    events += [journal_line("score", 100 * n, name="fd-domain", value=50.0 / n) for n in (1, 2, 3)]
    events += [journal_line("checkpoint", 100, file="checkpoints/00000100.safetensors")]
    events += write_samples(folder, 12)
    events += [journal_line("finish", 800)]
    write_journal(folder, events)
    return folder
