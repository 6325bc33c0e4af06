"""Measures of made faces that `benchmarks.judged` prints: sharpness, colour, lids, lips, and what was reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.schemes import LandmarkScheme, eye_opening, mouth_opening
from mien.model.warping.masks import opening_maps, region_mask

SHUT = 1 / 3
"""An eye that is open less than this share of the person's usual opening is shut."""
GREENISH = 2
"""Of 255: pixels that have more green than this on the mean look green beside skin."""

Area = Literal["face", "mouth", "eyes"]
AREAS: tuple[Area, ...] = ("face", "mouth", "eyes")
_MOST = 0.5
"""Of a pixel that lies in an opening."""

Picture = UInt8[np.ndarray, "side side 3"]
Mask = Bool[np.ndarray, "side side"]
Points = Float[np.ndarray, "68 2"]


def area_mask(points: Points, side_px: int, area: Area) -> Mask:
    """The pixels of an area: the convex hull of the landmarks, or the boxes of mouth and eyes that losses use."""
    if area != "face":
        batch = torch.from_numpy(points[None].astype(np.float32))
        return region_mask(batch, side_px, area)[0, 0].numpy() > 0
    outline = cv2.convexHull(np.rint(to_px(points, side_px) - 0.5).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((side_px, side_px), np.uint8), outline, 1).astype(bool)


def laplacian_energy(picture: Picture, mask: Mask) -> float:
    """Mean square of the Laplacian of the grey picture over a mask; NaN where the mask is empty."""
    if not mask.any():
        return float("nan")
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return float((cv2.Laplacian(grey, cv2.CV_64F)[mask] ** 2).mean())


def sharpness_over(picture: Picture, photo: Picture, points: Points, area: Area) -> float:
    """The Laplacian energy of a picture over that of the photo that it should be; NaN where that has none."""
    mask = area_mask(points, len(photo), area)
    real = laplacian_energy(photo, mask)
    return laplacian_energy(picture, mask) / real if real > 0 else float("nan")


def chroma(picture: Picture, mask: Mask) -> float:
    """Mean difference of the strongest and the weakest colour over a mask, of 255; 0 of a grey picture."""
    colours = picture[mask].astype(np.int64)
    return float((colours.max(1) - colours.min(1)).mean()) if len(colours) else float("nan")


def open_mouth(points: Points, side_px: int) -> Mask:
    """The pixels between the inner lips."""
    maps = opening_maps(torch.from_numpy(points[None].astype(np.float32)), side_px)
    return maps[0, 0].numpy() > _MOST


def green(picture: Picture, mask: Mask) -> float:
    """Mean of G − (R + B) / 2 where it is above 0, over a mask, of 255; NaN where the mask is empty.

    The dark of a mouth is red, and a red pixel does not make a green one white.
    """
    colours = picture[mask].astype(np.float64)
    return float((colours @ [-0.5, 1, -0.5]).clip(0).mean()) if len(colours) else float("nan")


class Openings(NamedTuple):
    """Of a face, as `model/landmarks/schemes.py` measures them."""

    mouth: float
    """Gap of the inner lips over the distance of the outer eye corners."""
    eyes: float
    """Gap of the lids over the width of the eye, mean of both."""


NO_FACE = Openings(float("nan"), float("nan"))


def openings(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> Openings:
    """Of the landmarks of a face."""
    return Openings(mouth_opening(landmarks_xy, scheme), float(np.mean(eye_opening(landmarks_xy, scheme))))


def is_shut(opening: float, usual: float) -> bool:
    """Whether the eyes are shut, for a person who usually has them open so far; no face shows none."""
    return bool(opening < SHUT * usual)


def share_reached(asked: Sequence[float], got: Sequence[float]) -> float:
    """How much of the changes asked for is in the results: slope of a line through 0 of what was got on what was asked.

    Pairs with a NaN are left out; NaN where nothing was asked.
    """
    wanted, found = np.asarray(asked, np.float64), np.asarray(got, np.float64)
    seen = ~(np.isnan(wanted) | np.isnan(found))
    square = float((wanted[seen] ** 2).sum())
    return float((wanted[seen] * found[seen]).sum() / square) if square > 0 else float("nan")


def share(answers: Sequence[bool]) -> float:
    """Of those that are true; NaN of none."""
    return float(np.mean(answers)) if len(answers) else float("nan")
