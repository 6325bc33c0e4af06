"""What a gallery takes: seconds and memory to write it, its size, and how soon a browser shows it and filters it.

python -m benchmarks.gallery [--rows 10000 100000] [--crop 256] [--result 128] [--folder DIR]

Each table is synthetic: textured pictures (some hundred different ones, as large as PNGs of faces), ten rows for each
source, a third of the rows rejected without a picture. Each gallery is written by a process of its own. Memory is the
growth of its resident size from before the first row was read to the highest mark.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from mien.model.images.codec import encode_png
from mien.storage import Root
from mien.tasks.pages.gallery import build_gallery
from tests.browser import CHROMIUM, browser
from tests.gallery_root import SET, face, rejected, transfer, write_generated

PICTURES = 200
READY = "document.documentElement?.dataset.ready === 'true'"
_FILTER_MS = """(() => { const start = performance.now(); query = emptyQuery(); query.search = "person 1";
query.order = "identity_similarity:down"; refresh(); return performance.now() - start; })()"""


def textures(side_px: int) -> list[bytes]:
    """Smooth colours with fine noise: PNGs of about the size that those of faces have."""
    random = np.random.default_rng(side_px)
    smooth = [cv2.resize(random.uniform(40, 220, (6, 6, 3)), (side_px, side_px)) for _ in range(PICTURES)]
    return [encode_png((each + random.normal(0, 3, each.shape)).clip(0, 255).astype(np.uint8)) for each in smooth]


def make(folder: Path, rows: int, crop_px: int, result_px: int) -> str:
    """The root with a table of so many rows; its fingerprint."""
    people, crops, results = max(20, rows // 10), textures(crop_px), textures(result_px)
    random = np.random.default_rng(rows)  # so that no two sheets are alike
    faces = [face(number, crop=crops[random.integers(PICTURES)]) for number in range(people)]

    def row(number: int) -> dict[str, Any]:
        source, driver = number % people, (number * 7 + 1) % people
        if number % 3 == 0:
            why = f"identity similarity 0.{number % 40:02d} is below 0.40"
            return rejected(number, source, driver, why)
        return transfer(number, source, driver, image=results[random.integers(PICTURES)])

    return write_generated(Root(str(folder / "root")), faces, rows, row, group=lambda n: f"cluster {n % 8}")


def write(folder: Path, table: str, answer: Any) -> None:
    """Writes the gallery, and says how long it took and how much memory."""
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    build_gallery(Root(str(folder / "root")), table, Root(str(folder / "page")))
    highest = highest_bytes()
    answer.send((time.perf_counter() - start, (highest - before) / 2**20, highest / 2**20))


def highest_bytes() -> int:
    """The highest mark of the resident size. `getrusage` would give that of the parent where it was higher."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def measure(folder: Path, rows: int, crop_px: int, result_px: int) -> str:
    """A line of the table."""
    table = make(folder, rows, crop_px, result_px)
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=write, args=(folder, table, theirs))
    process.start()
    seconds, growth, highest = ours.recv()
    process.join()
    files = [path for path in (folder / "page").rglob("*") if path.is_file()]
    size, page = sum(path.stat().st_size for path in files), (folder / "page" / "index.html").stat().st_size
    figures = [f"{rows:,}", f"{seconds:.0f} s", f"{growth:.0f} MiB", f"{highest:.0f} MiB", f"{len(files):,}"]
    figures += [f"{size / 2**20:.0f} MiB", f"{page / 2**20:.1f} MiB", *shown(folder / "page" / "index.html")]
    return f"| {' | '.join(figures)} |"


def shown(page: Path) -> list[str]:
    """How soon the page is usable, and how long a search with an order takes: median of five."""
    if CHROMIUM is None:
        return ["–", "–"]
    loads, filters = list[float](), list[float]()
    with browser() as new_tab:
        for _ in range(5):
            tab = new_tab()
            tab.open(page.as_uri(), READY)
            loads.append(tab.run("performance.getEntriesByName('gallery-ready')[0].startTime"))
            filters.append(tab.run(_FILTER_MS))
            assert tab.errors == [], json.dumps(tab.errors)
    return [f"{np.median(loads):.0f} ms", f"{np.median(filters):.0f} ms"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--result", type=int, default=128)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    print("| rows | written in | memory grows by | highest | files | size | page | usable after | search and order |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rows in asked.rows:
        with tempfile.TemporaryDirectory(dir=asked.folder, prefix=f"mien-{SET}-") as folder:
            print(measure(Path(folder), rows, asked.crop, asked.result), flush=True)


if __name__ == "__main__":
    main()
