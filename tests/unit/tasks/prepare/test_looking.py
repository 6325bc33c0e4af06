"""Several photos at once: what the detector fails on costs its own photo alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mien.model.detection.detector import FoundFace
from mien.model.errors import DecoderError, DetectorError, ImageError
from mien.storage import MissingError
from mien.tasks.prepare.looking import BATCH, BATCH_PX, Seen, in_batches, look_at
from tests.own_detector import DarkSquares, Together


def photo(number: int, black_corner: bool = False) -> np.ndarray:
    pixels = np.full((100, 120, 3), 230, np.uint8)
    pixels[20:80, 20 + number : 80 + number] = 10 * number
    if black_corner:
        pixels[0, 0] = 0
    return pixels


class Counting(Together):
    """Notes how many pictures it was asked for at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def find_each(self, images: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        self.asked.append(len(images))
        return super().find_each(images)


def same(one: Seen | Exception, other: Seen | Exception) -> bool:
    assert isinstance(one, Seen)
    assert isinstance(other, Seen)
    boxes = [[face.bbox_xyxy for face in seen.faces] for seen in (one, other)]
    return boxes[0] == boxes[1] and np.array_equal(one.embeddings, other.embeddings)


def test_together_is_as_one_by_one() -> None:
    photos = [photo(number) for number in range(5)]
    photos[2] = np.full((50, 50, 3), 255, np.uint8)
    detector = Counting()
    together = look_at(detector, photos)
    assert detector.asked == [5]
    for seen, pixels in zip(together, photos, strict=True):
        assert same(seen, look_at(DarkSquares(), [pixels])[0])
    assert isinstance(together[2], Seen)
    assert together[2].faces == []


def test_a_photo_that_the_detector_fails_on_in_the_middle_costs_itself_alone() -> None:
    photos = [photo(number, black_corner=number == 2) for number in range(5)]
    detector = Counting()
    seen = look_at(detector, photos)
    assert detector.asked == [5, 1, 1, 1, 1, 1]
    assert isinstance(seen[2], ImageError)
    assert str(seen[2]) == "the detector failed on it (ValueError: a black corner)"
    assert all(same(seen[at], look_at(DarkSquares(), [photos[at]])[0]) for at in (0, 1, 3, 4))


def test_a_face_that_cannot_be_embedded_costs_its_own_photo_alone() -> None:
    class Failing(Together):
        def embed(self, image: np.ndarray, faces: Sequence[FoundFace]) -> np.ndarray:
            if image[50, 60, 0] == 20:
                raise TimeoutError("no answer")
            return super().embed(image, faces)

    seen = look_at(Failing(), [photo(number) for number in range(4)])
    assert [isinstance(each, Seen) for each in seen] == [True, True, False, True]
    assert isinstance(seen[2], DecoderError)  # a service may answer tomorrow


def test_photos_that_could_not_be_read_stay_what_they_are() -> None:
    missing = MissingError("unmounted")
    seen = look_at(Counting(), [photo(1), missing, photo(3)])
    assert seen[1] is missing
    assert isinstance(seen[0], Seen)
    assert isinstance(seen[2], Seen)
    assert look_at(Counting(), [missing]) == [missing]


def test_a_detector_that_answers_for_too_few_is_given_up() -> None:
    class Short(Together):
        def find_each(self, images: Sequence[np.ndarray]) -> list[list[FoundFace]]:
            return super().find_each(images)[:1]

    with pytest.raises(DetectorError, match="answers 1 of 2 in find_each"):
        look_at(Short(), [photo(1), photo(2)])


def test_batches_have_so_many_photos_and_so_many_pixels() -> None:
    assert [len(batch) for batch in in_batches(range(2 * BATCH + 1), lambda _: 100)] == [BATCH, BATCH, 1]
    sizes = [BATCH_PX // 2, BATCH_PX // 2, 1, 2 * BATCH_PX, 5, 6]
    assert list(in_batches(sizes, int)) == [[BATCH_PX // 2, BATCH_PX // 2], [1], [2 * BATCH_PX], [5, 6]]
    assert list(in_batches([], int)) == []
