"""The only place that knows device, precision, memory format and compilation."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan.errors import DcganError
from dcgan.networks import compiled
from dcgan.networks.convolution import Conv2d, ConvTranspose2d, Maps
from dcgan.networks.layers import Dropout, Flatten


@dataclass(frozen=True)
class Engine:
    """Where and how tensors are computed. `choose` finds the best there is."""

    device: torch.device
    bf16: bool

    @classmethod
    def choose(cls, precision: str = "auto", device: str | None = None) -> Engine:
        """CUDA when present, bf16 where the hardware computes in it.

        precision: "auto", "bf16" or "float32". device: a torch device name, or None for the best one.
        """
        try:
            chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        except RuntimeError:
            raise DcganError(f"unknown device '{device}': expected cpu, cuda or cuda:N") from None
        if chosen.type == "cuda" and not torch.cuda.is_available():
            raise DcganError(f"device {device} was asked for, but torch sees no CUDA GPU here: use cpu")
        return cls(chosen, precision == "bf16" or (precision == "auto" and has_bf16(chosen)))

    def autocast(self) -> AbstractContextManager[None]:
        """The context of a forward pass: matrix products and convolutions in bf16, all else in float32."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def seed(self, number: int) -> None:
        """Set what torch draws from next, here and on the device: `torch.manual_seed` without asking for devices that
        are not used, which reads the call stack for each of them."""
        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.init()  # type: ignore[no-untyped-call]
            index = self.device.index if self.device.index is not None else torch.cuda.current_device()
            torch.cuda.default_generators[index].manual_seed(number)

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device, on a CPU with the exact rewritings that are faster there, on a GPU by kernels that
        give the same bits every time.

        Weights stay in torch's own layout: fused Adam pairs weights, gradients and moments by their place in memory.
        Convolutions follow the images' layout, which `scaled` and a generator's first maps set to channels last.
        """
        if self.device.type == "cpu":
            for part in module.modules():
                if isinstance(part, Conv2d | ConvTranspose2d | Maps | Dropout | Flatten):
                    part.rewrite = True
        elif self.device.type == "cuda":
            for part in module.modules():
                if isinstance(part, Maps):
                    part.rewrite = True
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
            # float32 is to be float32, in convolutions as torch has it in matrix products.
            torch.backends.cudnn.allow_tf32 = False
        return module.to(self.device)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """A numpy array on the device. On a GPU the copy does not wait."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def scaled(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 in [-1, 1]; 0 → -1 and 255 → 1."""
        return images.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)

    def describe(self) -> dict[str, Any]:
        """What a run was computed on: same facts and same thread count → same bits."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else cpu_name()
        return {
            "device": str(self.device),
            "hardware": name,
            "precision": "bf16" if self.bf16 else "float32",
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "kernels": compiled.described() if self.device.type == "cpu" else "torch",
        }


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bf16 natively: emulated bf16 is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & cpu_flags())


def cpu_flags() -> set[str]:
    """The processor's feature names as Linux lists them; empty elsewhere."""
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


def cpu_name() -> str:
    """The processor's model name."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cpuinfo() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().splitlines()
    except OSError:
        return []


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """float (N, C, H, W) in [-1, 1] → uint8 (N, H, W, C), rounded to the nearest."""
    scaled = images.float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
