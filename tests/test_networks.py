"""Every preset, by being in the table: shapes, ranges, gradients, determinism."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dcgan.errors import DcganError
from dcgan.networks import build_networks, take_statistics
from dcgan.networks.fast import halvings
from dcgan.networks.layers import Probability, SameConv2d, SameConvTranspose2d
from dcgan.networks.summary import count, summarize
from dcgan.objectives import probability_discriminator, probability_generator
from dcgan.presets import PRESETS, preset
from dcgan.recipe import Recipe
from dcgan.training.engine import Engine

SIZES = [(8, 8), (28, 28), (32, 32), (13, 17), (8, 128), (48, 64), (127, 9)]
FAST = [name for name, row in PRESETS.items() if row.labels]
PUBLISHED = [name for name, row in PRESETS.items() if not row.labels]
VARIANTS: list[tuple[str, dict[str, object]]] = [
    *((name, {}) for name in PUBLISHED),
    ("mnist-2018", {"variant": "prose"}),
    ("fashion-maxpool", {"batch_norm": "none"}),
    (
        "fashion-maxpool",
        {"batch_norm": "everywhere", "head": "sigmoid", "objective": "bce-probability", "output": "sigmoid"},
    ),
    ("fashion-maxpool", {"g_layers": 4}),
    ("fashion-maxpool", {"d_layers": 4, "pool": "flatten"}),
]
"""Every published model, and every value of every switch."""

# From the published descriptions, as each counts: Keras with batch norm's running statistics, PyTorch without.
COUNTS = {
    "fashion-2020": (1, 2_330_944, 2_305_472, 212_865, 212_865),
    "fashion-maxpool": (1, 1_340_929, 1_340_417, 75_137, 74_881),
    "paper-64": (3, 18_885_760, 18_885_760, 17_232_768, 17_232_768),
    "pytorch-64": (3, 3_576_704, 3_576_704, 2_765_568, 2_765_568),
}


def small(name: str, size: tuple[int, int], channels: int, classes: int) -> Recipe:
    changes = {"g_maps": 4, "d_maps": 4} if name in FAST else {}
    return preset(name).recipe.for_data(size, channels, classes).with_changes(changes)


def networks(recipe: Recipe) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    built = build_networks(recipe)
    return built["generator"], built["discriminator"]


def inputs(recipe: Recipe, count: int = 3) -> tuple[torch.Tensor, torch.Tensor | None]:
    labels = torch.arange(count) % recipe.classes if recipe.conditional else None
    return torch.randn(count, recipe.z_dim), labels


def check(recipe: Recipe) -> None:
    """Shapes, ranges, and a finite gradient to every parameter, one that says something to every weight."""
    generator, discriminator = networks(recipe)
    z, labels = inputs(recipe)
    images = generator(z, labels)
    assert images.shape == (3, recipe.channels, recipe.height, recipe.width)
    assert images.abs().max() <= 1
    outputs = discriminator(images, labels)
    assert outputs.shape == (3,)
    assert outputs.dtype == (torch.float64 if recipe.head == "sigmoid" else torch.float32)
    if recipe.head == "sigmoid":
        assert outputs.min() >= 0 and outputs.max() <= 1
    (outputs * torch.tensor([1.0, -2.0, 0.5])).sum().backward()
    for module in (generator, discriminator):
        for parameter_name, parameter in module.named_parameters():
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), parameter_name
            # A bias before batch norm has no say; everything else must have one.
            assert parameter.ndim == 1 or parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("classes", [0, 5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FAST)
def test_fast_presets_make_any_size(name: str, size: tuple[int, int], channels: int, classes: int) -> None:
    check(small(name, size, channels, classes))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "switches"), VARIANTS)
def test_published_presets_make_their_size(name: str, switches: dict[str, object], channels: int) -> None:
    size = preset(name).size
    check(small(name, (size, size), channels, 0).with_changes(switches))


@pytest.mark.parametrize("size", [(8, 8), (13, 17), (64, 40)])
@pytest.mark.parametrize("name", [name for name in PUBLISHED if preset(name).size == 28])
def test_28_pixel_models_make_other_sizes_too(name: str, size: tuple[int, int]) -> None:
    check(small(name, size, 3, 0))


@pytest.mark.parametrize("name", COUNTS)
def test_published_parameter_counts(name: str) -> None:
    row = preset(name)
    channels, *expected = COUNTS[name]
    assert row.channels == channels
    built = build_networks(row.recipe.for_data((row.size, row.size), channels, 0))
    counts = [count(built[role]) for role in ("generator", "discriminator")]
    found = [(each.total(with_statistics=row.counts_statistics), each.trainable) for each in counts]
    assert [number for pair in found for number in pair] == expected


def test_pytorch_64_in_grey_has_the_published_counts() -> None:
    generator, discriminator = networks(preset("pytorch-64").recipe.for_data((64, 64), 1, 0))
    assert (count(generator).trainable, count(discriminator).trainable) == (3_574_656, 2_763_520)


def test_fast_28_has_the_size_its_documentation_states() -> None:
    generator, discriminator = networks(preset("fast-28").recipe.for_data((28, 28), 1, 0))
    assert sum(p.numel() for p in generator.parameters()) == 455_236
    assert sum(p.numel() for p in discriminator.parameters()) == 93_577


@pytest.mark.parametrize(("name", "switches"), [*VARIANTS, *((name, {}) for name in FAST)])
def test_the_layer_table_adds_up(name: str, switches: dict[str, object]) -> None:
    row = preset(name)
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0).with_changes(switches)
    tables, built = summarize(recipe), build_networks(recipe)
    for role, layers in tables.items():
        counted = count(built[role])
        assert sum(layer.parameters for layer in layers) == counted.trainable
        assert sum(layer.statistics for layer in layers) == counted.statistics
    size = (row.size, row.size, row.channels)
    assert tables["generator"][-1].output == size and tables["discriminator"][-1].output in [(1,), (1, 1, 1)]


def test_the_layer_tables_of_fashion_maxpool_are_the_papers() -> None:
    """Figures 2 and 3 of the paper: output shapes and parameters, row by row (its reshape and tanh have none)."""
    tables = summarize(preset("fashion-maxpool").recipe.for_data((28, 28), 1, 0))
    rows = {
        role: [(layer.output, layer.parameters + layer.statistics) for layer in layers]
        for role, layers in tables.items()
    }
    large, half, base = (28, 28, 128), (14, 14, 128), (7, 7, 128)
    assert rows["generator"] == [
        *[((6272,), 809_088), (base, 0), (half, 262_272), (half, 512), (half, 0)],
        *[(large, 262_272), (large, 512), (large, 0), ((28, 28, 1), 6_273), ((28, 28, 1), 0)],
    ]
    assert rows["discriminator"] == [
        *[((14, 14, 64), 640), ((14, 14, 64), 0), (base, 73_856), (base, 512), (base, 0)],
        *[((128,), 0), ((1,), 129)],
    ]


@pytest.mark.parametrize("name", FAST)
def test_a_class_changes_image_and_verdict(name: str) -> None:
    recipe = preset(name).recipe.for_data((16, 16), 1, 4).with_changes({"g_maps": 4, "d_maps": 4})
    generator, discriminator = networks(recipe)
    with torch.no_grad():  # fresh scales and shifts are the same for all classes: give them something to tell
        for parameter in generator.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    z = torch.randn(1, recipe.z_dim).expand(2, -1)
    labels = torch.tensor([0, 3])
    generator.eval(), discriminator.eval()
    images = generator(z, labels)
    assert not torch.equal(images[0], images[1])
    logits = discriminator(images[:1].expand(2, -1, -1, -1), labels)
    assert logits[0] != logits[1]


@pytest.mark.parametrize("name", PRESETS)
def test_bf16_agrees_with_float32(name: str) -> None:
    row = preset(name)
    recipe = row.recipe.for_data((row.size,) * 2, row.channels, 3 if row.labels else 0)
    if row.labels:
        recipe = recipe.with_changes({"g_maps": 8, "d_maps": 8})
    generator, discriminator = networks(recipe)
    generator.eval(), discriminator.eval()  # dropout would draw other units
    z, labels = inputs(recipe, 8)
    with torch.no_grad():
        images = generator(z, labels)
        exact = discriminator(images, labels)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = generator(z, labels)
            verdicts = discriminator(images, labels)
    assert (images - rounded.float()).abs().max() < 0.05
    assert torch.allclose(exact, verdicts, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("side", range(5, 12))
@pytest.mark.parametrize("kernel", [3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_is_tensorflows(side: int, kernel: int, stride: int) -> None:
    """out[i] = Σ_k x[i·s + k − before]·w[k], with the padding of TensorFlow's documentation; and its transpose."""
    conv = SameConv2d(1, 1, kernel, stride, bias=False).double()
    x = torch.randn(1, 1, side, side, dtype=torch.float64)
    outputs = -(-side // stride)
    before = max((outputs - 1) * stride + kernel - side, 0) // 2
    expected = torch.zeros(outputs, outputs, dtype=torch.float64)
    for i in range(outputs):
        for j in range(outputs):
            for k in range(kernel):
                for m in range(kernel):
                    row, column = i * stride + k - before, j * stride + m - before
                    if 0 <= row < side and 0 <= column < side:
                        expected[i, j] += x[0, 0, row, column] * conv.weight[0, 0, k, m].detach()
    assert torch.allclose(conv(x)[0, 0], expected)

    up = SameConvTranspose2d(1, 1, kernel, stride, (side, side), bias=False).double()
    up.weight.data.copy_(conv.weight.data)
    y = torch.randn(1, 1, outputs, outputs, dtype=torch.float64)
    # The transpose by its definition: ⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩.
    assert up(y).shape == x.shape
    assert torch.allclose((conv(x) * y).sum(), (x * up(y)).sum())


def test_a_sure_discriminator_still_learns_through_its_sigmoid() -> None:
    """The gradient of the cross-entropy by the logit is σ(s) − target, however far out the logit is."""
    logits = torch.tensor([-1e6, -60.0, -2.0, 0.0, 3.0, 60.0, 1e6], requires_grad=True)
    for target, loss in ((0.0, probability_discriminator), (1.0, probability_generator)):
        fake = Probability()(logits)
        real = torch.full_like(fake, 0.5)
        (gradient,) = torch.autograd.grad(loss(real, fake), logits)
        expected = (torch.sigmoid(logits.detach().double()) - target) / len(logits)
        assert torch.allclose(gradient.double(), expected, atol=1e-7)


def test_initialisation_is_the_published_one() -> None:
    for name in ("paper-64", "pytorch-64"):
        for module in networks(preset(name).recipe.for_data((64, 64), 3, 0)):
            for part in module.modules():
                if isinstance(part, torch.nn.Conv2d | torch.nn.ConvTranspose2d) and part.weight.numel() > 1e5:
                    assert part.weight.std().item() == pytest.approx(0.02, rel=0.02)
                elif isinstance(part, torch.nn.BatchNorm2d) and part.num_features > 200:
                    assert part.weight.mean().item() == pytest.approx(1, abs=0.01)
                    assert part.weight.std().item() == pytest.approx(0.02, rel=0.25)
    generator, discriminator = networks(preset("fashion-2020").recipe.for_data((28, 28), 1, 0))
    limit = (6 / (25 * (128 + 64))) ** 0.5  # Glorot: √(6 / (fan in + fan out))
    convolution = generator[7]
    assert convolution.weight.abs().max().item() == pytest.approx(limit, rel=1e-3)
    assert all(not part.bias.any() for part in discriminator if hasattr(part, "bias"))
    norm = generator[1]
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"head": "sigmoid"}, "objective=bce-probability"),
        ({"objective": "bce-probability"}, "head=sigmoid"),
        ({"head": "sigmoid", "objective": "hinge"}, "takes logits"),
        ({"head": "sigmoid", "objective": "relativistic"}, "takes logits"),
    ],
)
def test_a_head_that_does_not_match_the_loss_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(DcganError, match=says):
        preset("fashion-maxpool").recipe.with_changes(changes)


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("fast-28", {"pool": "flatten"}, "pool=flatten means nothing to the network fast"),
        ("fashion-2020", {"g_maps": 8}, "whose switches are slope"),
        ("mnist-2018", {"variant": ""}, "takes table or prose"),
        ("pytorch-64", {"head": "logits", "objective": "bce"}, "takes sigmoid"),
        ("fashion-maxpool", {"g_layers": 3}, "2 or 4"),
        ("fashion-maxpool", {"classes": 10}, "learns no classes"),
    ],
)
def test_a_switch_that_a_network_has_not_is_refused(name: str, changes: dict[str, object], says: str) -> None:
    row = preset(name)
    recipe = row.recipe.for_data((row.size, row.size), row.channels, 0).with_changes(changes)
    with pytest.raises(DcganError, match=says):
        build_networks(recipe)


@pytest.mark.parametrize(
    ("name", "size"), [("pytorch-64", (28, 28)), ("paper-64", (64, 32)), ("fashion-2020", (7, 28))]
)
def test_a_size_that_does_not_fit_names_one_that_does(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(DcganError, match=r"--size \d+x\d+, or choose --preset"):
        build_networks(preset(name).recipe.for_data(size, 1, 0))


@pytest.mark.parametrize("size", [(7, 28), (28, 129), (1, 1)])
def test_a_size_it_cannot_make_is_refused_with_one_it_can(size: tuple[int, int]) -> None:
    recipe = Recipe(preset="fast-28", height=size[0], width=min(size[1], 128), channels=1)
    if size[1] > 128:
        with pytest.raises(DcganError, match="width is 129"):
            Recipe(height=28, width=129)
        return
    with pytest.raises(DcganError, match=r"--size \d+x\d+"):
        build_networks(recipe)


def test_unknown_network_is_named() -> None:
    with pytest.raises(DcganError, match="did you mean fast"):
        build_networks(Recipe(network="fats", height=28, width=28, channels=1))


@pytest.mark.parametrize(
    ("edge", "times"), [(8, 1), (9, 1), (16, 1), (17, 2), (28, 2), (32, 2), (64, 3), (65, 4), (128, 4)]
)
def test_edges_are_halved_to_at_most_8(edge: int, times: int) -> None:
    assert halvings(edge) == times


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (30, 9), (64, 48)])
@pytest.mark.parametrize("channels", [1, 3])
def test_phases_are_put_where_they_belong(size: tuple[int, int], channels: int) -> None:
    """A painter that gives each phase of each channel its own constant makes a picture of these, in turn."""
    recipe = preset("fast-28").recipe.for_data(size, channels, 0)
    generator = networks(recipe)[0]
    phases = generator.spread.phases
    with torch.no_grad():
        generator.paint.weight.zero_()
        generator.paint.bias.copy_(torch.linspace(-1, 1, len(generator.paint.bias)))
        image = generator(torch.randn(2, recipe.z_dim))
    assert image.shape == (2, channels, *size)
    constants = torch.tanh(torch.linspace(-1, 1, channels * phases[0] * phases[1])).view(channels, *phases)
    for channel in range(channels):
        seen = {
            (i, j): image[0, channel, i :: phases[0], j :: phases[1]].unique()
            for i in range(phases[0])
            for j in range(phases[1])
        }
        assert all(len(values) == 1 for values in seen.values())
        found = torch.stack([values[0] for values in seen.values()]).sort().values
        assert torch.allclose(found, constants[channel].flatten().sort().values)


def test_statistics_are_the_mean_of_those_of_the_batches() -> None:
    network = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=0.3), nn.Dropout(0.5), nn.BatchNorm1d(4)
    )
    # By chance a map would hardly vary, and batch norm's epsilon be seen.
    nn.init.normal_(network[0].weight, generator=torch.Generator().manual_seed(9))
    batches = [torch.randn(16, 3, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    take_statistics(network, batches)
    linear, first, _, second = network
    values = [linear(batch) for batch in batches]
    assert torch.allclose(first.running_mean, torch.stack([v.mean(0) for v in values]).mean(0), atol=1e-6)
    assert torch.allclose(first.running_var, torch.stack([v.var(0) for v in values]).mean(0), atol=1e-6)
    assert second.running_var.allclose(torch.full((4,), 16 / 15), atol=1e-3), (
        "what comes in is normalised already"
    )
    assert first.momentum == 0.3 and not any(part.training for part in network.modules())


@pytest.mark.parametrize("name", PUBLISHED)
def test_batch_norm_sees_maps_that_lie_as_their_gradients_do(name: str) -> None:
    """Otherwise torch takes another way through them, ten times as long."""
    recipe = preset(name).recipe.for_data(
        (64, 64) if name.endswith("64") else (28, 28), PRESETS[name].channels, 0
    )
    odd: list[str] = []

    def note(what: str, maps: torch.Tensor) -> None:
        if maps.ndim == 4 and not maps.is_contiguous(memory_format=torch.channels_last):
            odd.append(f"{what}: {tuple(maps.shape)} with strides {maps.stride()}")

    def look(norm: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor, what: str) -> None:
        note(what, given[0])
        if made.requires_grad:
            made.register_hook(partial(note, f"{what}, gradient"))

    generator, discriminator = map(Engine.choose("float32", "cpu").place, networks(recipe))
    for role, network in (("G", generator), ("D", discriminator)):
        for at, part in network.named_modules():
            if isinstance(part, _BatchNorm):
                part.register_forward_hook(partial(look, what=f"{role}.{at}"))
    z, labels = inputs(recipe)
    discriminator(generator(z, labels), labels).sum().backward()
    assert not odd
