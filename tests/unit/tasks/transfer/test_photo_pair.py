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
    transfer_photos(root, registered, [str(photos[0])], str(photos[1]), out, DETECTOR, RetargetSettings())


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


def test_further_photos_and_another_size_reach_the_file(photos: tuple[Path, Path]) -> None:
    red = np.full((96, 96, 3), 240, np.uint8)
    red[20:70, 25:75] = (120, 10, 10)
    Path("red.png").write_bytes(encode_png(red))
    root = Root(str(photos[0].parent / "root"))
    registered = RegisteredModel("models:/g/1", "run", keep_model(root, small_generator(Path("trained"))), False)
    person = [*map(str, photos), "red.png"]
    judged, left_out = transfer_photos(
        root, registered, person, str(photos[1]), "o.png", DETECTOR, RetargetSettings(), 128
    )
    assert judged.identity_similarity is not None
    assert [line.partition(":")[0] for line in left_out] == ["red.png is left out"]
    with Image.open("o.png") as image:
        assert image.size == (128, 128)
    with pytest.raises(UsageError, match="itself: name another file to write"):
        transfer_photos(root, registered, person, person[1], "red.png", DETECTOR, RetargetSettings())


def test_too_many_photos_are_told_before_anything_starts(photos: tuple[Path, Path]) -> None:
    first, second = map(str, photos)
    given = {"source": first, "driver": second, "out": "o.png", "faces": DETECTOR, "device": "cpu"}
    check_arguments(**given, sources=[second] * 7)
    with pytest.raises(UsageError, match="1 to 8 photos of a person, not of 9"):
        check_arguments(**given, sources=[second] * 8)
    with pytest.raises(UsageError, match="itself: name another file to write"):
        check_arguments(**given | {"out": "link.png"}, sources=[first])


@pytest.mark.parametrize("out", ["o.gif", "o", "o.png/", "png", ".png", "x.png/o", "o.png "])
def test_another_suffix_is_told_before_anything_starts(photos: tuple[Path, Path], out: str) -> None:
    with pytest.raises(UsageError, match=r"does not say what to write: end it in \.png, \.jpg, \.webp, \.jpeg"):
        check_arguments(
            source=str(photos[0]), driver=str(photos[1]), out=out, sources=None, faces=DETECTOR, device="cpu"
        )


@pytest.mark.parametrize("out", ["a.png", "b.png", "./x/../a.png", "link.png"])
def test_no_photo_is_written_over(photos: tuple[Path, Path], out: str) -> None:
    (photos[0].parent / "x").mkdir()
    before = [photo.read_bytes() for photo in photos]
    with pytest.raises(UsageError, match="itself: name another file to write"):
        check_arguments(
            source=str(photos[0]), driver=str(photos[1]), out=out, sources=None, faces=DETECTOR, device="cpu"
        )
    with pytest.raises(UsageError, match="itself: name another file to write"):
        transfer(photos, out)
    assert [photo.read_bytes() for photo in photos] == before
    assert Path("link.png").is_symlink()
