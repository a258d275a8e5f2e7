"""How fast a trained model makes pictures, and in how much memory, beside a plain loop over the same weights.

    python benchmarks/generation.py                                        # the model fashion-mnist, 64,000 images
    python benchmarks/generation.py --widths 16,24,32 --count 6400         # G of those widths, weights as drawn
    python benchmarks/generation.py --count 10_000_000 --stream-only --widths 4     # memory does not ask for width

The plain loop calls the generator as it was trained, 64 z at a time, under inference_mode. It, the stream and the
scored blocks take turns, `--rounds` times; the table has their medians, and the slowest and the fastest round.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from dcgan import api
from dcgan.data.sampling import BLOCK, generation_block, generation_labels
from dcgan.model import Model
from dcgan.networks import build_networks
from dcgan.presets import preset
from dcgan.run import Run
from dcgan.training.engine import Engine, to_uint8


def product_rate() -> float:
    """GFLOP/s of a float32 matrix product of 2048 × 2048, the best of ten."""
    a = torch.randn(2048, 2048)
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - begin)
    return 2 * 2048**3 / min(seconds) / 1e9


def operations(model: Model, count: int = 8) -> float:
    """MFLOP an image of the generator: two for each product in its dense and (transposed) convolution layers."""
    total = 0

    def note(layer: torch.nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, torch.nn.ConvTranspose2d):
            total += 2 * layer.weight[0].numel() * given[0].numel()
        elif isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            total += 2 * layer.weight[0].numel() * made.numel()

    plain = build_networks(model.recipe)["generator"]  # the model's own is frozen, and computes layers as one
    for layer in plain.modules():
        layer.register_forward_hook(note)
    labels = torch.zeros(count, dtype=torch.int64) if model.recipe.conditional else None
    with torch.inference_mode():
        plain(torch.zeros(count, model.recipe.z_dim), labels)
    return total / count / 1e6


def untrained(width: int) -> Model:
    """`fast-28` with ten classes and a generator of `width` maps."""
    recipe = preset("fast-28").recipe.with_changes({"g_maps": width}).for_data((28, 28), 1, 10)
    torch.manual_seed(0)
    networks = build_networks(recipe)
    roles = {"ema": networks["generator"], "discriminator": networks["discriminator"]}
    tensors = {f"{role}.{name}": t for role, net in roles.items() for name, t in net.state_dict().items()}
    classes = [str(k) for k in range(10)]
    return Model(f"fast-28, {width} maps", recipe, tensors, classes=classes, counts=[1] * 10)


def eager(model: Model) -> Callable[[int], None]:
    """The loop that anyone would write."""
    recipe = model.recipe
    generator = build_networks(recipe)["generator"]
    generator.load_state_dict(copy.deepcopy(model.generator.state_dict()))
    generator.eval().requires_grad_(False)

    @torch.inference_mode()
    def make(count: int) -> None:
        for block in range(-(-count // BLOCK)):
            z = torch.from_numpy(generation_block(0, block, recipe.z_dim, recipe.prior))
            y = torch.from_numpy(generation_labels(0, block, model.counts)) if recipe.conditional else None
            to_uint8(generator(z, y))

    return make


def memory() -> float:
    """MiB of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def first_image(model: Model) -> float:
    """Milliseconds for one image of a warm model, the median of 50."""
    seconds = []
    for seed in range(53):
        begin = time.perf_counter()
        model.generate(1, seed=seed)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[3:]) * 1e3


def measure(model: Model, count: int, rounds: int, ceiling: float) -> None:
    def stream(n: int) -> None:
        for part in model.stream(n):
            np.add.reduce(part.images[0, 0, 0])

    def scored(n: int) -> None:
        for block in model.blocks(n):
            np.add.reduce(block.scores)

    ways = {"plain eager loop": eager(model), "stream": stream, "blocks, with scores": scored}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for make in ways.values():
        make(10 * BLOCK)
    for _ in range(rounds):
        for name, make in ways.items():
            begin = time.perf_counter()
            make(count)
            rates[name].append(count / (time.perf_counter() - begin))
    flop = operations(model)
    plain = statistics.median(rates["plain eager loop"])
    print(f"\n{model.name}: {flop:.1f} MFLOP an image, so at most {ceiling / flop * 1e3:,.0f} images/s\n")
    print("| way | images/s | slowest to fastest | to the plain loop | of the matrix product's rate |")
    print("|---|---:|---:|---:|---:|")
    for name, found in rates.items():
        rate = statistics.median(found)
        share = "" if "scores" in name else f"{rate * flop / 1e3 / ceiling:.0%}"
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"| {name} | {rate:,.0f} | {spread} | {rate / plain:.2f}× | {share} |", flush=True)
    print(f"\nfirst image of a warm model: {first_image(model):.1f} ms (median of 50)")


def long_stream(model: Model, count: int) -> None:
    """Memory at every tenth of a long stream."""
    begin, done, tenths = time.perf_counter(), 0, [memory()]
    for part in model.stream(count):
        done += len(part.images)
        while done * 10 >= count * len(tenths):
            tenths.append(memory())
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{model.name}: {count:,} images streamed in {seconds:,.0f} s, {count / seconds:,.0f} a second")
    print(f"MiB at every tenth: {' '.join(f'{value:.0f}' for value in tenths)}; peak {peak:.0f}")
    print(f"from the first tenth to the last: {tenths[-1] - tenths[1]:+.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", nargs="?", default="fashion-mnist", help="a run or a model")
    parser.add_argument("--count", type=int, default=64_000, help="images of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--widths",
        help="also G of these widths, by commas; with --stream-only, the first instead of the model",
    )
    parser.add_argument("--stream-only", action="store_true", help="only the long stream and its memory")
    asked = parser.parse_args()
    widths = [int(width) for width in asked.widths.split(",")] if asked.widths else []
    if asked.stream_only and widths:
        model = untrained(widths[0])
    else:
        found = api.load(asked.model)
        model = found.model() if isinstance(found, Run) else found
    facts = Engine.choose("float32").describe()
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    if not asked.stream_only:
        ceiling = product_rate()
        print(f"matrix product, float32: {ceiling:.0f} GFLOP/s")
        for each in (model, *map(untrained, widths)):
            measure(each, asked.count, asked.rounds, ceiling)
    long_stream(model, asked.count)


if __name__ == "__main__":
    main()
