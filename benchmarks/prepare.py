"""How long until a folder of many small JPEGs can be trained on: the first time, and the next.

    python benchmarks/prepare.py --images 100000

Makes smooth random pictures of about 64×64 in a temporary folder, opens them in a fresh process twice, and prints the
seconds, the images a second and the peak of that process's memory. `anonymous` is memory that the system cannot take
back; the peak counts pages of mapped files too, which it can.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

OPEN = """
import sys, time
from pathlib import Path
start = time.perf_counter()
from dcgan.data import open_dataset
data = open_dataset(Path(sys.argv[1]))
hash = data.sha256
seconds = time.perf_counter() - start
status = Path("/proc/self/status").read_text().split("\\n")
facts = {line.split(":")[0]: int(line.split()[1]) for line in status if line.startswith(("VmHWM", "RssAnon"))}
where = "mapped" if data.mapped else "in memory"
print(f"{seconds:8.2f} s {len(data) / seconds:10,.0f} images/s   peak {facts['VmHWM'] / 2**20:.2f} GiB,"
      f" {facts['RssAnon'] / 2**20:.2f} GiB anonymous at the end   {data.images.shape} {where}")
"""


def make(folder: Path, count: int) -> None:
    """`count` JPEGs in ten class folders: 4 to 8 random colours each way, enlarged smoothly."""
    draw = np.random.default_rng(0)
    for label in range(10):
        (folder / f"class-{label}").mkdir()

    def one(item: tuple[int, np.ndarray, tuple[int, int]]) -> None:
        index, colours, size = item
        picture = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"class-{index % 10}" / f"{index:07}.jpg", quality=85)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, count, 1000):
            items = [
                (
                    index,
                    draw.integers(0, 256, (*draw.integers(4, 9, 2), 3), dtype=np.uint8),
                    (64 + index % 7, 64 + index % 5),
                )
                for index in range(start, min(start + 1000, count))
            ]
            list(pool.map(one, items))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        start = time.perf_counter()
        make(folder, options.images)
        print(f"made {options.images:,} JPEGs in {time.perf_counter() - start:.0f} s", flush=True)
        for turn in ("first", "second"):
            print(f"{turn:7}", end="", flush=True)
            env = {**os.environ, "DCGAN_CACHE": f"{place}/cache"}
            subprocess.run([sys.executable, "-c", OPEN, str(folder)], check=True, env=env)


if __name__ == "__main__":
    main()
