"""What a generated face shows, against what was asked for, by landmarks that are found in the picture itself.

    same person    Σ over parts of E|f(Î_t) − f(I_t)| / d                    f the face mesh, d the distance of the eyes
    cross-person   Σ over parts of E|f(Î) − f(I_s) − (L_t − L_s)| / d        the change that was asked for

A photo is looked at by the same network as the result. So it does not matter which detector found the landmarks of the
faces, and what the network sees wrong in both it does not ask for. A part is lids, lips or brows; each counts alike,
however many landmarks it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mien.model.device import indices
from mien.model.landmarks.parts import Part
from mien.model.landmarks.schemes import LandmarkScheme, common_pairs, part_indices
from mien.model.networks.mesh_landmarks import MeshLandmarks
from mien.model.training.losses import L1_UNIT

EXPRESSIVE: tuple[tuple[Part, ...], ...] = (
    ("left_eye", "right_eye"),
    ("outer_lips", "inner_lips"),
    ("left_brow", "right_brow"),
)
_EYES = slice(36, 42), slice(42, 48)

Image = Float[Tensor, "batch 3 size size"]
Points = Float[Tensor, "batch 68 2"]


def shown_distance(mesh: MeshLandmarks, photo: Image, drawn: Image, points: Points) -> Float[Tensor, ""]:
    """How far the landmarks in drawn images are from those in the photos that they should be, in units of L1_UNIT.

    `points` are those of the photos. No gradient goes to the photos.
    """
    with torch.no_grad():
        expected = mesh(photo, points)
    return _distance(mesh(drawn, points), expected, points, "mediapipe478")


def asked_distance(mesh: MeshLandmarks, source: tuple[Image, Points], drawn: Image, asked: Points) -> Float[Tensor, ""]:
    """How far the landmarks in drawn images moved otherwise from those in the source photos than was asked for, in
    units of L1_UNIT; `asked` are the target's landmarks."""
    with torch.no_grad():
        expected = _common(mesh(*source)) + asked - source[1]
    return _distance(_common(mesh(drawn, asked)), expected, asked, "ibug68")


def _common(found: Float[Tensor, "batch 478 2"]) -> Points:
    pairs = indices(common_pairs("mediapipe478"), found)
    return (found[:, pairs[:, 0]] + found[:, pairs[:, 1]]) / 2


def _distance(
    found: Float[Tensor, "batch landmarks 2"],
    expected: Float[Tensor, "batch landmarks 2"],
    points: Points,
    scheme: LandmarkScheme,
) -> Float[Tensor, ""]:
    apart = (found - expected).abs().sum(-1) / _between_eyes(points)
    return torch.stack([apart[:, indices(part, apart)].mean() for part in _parts(scheme)]).sum() / L1_UNIT


def _parts(scheme: LandmarkScheme) -> Sequence[list[int]]:
    return [[index for part in parts for index in part_indices(scheme)[part]] for parts in EXPRESSIVE]


def _between_eyes(points: Points) -> Float[Tensor, "batch 1"]:
    left, right = (points[:, eye].mean(1) for eye in _EYES)
    return (right - left).norm(dim=-1, keepdim=True).clamp_min(1e-3)
