"""Faces that a set holds twice: in the same bytes, twice in one photo, or in nearly alike photos of a person.

A photo may show several people: each of them is another face.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mien.storage.rows import FaceRow
from mien.tasks.prepare.face_boxes import shows_same_face

OTHER_PERSON = "the same file as an earlier photo, which is said to show another person"


@dataclass(frozen=True)
class Duplicate:
    """The verdict on a row."""

    of: str
    """The face that is kept."""
    reason: str


def find_duplicates(rows: Sequence[FaceRow], max_bits: int) -> dict[int, Duplicate]:
    """Verdicts by the index of the row: good faces that an earlier good face shows already.

    The same face of the same bytes is one face, whoever it is said to show. Near-duplicates are sought among the photos
    of a person: each is compared with the earlier ones that were kept, so a slow series does not vanish into its first
    frame.

    Args:
        rows: Of `faces`, with face_id, image_id, bbox_xyxy, identity, status and perceptual_hash.
        max_bits: By which the hashes of near-duplicates differ at most; below 0 none are sought.
    """
    verdicts: dict[int, Duplicate] = {}
    of_photo: dict[str, list[tuple[FaceRow, str]]] = {}
    kept: dict[str | None, _Kept] = {}
    for index, row in enumerate(rows):
        if row["status"] != "ok":
            continue
        known = of_photo.setdefault(row["image_id"], [])
        same = next(((first, of) for first, of in known if shows_same_face(first, row)), None)
        if same is not None:
            verdicts[index] = Duplicate(same[1], _copy_reason(same[0], row))
            continue
        verdict = _near_duplicate(row, kept, max_bits)
        if verdict is not None:
            verdicts[index] = verdict
        known.append((row, row["face_id"] if verdict is None else verdict.of))
    return verdicts


def _near_duplicate(row: FaceRow, kept: dict[str | None, _Kept], max_bits: int) -> Duplicate | None:
    if max_bits < 0 or row["perceptual_hash"] is None:
        return None
    of_person = kept.setdefault(row["identity"], _Kept(max_bits))
    bits = np.frombuffer(row["perceptual_hash"], np.uint8)
    if near := of_person.find(bits):
        return Duplicate(near, "nearly the same as an earlier photo of the person")
    of_person.add(bits, row["face_id"])
    return None


def _copy_reason(first: FaceRow, second: FaceRow) -> str:
    if first["face_id"] != second["face_id"]:
        return "the same face of its photo, found twice"
    if first["identity"] != second["identity"]:
        return OTHER_PERSON
    return "the same file as an earlier photo"


class _Kept:
    """Hashes of kept faces, found again by any of their bands.

    Two hashes that differ in at most n bits are equal in one of n + 1 bands, so only faces that share a band are
    compared: no near-duplicate is missed, and a set of 100,000 photos without identities takes seconds.
    """

    def __init__(self, max_bits: int) -> None:
        self._max_bits = max_bits
        self._bands: dict[tuple[int, bytes], list[tuple[np.ndarray, str]]] = {}

    def find(self, bits: np.ndarray) -> str | None:
        """The first kept face within the limit of this hash (32 × uint8)."""
        for band in self._split(bits):
            for other, face_id in self._bands.get(band, ()):
                if int(np.bitwise_count(bits ^ other).sum()) <= self._max_bits:
                    return face_id
        return None

    def add(self, bits: np.ndarray, face_id: str) -> None:
        for band in self._split(bits):
            self._bands.setdefault(band, []).append((bits, face_id))

    def _split(self, bits: np.ndarray) -> Iterator[tuple[int, bytes]]:
        for number, part in enumerate(np.array_split(np.unpackbits(bits), self._max_bits + 1)):
            yield number, part.tobytes()
