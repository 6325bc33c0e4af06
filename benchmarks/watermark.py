"""What is left of the watermark after damage, what it costs the picture, and how often a picture without one has one.

python -m benchmarks.watermark --photos FOLDER [--sheet sheet.png]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mien.model.images.codec import Rgb, decode_rgb, encode_png
from mien.model.images.provenance import encode_image
from mien.model.images.watermark import add_watermark, find_watermark, read_values
from mien.model.images.watermark_code import MAX_NUMBER, word_of
from mien.storage import SourceItem, list_images, read_source

CROPPED = 0.9
"""Of each side that is left."""
Damage = Callable[[Rgb], Rgb]


@dataclass
class Kept:
    """What was read after one kind of damage."""

    bits: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    wrong: int = 0
    """Other numbers that were found."""


def damages(random: np.random.Generator) -> dict[str, Damage]:
    """The kinds of damage by name."""

    def jpeg(rgb: Rgb) -> Rgb:
        return decode_rgb(encode_image(rgb, "jpeg", {}, 80))

    def crop(rgb: Rgb) -> Rgb:
        height, width = (int(length * CROPPED) for length in rgb.shape[:2])
        top, left = random.integers(0, rgb.shape[0] - height + 1), random.integers(0, rgb.shape[1] - width + 1)
        return np.ascontiguousarray(rgb[top : top + height, left : left + width])

    def half(rgb: Rgb) -> Rgb:
        return cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)

    return {
        "none": lambda rgb: rgb,
        "JPEG 80": jpeg,
        "10% crop": crop,
        "crop and JPEG": lambda rgb: jpeg(crop(rgb)),
        "half the size": half,
    }


def square(rgb: Rgb, side_px: int) -> Rgb:
    """The middle of a photo at this size."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    how = cv2.INTER_AREA if side > side_px else cv2.INTER_CUBIC
    return cv2.resize(rgb[top : top + side, left : left + side], (side_px, side_px), interpolation=how).astype(np.uint8)


def survival(photos: Sequence[SourceItem], side_px: int) -> list[np.ndarray]:
    """Prints what is left of marks in pictures of a size; the first pictures, each beside the marked one."""
    random = np.random.default_rng(side_px)
    kept = {name: Kept() for name in damages(random)}
    psnr: list[float] = []
    sheet: list[np.ndarray] = []
    unmarked = 0
    marking_s = 0.0
    for item in photos:
        plain, number = square(decode_rgb(read_source(item.uri)), side_px), int(random.integers(MAX_NUMBER + 1))
        start = time.process_time()
        marked = add_watermark(plain, number)
        marking_s += time.process_time() - start
        if marked is None:
            unmarked += 1
            continue
        psnr.append(10 * np.log10(255**2 / np.mean((plain.astype(float) - marked) ** 2)))
        sheet.append(np.hstack([plain, marked]))
        for name, damage in damages(random).items():
            damaged, of = damage(marked), kept[name]
            whole = square(damaged, side_px) if name == "half the size" else damaged
            of.bits.append(float(((read_values(whole) > 0) == word_of(number)).mean()))
            found = find_watermark(damaged)
            of.found.append(found is not None and found.number == number)
            of.wrong += found is not None and found.number != number
    print(f"\n{len(photos)} pictures of {side_px} px, {unmarked} not marked; PSNR {np.mean(psnr):.1f} dB,", end=" ")
    print(f"lowest {min(psnr):.1f}; {marking_s / len(photos):.2f} s of CPU each")
    print("| damage | bits right | number found | another number |\n|---|---|---|---|")
    for name, of in kept.items():
        print(f"| {name} | {np.mean(of.bits):.1%} | {np.mean(of.found):.1%} | {of.wrong} |", flush=True)
    return sheet


def false_alarms(photos: Sequence[SourceItem], side_px: int) -> None:
    """Prints in how many pictures without a mark one is found."""
    found = [find_watermark(square(decode_rgb(read_source(item.uri)), side_px)) for item in photos]
    print(f"{sum(map(bool, found))} of {len(photos)} pictures of {side_px} px without a mark have one", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", nargs="+", default=["sample:orl"])
    parser.add_argument("--marked", type=int, default=30)
    parser.add_argument("--plain", type=int, default=200)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    photos = list_images(given.photos)
    order = [photos[n] for n in np.random.default_rng(0).permutation(len(photos))]
    for side_px in (128, 256):
        sheet = survival(order[: given.marked], side_px)
        if given.sheet:
            path = given.sheet.with_stem(f"{given.sheet.stem}-{side_px}")
            path.write_bytes(encode_png(np.vstack(sheet[:4]).astype(np.uint8)))
    for side_px in (128, 256):
        false_alarms(order[given.marked : given.marked + given.plain], side_px)


if __name__ == "__main__":
    main()
