"""One pair of photos: the same face whatever it is made beside, and another one for another strength."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.model.detection.load import load_detector
from mien.model.errors import ModelError, SettingsError
from mien.model.expression.retargeting import RetargetSettings
from mien.model.images.codec import decode_rgb, encode_jpeg
from mien.model.inference import photo_pair
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.face_keypoints import Keypoints
from mien.model.inference.photo_pair import PhotoFace, PhotoPairs
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from tests.dense_faces import dense_landmarks
from tests.drawn_set import DETECTOR, SIDE_PX, small_generator


@pytest.fixture
def pairs(tmp_path: Path) -> PhotoPairs:
    return PhotoPairs(ExportedGenerator.load(small_generator(tmp_path / "generator")), load_detector(DETECTOR))


def photo(width: int = 50, height: int = 50) -> np.ndarray:
    """A dark rectangle on light ground, which the detector takes for a face."""
    pixels = np.full((120, 120, 3), 240, np.uint8)
    pixels[20 : 20 + height, 25 : 25 + width] = (60, 70, 80)
    return pixels


def test_a_photo_without_a_face_has_none(pairs: PhotoPairs) -> None:
    assert pairs.face(np.full((60, 80, 3), 240, np.uint8)) is None


def test_a_pair_gives_a_judged_face(pairs: PhotoPairs) -> None:
    source, driver = pairs.face(photo()), pairs.face(photo(height=70))
    assert source is not None
    assert driver is not None
    made = pairs.transfer(source, driver)
    assert made.image.shape == (SIDE_PX, SIDE_PX, 3)
    assert made.judgement.sharpness_ratio is not None or source.sharpness == 0
    assert np.array_equal(made.image, pairs.transfer(source, driver, RetargetSettings(), 1.0).image)


def test_strength_and_the_kind_of_retargeting_reach_the_generator(pairs: PhotoPairs) -> None:
    source, driver = pairs.face(photo()), pairs.face(photo(height=70))
    assert source is not None
    assert driver is not None
    kinds = (RetargetSettings(), RetargetSettings("none"))
    made = [pairs.transfer(source, driver, how, strength).image for how in kinds for strength in (0.5, 1.0, 1.5)]
    assert len({image.tobytes() for image in made}) == len(made)


@pytest.mark.parametrize("form", ["points", "contours"])
def test_both_heatmaps_are_drawn_from_dense_landmarks(
    pairs: PhotoPairs, form: HeatmapForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, np.ndarray]] = []
    generate = ExportedGenerator.generate

    def seen(self: ExportedGenerator, source: np.ndarray, **keypoints: np.ndarray) -> np.ndarray:
        given.append(keypoints)
        return generate(self, source, **keypoints)

    monkeypatch.setattr(ExportedGenerator, "generate", seen)
    spec = HeatmapSpec(32, form=form)
    trained = replace(pairs.generator, scheme="mediapipe478", heatmap_spec=spec)
    source, driver = (_with_dense(pairs.face(photo(height=height)), gaze) for height, gaze in ((50, 0.0), (70, 0.5)))
    for first, second in ((source, source), (source, driver)):
        replace(pairs, generator=trained).transfer(first, second)
    own, asked = given
    cached = source.keypoints.heatmap(spec).astype(int)
    assert np.array_equal(own["source_heatmaps"][0, 0], cached)
    assert np.abs(own["target_heatmaps"][0] - cached).max() <= 4
    assert np.array_equal(asked["source_heatmaps"], own["source_heatmaps"])
    assert asked["target_heatmaps"].mean() == pytest.approx(cached.mean(), rel=0.1)  # as many landmarks
    replace(pairs, generator=replace(trained, scheme="ibug68")).transfer(source, driver)
    assert np.array_equal(given[-1]["source_heatmaps"][0, 0], source.keypoints.common().heatmap(spec))
    assert np.array_equal(given[-1]["target_points"], asked["target_points"])


def _with_dense(face: PhotoFace | None, gaze: float) -> PhotoFace:
    assert face is not None
    own = face.keypoints
    landmarks = to_px(dense_landmarks(own.points().astype(np.float64), "mediapipe478", gaze), own.side_px)
    return replace(face, keypoints=Keypoints(landmarks.astype(np.float32), "mediapipe478", own.side_px))


def test_what_cannot_be_is_told(pairs: PhotoPairs) -> None:
    face = pairs.face(photo())
    assert face is not None
    with pytest.raises(SettingsError, match="strength"):
        pairs.transfer(face, face, strength=2.0)
    with pytest.raises(ModelError, match="without a shape model"):
        pairs.transfer(face, face, RetargetSettings("shape_model"))


def test_the_result_is_as_large_as_the_crop_or_as_asked(pairs: PhotoPairs) -> None:
    crop_px = 2 * SIDE_PX
    alignment = replace(pairs.generator.alignment, size_px=crop_px)
    pairs = replace(pairs, generator=replace(pairs.generator, alignment=alignment))
    assert pairs.generator.size_px == SIDE_PX
    for asked, side_px, of_crop in (
        (None, crop_px, crop_px),
        (3 * SIDE_PX, 3 * SIDE_PX, 3 * SIDE_PX),
        (80, 80, crop_px),
    ):
        sized = replace(pairs, size_px=asked)
        source, driver = sized.face(photo()), sized.face(photo(height=70))
        assert source is not None
        assert driver is not None
        assert len(source.crop) == of_crop
        made = sized.transfer(source, driver)
        assert made.image.shape == (side_px, side_px, 3)
        assert made.judgement.sharpness_ratio is not None
    for wrong in (63, 1025):
        with pytest.raises(SettingsError, match=f"must lie in 64 to 1024 px, not {wrong}"):
            replace(pairs, size_px=wrong)


def test_further_photos_of_the_person_are_looked_at(pairs: PhotoPairs, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[np.ndarray, dict[str, Any]]] = []
    generate = ExportedGenerator.generate

    def seen(self: ExportedGenerator, sources: np.ndarray, **others: Any) -> np.ndarray:
        given.append((sources, others))
        return generate(self, sources, **others)

    monkeypatch.setattr(ExportedGenerator, "generate", seen)
    first, second, driver = (pairs.face(photo(height=height)) for height in (50, 60, 70))
    assert first is not None
    assert second is not None
    assert driver is not None
    alone, both, _ = (pairs.transfer(some, driver) for some in ([first], [first, second], [second, first]))
    assert np.array_equal(alone.image, pairs.transfer(first, driver).image)
    assert not np.array_equal(both.image, alone.image)
    (_, of_one), (crops, of_two), (_, of_swapped), _ = given
    assert np.array_equal(crops[0], [first.crop, second.crop])
    assert of_two["source_heatmaps"].shape[:2] == of_two["source_points"].shape[:2] == (1, 2)
    # What is asked for, and what the judge compares with, is the first photo's.
    assert np.array_equal(of_two["target_points"], of_one["target_points"])
    assert not np.array_equal(of_swapped["target_points"], of_one["target_points"])
    with pytest.raises(SettingsError, match="1 to 8 photos of a person, not of 9"):
        pairs.transfer([first] * 9, driver)
    with pytest.raises(SettingsError, match="not of 0"):
        pairs.transfer([], driver)


def test_a_photo_of_somebody_else_is_left_out_and_told(pairs: PhotoPairs) -> None:
    person, again = pairs.face(photo()), pairs.face(photo(height=60))
    red = photo()
    red[red[..., 0] < 128] = (120, 10, 10)
    other = pairs.face(red)
    assert person is not None
    assert again is not None
    assert other is not None
    kept, lines = pairs.one_person([person, other, again], ["a.png", "b.png", "c.png"])
    assert kept == [person, again]
    (line,) = lines
    assert line.startswith("b.png is left out: it seems to show somebody else (similarity 0.")
    assert line.endswith("to a.png, 0.90 is one person)")
    assert pairs.one_person([other], ["b.png"]) == ([other], [])


def test_a_generator_that_takes_one_photo_gets_the_first(pairs: PhotoPairs) -> None:
    residual = build_generator(GeneratorConfig(kind="residual", size_px=SIDE_PX, width=16, blocks=1)).eval()
    takes_one = replace(pairs, generator=replace(pairs.generator, generator=residual))
    first, second = takes_one.face(photo()), takes_one.face(photo(height=60))
    assert first is not None
    assert second is not None
    kept, lines = takes_one.one_person([first, second], ["a.png", "b.png"])
    assert kept == [first]
    assert lines == ["the generator takes one photo of a person: a.png"]


def jpeg(pixels: np.ndarray, times: int) -> bytes:
    return encode_jpeg(np.ascontiguousarray(pixels.repeat(times, 0).repeat(times, 1)), 95)


def test_a_large_photo_is_decoded_whole_only_where_the_crop_needs_it(
    pairs: PhotoPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_pair, "_ENOUGH_SIDE_PX", 480)
    decoded: list[int] = []

    def decode(data: bytes, from_side_px: int | None = None) -> np.ndarray:
        pixels = decode_rgb(data, from_side_px)
        decoded.append(len(pixels))
        return pixels

    monkeypatch.setattr(photo_pair, "decode_rgb", decode)
    for pixels, times, sides in (
        (photo(), 8, [480]),  # the face is large enough
        (photo(12, 12), 8, [480, 960]),  # of a small one the crop has more pixels
        (np.full((120, 120, 3), 240, np.uint8), 8, [480, 960]),  # no face
        (photo(12, 12), 4, [480]),  # there is no more
    ):
        decoded.clear()
        found = pairs.face_in(jpeg(pixels, times))
        assert decoded == sides
        assert (found is None) == (int(pixels.min()) == 240)
        whole = pairs.face(decode_rgb(jpeg(pixels, times)))
        if found is not None and whole is not None:
            apart = found.crop.astype(int) - whole.crop
            assert np.abs(apart).mean() < 3
