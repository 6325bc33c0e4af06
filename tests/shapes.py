"""Landmarks of faces that nobody has: the reference face with openings and proportions set by hand."""

from __future__ import annotations

import numpy as np

from mien.model.expression.neutral import at_rest
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks, reference_shape

EYES = (slice(36, 42), slice(42, 48))
UPPER_LIDS, LOWER_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
LOWER_LIP, UPPER_LIP = [65, 66, 67, 55, 56, 57, 58, 59], [61, 62, 63, 49, 50, 51, 52, 53]
CHIN = [6, 7, 8, 9, 10]


def neutral() -> np.ndarray:
    """The reference face at rest, in its own units."""
    return at_rest(reference_shape())


def opened_mouth(shape: np.ndarray, by: float) -> np.ndarray:
    shape = shape.copy()
    shape[UPPER_LIP, 1] -= 0.25 * by
    shape[LOWER_LIP, 1] += 0.75 * by
    shape[CHIN, 1] += 0.6 * by
    return shape


def closed_eyes(shape: np.ndarray) -> np.ndarray:
    shape = shape.copy()
    shape[UPPER_LIDS] = shape[LOWER_LIDS]
    return shape


def narrow_mouth(shape: np.ndarray, share: float) -> np.ndarray:
    """The mouth with its width times `share`."""
    shape = shape.copy()
    shape[48:, 0] *= share
    return shape


def in_crop(shapes: np.ndarray) -> np.ndarray:
    """Reference units to [-1, 1] over the crop, as the alignment puts the reference face there."""
    reference, placed = reference_shape(), reference_landmarks(AlignmentSettings(size_px=128)) / 64 - 1
    scale = np.ptp(placed[:, 0]) / np.ptp(reference[:, 0])
    return shapes * scale + (placed - reference * scale)[0]
