"""What a way of making faces makes of the pairs of `benchmarks.judged`, and what judges see in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from benchmarks.held_out import measured_pixels
from benchmarks.judged_measures import (
    GREENISH,
    NO_FACE,
    Area,
    Openings,
    Points,
    area_mask,
    chroma,
    green,
    is_shut,
    open_mouth,
    openings,
    share,
    share_reached,
    sharpness_over,
)
from benchmarks.judged_pairs import Pairs
from benchmarks.making import Make, Pictures, asked_landmarks, by_copy
from benchmarks.patch_judge import real_against_made
from mien.model.detection.detector import FaceDetector, FoundFace, look_each
from mien.model.inference.baselines import spline_warped
from mien.model.landmarks.crop_units import to_px

SMALL_PX, LARGE_PX = 128, 256
"""Sides of the results. Landmarks and people are looked for in the large ones."""
SEED = 0
NOTHING = float("nan")
_TIMED_PAIRS, _TIMED_ROUNDS = 48, 2
_OPENS, _FEW_PIXELS = 0.05, 30
"""A mouth opens by more than this share of the distance of the eyes, and shows so many pixels of 256 × 256 at least."""

Part = Literal["mouth", "eyes"]
Embedding = Float[np.ndarray, " d"] | None
Way = Callable[[Pairs, int], Pictures | None]
"""Pictures of a side in pixels; None where a way has none."""


@dataclass(frozen=True)
class Judges:
    """Who looks at the results."""

    mesh: FaceDetector
    """Of dense landmarks."""
    points: FaceDetector | None
    """Of other landmarks, by a network that shares nothing with the mesh."""
    embedder: FaceDetector | None
    """Of people, other than the mesh's own; None where none is named."""


@dataclass(frozen=True)
class Tasks:
    """What all ways are asked for."""

    one: Pairs
    two: Pairs
    shut_one: Pairs
    shut_two: Pairs
    usual_eyes: dict[str, float]
    """By person, how far the eyes are open in most photos."""


def made_by(make: Make) -> Way:
    """A way that makes pictures."""
    return lambda pairs, side_px: make(pairs.sources, pairs.expressions, side_px) if len(pairs) else None


def photos_of(pairs: Pairs, side_px: int) -> Pictures | None:
    """The photo that should come out, where it is known."""
    return pairs.photos(side_px) if pairs.one_person and len(pairs) else None


def copies_of(pairs: Pairs, side_px: int) -> Pictures | None:
    """The first photo of each."""
    return by_copy(pairs.sources, pairs.expressions, side_px) if len(pairs) else None


# --- What is the same for all ways ------------------------------------------------------------------------------------


@cache
def spline_pixels(pairs: Pairs) -> dict[str, float]:
    """Measures of the sources moved by the spline alone."""
    sources, asked = (
        np.stack([each.points for each in side]).astype(np.float32) for side in (pairs.firsts, pairs.expressions)
    )
    return pixels_of(pairs, spline_warped(by_copy(pairs.sources, pairs.expressions, SMALL_PX), sources, asked))


def pixels_of(pairs: Pairs, made: Pictures) -> dict[str, float]:
    """Measures against the photos."""
    points = torch.from_numpy(np.stack([its.points for its in pairs.drivers]).astype(np.float32))
    return measured_pixels(made, pairs.photos(SMALL_PX), points)


@cache
def source_openings(detector: FaceDetector, pairs: Pairs) -> list[Openings]:
    """Of the sources, seen at the same size as results."""
    copies = by_copy(pairs.sources, pairs.expressions, LARGE_PX)
    return openings_of(detector, copies, [photo.points for photo in pairs.firsts])


def asked_changes(pairs: Pairs, part: Part) -> list[float]:
    """How much an opening is to change, by the landmarks that were found in the photos."""
    changes: list[float] = []
    for photo, expression in zip(pairs.firsts, pairs.expressions, strict=True):
        asked = asked_landmarks(photo, expression)
        own, wanted = (openings(its.landmarks_xy, its.scheme) for its in (photo.keypoints, asked))
        changes.append(getattr(wanted, part) - getattr(own, part))
    return changes


@cache
def embeddings_of_both(detector: FaceDetector, pairs: Pairs) -> tuple[list[Embedding], list[Embedding]]:
    """Of sources and drivers, seen at the same size as results."""
    sources, drivers = (
        embeddings_of(detector, pictures, [photo.points for photo in photos])
        for pictures, photos in (
            (by_copy(pairs.sources, pairs.expressions, LARGE_PX), pairs.firsts),
            (pairs.photos(LARGE_PX), pairs.drivers),
        )
    )
    return sources, drivers


# --- Looking ----------------------------------------------------------------------------------------------------------


def look(detector: FaceDetector, pictures: Pictures, points: Sequence[Points]) -> list[FoundFace | None]:
    """The face in each picture."""
    where = [to_px(its, pictures.shape[1]).astype(np.float64) for its in points]
    return look_each(detector, list(pictures), where)


def openings_of(detector: FaceDetector, pictures: Pictures, points: Sequence[Points]) -> list[Openings]:
    """Of mouth and eyes in each picture; NaN where no face is found."""
    found = look(detector, pictures, points)
    return [NO_FACE if face is None else openings(face.landmarks_xy.astype(np.float64), face.scheme) for face in found]


def embeddings_of(detector: FaceDetector, pictures: Pictures, points: Sequence[Points]) -> list[Embedding]:
    """Of the person in each picture; None where no face is found."""
    found = look(detector, pictures, points)
    return [
        None if face is None else detector.embed(picture, [face])[0].astype(np.float64)
        for picture, face in zip(pictures, found, strict=True)
    ]


# --- Results ----------------------------------------------------------------------------------------------------------


class Whose(NamedTuple):
    """Whom a result is taken for."""

    leak: float
    """Share that is nearer to the driver than to the source's person."""
    kept: float
    """Share that passes for the source's person, by the detector's own threshold."""


@dataclass(frozen=True)
class Results:
    """What a way makes, and what the judges see in it; each is made when it is first asked for."""

    way: Way
    tasks: Tasks
    judges: Judges
    _made: dict[tuple[Pairs, int], Pictures | None] = field(default_factory=dict, repr=False)
    _seen: dict[tuple[Pairs, str], list[Openings]] = field(default_factory=dict, repr=False)
    _whose: dict[str, Whose] = field(default_factory=dict, repr=False)

    def of(self, pairs: Pairs, side_px: int) -> Pictures | None:
        """Pictures of some pairs."""
        key = pairs, side_px
        if key not in self._made:
            self._made[key] = self.way(pairs, side_px)
        return self._made[key]

    # --- Pixels

    def pixels(self, name: str) -> float:
        """A measure of `held_out.measured_pixels` beside that of the spline: a ratio, and of SSIM the difference."""
        mine, base = self._pixels, spline_pixels(self.tasks.one)
        if not mine:
            return NOTHING
        return mine[name] - base[name] if name == "ssim" else mine[name] / base[name]

    @cached_property
    def _pixels(self) -> dict[str, float]:
        made = self.of(self.tasks.one, SMALL_PX)
        return {} if made is None else pixels_of(self.tasks.one, made)

    def sharpness(self, area: Area, side_px: int) -> float:
        """Median of the Laplacian energy of results over that of the photos."""
        pairs, made = self.tasks.one, self.of(self.tasks.one, side_px)
        if made is None:
            return NOTHING
        targets = zip(made, pairs.photos(side_px), pairs.drivers, strict=True)
        return float(np.nanmedian([sharpness_over(one, photo, its.points, area) for one, photo, its in targets]))

    def told_from_photos(self, side_px: int) -> float:
        """AUC of a fresh classifier of patches."""
        pairs, made = self.tasks.one, self.of(self.tasks.one, side_px)
        if made is None or self.way is photos_of:
            return NOTHING
        boxes = np.stack([face_box(its.points, side_px) for its in pairs.drivers])
        return real_against_made(pairs.photos(side_px), made, pairs.people, boxes, SEED)

    def chroma(self) -> float:
        """Mean chroma in the face of what is made of grey sources."""
        pairs = self.tasks.two
        made = self.way(pairs.grey, SMALL_PX)
        if made is None:
            return NOTHING
        asked = zip(made, pairs.expressions, strict=True)
        return float(np.mean([chroma(one, area_mask(its.points, SMALL_PX, "face")) for one, its in asked]))

    def greenish(self) -> float:
        """Share of the mouths that open whose inside is greenish."""
        pairs, made = self.tasks.one, self.of(self.tasks.one, LARGE_PX)
        if made is None:
            return NOTHING
        answers = list[bool]()
        for change, picture, target in zip(asked_changes(pairs, "mouth"), made, pairs.drivers, strict=True):
            inside = open_mouth(target.points, LARGE_PX)
            if change > _OPENS and inside.sum() >= _FEW_PIXELS:
                answers.append(green(picture, inside) > GREENISH)
        return share(answers)

    # --- Expressions

    def reached(self, pairs: Pairs, part: Part, detector: FaceDetector | None) -> float:
        """Share of the asked change of an opening; asked is what the mesh landmarks of source and request say."""
        if self.of(pairs, LARGE_PX) is None or detector is None:
            return NOTHING
        both = zip(self._openings(pairs, detector), source_openings(detector, pairs), strict=True)
        got = [getattr(after, part) - getattr(own, part) for after, own in both]
        return share_reached(asked_changes(pairs, part), got)

    def _openings(self, pairs: Pairs, detector: FaceDetector) -> list[Openings]:
        key = pairs, detector.name
        if key not in self._seen:
            made = self.of(pairs, LARGE_PX)
            assert made is not None
            self._seen[key] = openings_of(detector, made, [its.points for its in pairs.expressions])
        return self._seen[key]

    def shut(self, pairs: Pairs) -> float:
        """Share of the results with shut eyes, by the mesh."""
        if self.of(pairs, LARGE_PX) is None:
            return NOTHING
        seen = self._openings(pairs, self.judges.mesh)
        usual = (self.tasks.usual_eyes[photo.person] for photo in pairs.firsts)
        return share([is_shut(its.eyes, most) for its, most in zip(seen, usual, strict=True)])

    # --- People

    def whose(self, detector: FaceDetector | None) -> Whose:
        """By a detector's embedding."""
        if detector is None:
            return Whose(NOTHING, NOTHING)
        if detector.name not in self._whose:
            self._whose[detector.name] = self._taken_for(detector)
        return self._whose[detector.name]

    def _taken_for(self, detector: FaceDetector) -> Whose:
        pairs, made = self.tasks.two, self.of(self.tasks.two, LARGE_PX)
        if made is None:
            return Whose(NOTHING, NOTHING)
        results = embeddings_of(detector, made, [its.points for its in pairs.expressions])
        leaks, kept = list[bool](), list[bool]()
        for result, source, driver in zip(results, *embeddings_of_both(detector, pairs), strict=True):
            if source is None or driver is None:
                continue
            alike = None if result is None else [detector.similarity(result, of) for of in (source, driver)]
            leaks.append(alike is not None and bool(alike[1] > alike[0]))
            kept.append(alike is not None and bool(alike[0] >= detector.same_person_similarity))
        return Whose(share(leaks), share(kept))

    # --- Time

    def rate(self, side_px: int) -> float:
        """Faces for a second of one processor: the best of some rounds."""
        if self.way in (copies_of, photos_of):
            return NOTHING
        few = self.tasks.two.first(_TIMED_PAIRS)
        best_s = float("inf")
        for _ in range(_TIMED_ROUNDS):
            start_s = time.process_time()
            self.way(few, side_px)
            best_s = min(best_s, time.process_time() - start_s)
        return len(few) / best_s


def face_box(points: Points, side_px: int) -> np.ndarray:
    """Left, top, right, bottom of the landmarks, in the picture."""
    inside = to_px(points, side_px)
    return np.clip(np.concatenate([inside.min(0), inside.max(0)]), 0, side_px).astype(np.int64)
