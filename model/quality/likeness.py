"""Whether a generated face looks like a photo: its sharpness by region, its texture, its contrast and its colour.

All is held against the source's own crop at the same size, so that a soft camera is no fault of the generator; and it
is two-sided: a checkered face has more fine detail than the photo, a washed-out one has less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

SharpRegion = Literal["face", "mouth", "eyes"]
REGIONS: tuple[SharpRegion, ...] = get_args(SharpRegion)

_LEVELS = 3
_NOISE = 0.5
"""Energy, in squared units, that a band has from rounding alone: the ratio of two bands of nothing is 1."""
_OUTLINE = slice(0, 27)
_BOXES: dict[SharpRegion, tuple[slice, ...]] = {"mouth": (slice(48, 68),), "eyes": (slice(36, 42), slice(42, 48))}
_GROWTH: dict[SharpRegion, float] = {"mouth": 0.25, "eyes": 0.4}
"""On each side of a box, as a share of its width."""


@dataclass(frozen=True)
class Look:
    """What is compared of a picture of a face."""

    detail: dict[SharpRegion, float]
    """Variance of the Laplacian over the variance of the grey values (Pech-Pacheco et al. 2000), by region."""
    bands: Float[np.ndarray, " bands"]
    """Mean squares of the Haar wavelet's bands inside the face's outline, finest first: of the grey values in squared
    grey levels, then of the colours, a* and b* together, in squared units of CIE L*a*b*. A checkered face may differ
    from a photo in its colours alone."""
    contrast: float
    """Standard deviation of the grey values inside the outline."""
    lab: Float[np.ndarray, " 3"]
    """Mean colour inside the outline in CIE L*a*b*."""


@dataclass(frozen=True)
class Likeness:
    """A generated face against its source's crop."""

    sharpness: Mapping[SharpRegion, float]
    """Detail of the result over that of the source, by region."""
    texture_error: float
    """Root mean square over the bands of log2 of the ratio of their amplitudes: 0 for a copy, 1 where each band is
    half or twice as strong as on the source."""
    contrast_ratio: float
    colour_difference: float
    """CIE 1976 distance of the mean colours."""


def look_at(picture: UInt8[np.ndarray, "side side 3"], points: Float[np.ndarray, "68 2"]) -> Look:
    """Of a square picture with the 68 common landmarks in [-1, 1] over it."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    masks = region_masks(points, len(picture))
    laplacian = cv2.Laplacian(grey, cv2.CV_64F)
    face = masks["face"]
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colours = np.sum([_bands(lab[..., channel].astype(np.float64), face) for channel in (1, 2)], axis=0)
    return Look(
        {region: _detail(grey, laplacian, mask) for region, mask in masks.items()},
        np.concatenate([_bands(grey.astype(np.float64), face), colours]),
        float(grey[face].std()) if face.any() else 0.0,
        lab[face].mean(0).astype(np.float64) if face.any() else np.zeros(3),
    )


def likeness(result: Look, source: Look) -> Likeness:
    """How a generated face differs from its source."""
    ratios = np.log2((result.bands + _NOISE) / (source.bands + _NOISE)) / 2
    return Likeness(
        {region: _ratio(result.detail[region], source.detail[region]) for region in REGIONS},
        float(np.sqrt((ratios**2).mean())),
        _ratio(result.contrast, source.contrast),
        float(np.linalg.norm(result.lab - source.lab)),
    )


def region_masks(points: Float[np.ndarray, "68 2"], side_px: int) -> dict[SharpRegion, Bool[np.ndarray, "side side"]]:
    """The inside of the face's outline, and the boxes around mouth and eyes, in pixels of a square picture."""
    px = (points + 1) * side_px / 2
    outline = cv2.convexHull(np.rint(px[_OUTLINE]).astype(np.int32))
    masks: dict[SharpRegion, np.ndarray] = {
        "face": cv2.fillConvexPoly(np.zeros((side_px, side_px), np.uint8), outline, 1).astype(bool)
    }
    for region, parts in _BOXES.items():
        masks[region] = np.zeros((side_px, side_px), bool)
        for part in parts:
            low, high = px[part].min(0), px[part].max(0)
            margin = _GROWTH[region] * (high - low)[0]
            left, top = np.clip(np.floor(low - margin), 0, side_px).astype(int)
            right, bottom = np.clip(np.ceil(high + margin), 0, side_px).astype(int)
            masks[region][top:bottom, left:right] = True
    return masks


def _detail(grey: np.ndarray, laplacian: np.ndarray, mask: np.ndarray) -> float:
    inside = grey[mask].astype(np.float64)
    return float(laplacian[mask].var() / (inside.var() + _NOISE)) if inside.size else 0.0


def _bands(grey: Float[np.ndarray, "side side"], mask: Bool[np.ndarray, "side side"]) -> Float[np.ndarray, " bands"]:
    """Across, down and diagonal at each level."""
    energies: list[float] = []
    for _ in range(_LEVELS):
        across = (grey[:, 1:] - grey[:, :-1]) / 2
        down = (grey[1:] - grey[:-1]) / 2
        pairs = (
            ((across[1:] + across[:-1]) / 2, mask[1:, 1:]),
            ((down[:, 1:] + down[:, :-1]) / 2, mask[1:, 1:]),
            ((across[1:] - across[:-1]) / 2, mask[1:, 1:]),
        )
        energies += [float((band[inside] ** 2).mean()) if inside.any() else 0.0 for band, inside in pairs]
        half = (max(1, grey.shape[1] // 2), max(1, grey.shape[0] // 2))
        grey = cv2.resize(grey, half, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_AREA).astype(bool)
    return np.array(energies)


def _ratio(result: float, source: float) -> float:
    return result / max(source, 1e-9)
