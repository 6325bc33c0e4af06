"""One transfer from file to file: what the suffix says is written, and never over a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.flows.transfer import check_arguments
from mien.model.expression.retargeting import RetargetSettings
from mien.model.images.codec import encode_png
from mien.model.images.provenance import read_provenance
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.transfer.photo_pair import transfer_photos
from tests.drawn_set import DETECTOR, SIDE_PX, small_generator


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.chdir(tmp_path)
    pixels = np.full((96, 96, 3), 240, np.uint8)
    pixels[20:70, 25:75] = 60
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encode_png(pixels))
    (tmp_path / "link.png").symlink_to("a.png")
    return tmp_path / "a.png", tmp_path / "b.png"


def transfer(photos: tuple[Path, Path], out: str) -> None:
    root = Root(str(photos[0].parent / "root"))
    sha256 = keep_model(root, small_generator(photos[0].parent / "trained"))
    registered = RegisteredModel("models:/g/1", "run", sha256, False)
    transfer_photos(root, registered, *map(str, photos), out, DETECTOR, RetargetSettings())


@pytest.mark.parametrize(
    ("out", "kind"),
    [("o.png", "PNG"), ("o.jpg", "JPEG"), ("o.JPEG", "JPEG"), ("new.d/o.webp", "WEBP"), ("o.jpg.png", "PNG")],
)
def test_the_suffix_says_what_is_written(photos: tuple[Path, Path], out: str, kind: str) -> None:
    transfer(photos, out)
    with Image.open(out) as image:
        assert (image.format, image.size) == (kind, (SIDE_PX, SIDE_PX))
    assert read_provenance(Path(out).read_bytes())["synthetic"] == "true"
    assert read_provenance(Path(out).read_bytes())["generator"] == "models:/g/1"


@pytest.mark.parametrize("out", ["o.gif", "o", "o.png/", "png", ".png", "x.png/o", "o.png "])
def test_another_suffix_is_told_before_anything_starts(photos: tuple[Path, Path], out: str) -> None:
    with pytest.raises(UsageError, match=r"does not say what to write: end it in \.png, \.jpg, \.webp, \.jpeg"):
        check_arguments(source=str(photos[0]), driver=str(photos[1]), out=out, faces=DETECTOR, device="cpu")


@pytest.mark.parametrize("out", ["a.png", "b.png", "./x/../a.png", "link.png"])
def test_no_photo_is_written_over(photos: tuple[Path, Path], out: str) -> None:
    (photos[0].parent / "x").mkdir()
    before = [photo.read_bytes() for photo in photos]
    with pytest.raises(UsageError, match="itself: name another file to write"):
        check_arguments(source=str(photos[0]), driver=str(photos[1]), out=out, faces=DETECTOR, device="cpu")
    with pytest.raises(UsageError, match="itself: name another file to write"):
        transfer(photos, out)
    assert [photo.read_bytes() for photo in photos] == before
    assert Path("link.png").is_symlink()
