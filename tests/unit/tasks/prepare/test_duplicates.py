"""Which photos a set holds twice."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from mien.model.images.codec import decode_rgb
from mien.model.quality.limits import QualityLimits
from mien.model.quality.measures import perceptual_hash
from mien.storage import fingerprint
from mien.tasks.prepare.duplicates import find_duplicates
from tests.sample_faces import orl_photos

LIMITS = QualityLimits()
SAME_FILE = "the same file as an earlier photo"


def row(name: str, hashed: bytes, identity: str | None = "a", status: str = "ok") -> dict[str, Any]:
    return {
        "face_id": fingerprint(name),
        "image_id": name,
        "bbox_xyxy": [0.0, 0.0, 10.0, 10.0],
        "identity": identity,
        "split": "train",
        "status": status,
        "reason": None if status == "ok" else "too dark",
        "perceptual_hash": hashed,
    }


def differing(hashed: bytes, bits: int) -> bytes:
    flags = np.unpackbits(np.frombuffer(hashed, np.uint8))
    flags[np.linspace(0, 255, bits).astype(int)] ^= 1
    return np.packbits(flags).tobytes()


HASHES = [np.random.default_rng(n).bytes(32) for n in range(3)]


def test_the_first_of_the_same_bytes_is_kept() -> None:
    rows = [row("x", HASHES[0]), row("y", HASHES[1]), row("x", HASHES[0]), row("x", HASHES[0], "b")]
    found = find_duplicates(rows, LIMITS.max_duplicate_bits)
    assert {index: verdict.of for index, verdict in found.items()} == {2: fingerprint("x"), 3: fingerprint("x")}
    assert found[2].reason == SAME_FILE
    assert "another person" in found[3].reason


@pytest.mark.parametrize("bits", range(1, 9))
def test_near_duplicates_of_a_person_are_found_up_to_the_limit(bits: int) -> None:
    rows = [row("x", HASHES[0]), row("y", HASHES[1]), row("z", differing(HASHES[0], bits))]
    assert set(find_duplicates(rows, 6)) == ({2} if bits <= 6 else set())
    rows[2]["identity"] = "b"
    assert find_duplicates(rows, 6) == {}
    assert find_duplicates([row("x", HASHES[0]), row("y", HASHES[0])], -1) == {}


def test_a_slow_series_does_not_vanish_into_its_first_frame() -> None:
    rows = [row(str(n), differing(HASHES[0], 4 * n)) for n in range(3)]
    assert set(find_duplicates(rows, 6)) == {1}


def test_what_was_rejected_neither_is_a_duplicate_nor_has_any() -> None:
    rows = [row("x", HASHES[0], status="rejected"), row("y", HASHES[0]), row("y", HASHES[0], status="rejected")]
    assert find_duplicates(rows, 6) == {}


def test_the_people_of_a_group_photo_are_no_duplicates_of_each_other() -> None:
    left, right = row("group", HASHES[0]), row("group", HASHES[1], "b")
    right |= {"face_id": fingerprint("second"), "bbox_xyxy": [20.0, 0.0, 30.0, 10.0]}
    assert find_duplicates([left, right], 6) == {}
    # Of a copy of the file each face is a duplicate of its own.
    found = find_duplicates([left, right, dict(left), dict(right)], 6)
    assert {index: verdict.of for index, verdict in found.items()} == {2: left["face_id"], 3: right["face_id"]}
    assert {verdict.reason for verdict in found.values()} == {SAME_FILE}


def test_a_face_that_a_detector_finds_twice_in_a_photo_is_one() -> None:
    first, again = row("photo", HASHES[0]), row("photo", HASHES[1], "b")
    again |= {"face_id": fingerprint("again"), "bbox_xyxy": [1.0, 0.0, 11.0, 10.0]}
    (verdict,) = find_duplicates([first, again], 6).values()
    assert (verdict.of, verdict.reason) == (first["face_id"], "the same face of its photo, found twice")


def test_a_copy_of_a_near_duplicate_names_the_face_that_is_kept() -> None:
    rows = [row("x", HASHES[0]), row("y", differing(HASHES[0], 3)), row("y", differing(HASHES[0], 3))]
    found = find_duplicates(rows, 6)
    assert {index: verdict.of for index, verdict in found.items()} == dict.fromkeys((1, 2), fingerprint("x"))


def test_a_photo_encoded_or_scaled_anew_is_a_near_duplicate_and_another_photo_is_not() -> None:
    photos = [cv2.resize(photo, (128, 128), interpolation=cv2.INTER_CUBIC) for photo in orl_photos(40)]
    hashes = [np.frombuffer(perceptual_hash(photo), np.uint8) for photo in photos]
    for photo, hashed in zip(photos, hashes, strict=True):
        jpeg = decode_rgb(cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes())
        again = np.frombuffer(perceptual_hash(jpeg), np.uint8)
        assert np.bitwise_count(hashed ^ again).sum() <= LIMITS.max_duplicate_bits
    apart = [np.bitwise_count(a ^ b).sum() for n, a in enumerate(hashes) for b in hashes[:n]]
    assert min(apart) > LIMITS.max_duplicate_bits
