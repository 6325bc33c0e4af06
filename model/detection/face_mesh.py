"""The 478 points of a face by MediaPipe's mesh networks, from several looks at it.

The networks want a face upright, in the middle of a window half as large again (Kartynnik et al. 2019). The first look
takes the window from a detector's box, or from points that someone asks about, and tells where the face is. The second
round frames the face by these points. Its network looks closer at lips and eyes (Grishchenko et al. 2020), and sees the
window as it is and mirrored: what it has learnt of one side of faces only is averaged away. How far the looks lie apart
tells how far the points can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.graphs.mediapipe_files import MESH, REFINED_MESH, NetworkFile, network_of
from mien.model.landmarks.alignment import Matrix, apply_transform, invert_transform, warp
from mien.model.landmarks.mediapipe_points import (
    LEFT_LIDS,
    MESH_POINTS,
    MIRRORED,
    SEEN_CLOSER,
    mirrored,
)
from mien.model.landmarks.parts import POINTS

Image = UInt8[np.ndarray, "_ _ 3"]

MIN_PRESENCE = 0.5
"""Windows with less than this are taken for no face, the network's customary threshold."""
BATCH = {"cpu": 8, "cuda": 64}
"""Windows at once: on a CPU more no longer fit in its cache, and are slower."""

ALL_POINTS = POINTS["mediapipe478"]

_WINDOW_PX = MESH.side_px
ROOM = 1.5
"""Side of the window over that of the face."""
_LEFT_CORNER, _RIGHT_CORNER = LEFT_LIDS[0], mirrored(LEFT_LIDS)[0]


class MeshFace(NamedTuple):
    """Points of a face, in pixels of the picture."""

    points_xy: Float[np.ndarray, "478 2"]
    presence: float
    """How surely there is a face: from 0 to 1."""
    scatter: float
    """Mean distance of the looks' points from these, as a share of the distance of the outer eye corners."""
    depths: Float[np.ndarray, " 468"]
    """Of the mesh, away from the camera, in pixels of the picture too; their zero is about the head's middle."""


class _Looks(NamedTuple):
    points_xy: Float[np.ndarray, "n looks points 2"]
    depths: Float[np.ndarray, "n looks 468"]
    presence: Float[np.ndarray, " n"]
    """Mean of the looks."""


def window_of_box(
    edges: Float[np.ndarray, " 4"], left_eye: Float[np.ndarray, " 2"], right_eye: Float[np.ndarray, " 2"]
) -> Matrix:
    """Into the window around a detector's box (left, top, right, bottom), turned so that the eyes are level."""
    corners = edges.reshape(2, 2)
    return _window(right_eye - left_eye, corners.mean(0), float((corners[1] - corners[0]).max()))


def window_of_points(points: Float[np.ndarray, "n 2"], eyes: Float[np.ndarray, " 2"]) -> Matrix:
    """Into the window around points that reach from the brow to the chin and from ear to ear.

    Args:
        points: Of a face, in pixels.
        eyes: From the eye on the picture's left to the other; it will be level.
    """
    along = eyes / max(float(np.linalg.norm(eyes)), 1e-6)
    to_level = np.array([along, [-along[1], along[0]]])
    level = points @ to_level.T
    low, high = level.min(0), level.max(0)
    return _window(eyes, (low + high) / 2 @ to_level, float((high - low).max()))


def _window(eyes: Float[np.ndarray, " 2"], centre: Float[np.ndarray, " 2"], side: float) -> Matrix:
    along = eyes / max(float(np.linalg.norm(eyes)), 1e-6)
    scale = _WINDOW_PX / (ROOM * max(side, 1.0))
    linear = scale * np.array([along, [-along[1], along[0]]])
    return np.column_stack([linear, _WINDOW_PX / 2 - linear @ centre])


def mesh_each(images: Sequence[Image], windows: Sequence[Matrix], device: str) -> list[MeshFace | None]:
    """The face in each picture that the window frames; None where the networks see none.

    A face has the same points, to the bit, whichever others are with it.
    """
    found: list[MeshFace | None] = [None] * len(images)
    rough = _looks(images, windows, MESH, device, twins=False)
    kept = [index for index, presence in enumerate(rough.presence) if presence >= MIN_PRESENCE]
    framed = [_window_of_mesh(rough.points_xy[index, 0]) for index in kept]
    close = _looks([images[index] for index in kept], framed, REFINED_MESH, device, twins=True)
    for place, index in enumerate(kept):
        if (presence := float(close.presence[place])) >= MIN_PRESENCE:
            found[index] = _face(close.points_xy[place], close.depths[place], rough.points_xy[index], presence)
    return found


def _face(
    close: Float[np.ndarray, "2 478 2"],
    depths: Float[np.ndarray, "2 468"],
    rough: Float[np.ndarray, "1 468 2"],
    presence: float,
) -> MeshFace:
    points = close.mean(0)
    mesh = points[:MESH_POINTS]
    apart = np.linalg.norm(np.concatenate([close[:, :MESH_POINTS], rough]) - mesh, axis=-1).mean()
    eyes = np.linalg.norm(points[_RIGHT_CORNER] - points[_LEFT_CORNER])
    return MeshFace(points, presence, float(apart / max(float(eyes), 1e-6)), depths.mean(0))


def _window_of_mesh(points: Float[np.ndarray, "468 2"]) -> Matrix:
    return window_of_points(points, points[_RIGHT_CORNER] - points[_LEFT_CORNER])


def _looks(
    images: Sequence[Image], windows: Sequence[Matrix], file: NetworkFile, device: str, *, twins: bool
) -> _Looks:
    """What a network says of windows, with twins of the mirrored windows too, in pixels of the pictures."""
    size = BATCH[device.partition(":")[0]] // (1 + twins)
    shape = (0, 1 + twins, MESH_POINTS if file is MESH else ALL_POINTS, 2)
    parts = [_Looks(np.zeros(shape), np.zeros((0, 1 + twins, MESH_POINTS)), np.zeros(0))]
    for start in range(0, len(images), size):
        some = slice(start, start + size)
        parts.append(_looked(images[some], windows[some], file, device, twins=twins))
    return _Looks(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _looked(
    images: Sequence[Image], windows: Sequence[Matrix], file: NetworkFile, device: str, *, twins: bool
) -> _Looks:
    pixels = np.stack([warp(image, window, _WINDOW_PX) for image, window in zip(images, windows, strict=True)])
    both = np.concatenate([pixels, pixels[:, :, ::-1]]) if twins else pixels
    outputs = network_of(file, device)(both.astype(np.float32))
    seen, depths = _points(outputs)
    if twins:
        seen[len(images) :] = _unmirrored(seen[len(images) :])
        depths[len(images) :] = depths[len(images) :, list(MIRRORED[:MESH_POINTS])]
    looks = seen.reshape(1 + twins, len(images), -1, 2).swapaxes(0, 1)
    backs = [invert_transform(window) for window in windows]
    scales = np.array([np.sqrt(np.linalg.det(back[:, :2])) for back in backs])
    logits = outputs[-1].reshape(1 + twins, len(images)).astype(np.float64)
    return _Looks(
        np.stack([[apply_transform(back, look) for look in each] for back, each in zip(backs, looks, strict=True)]),
        depths.reshape(1 + twins, len(images), -1).swapaxes(0, 1) * scales[:, None, None],
        (1 / (1 + np.exp(-logits))).mean(0),
    )


def _points(outputs: list[np.ndarray]) -> tuple[Float[np.ndarray, "n points 2"], Float[np.ndarray, "n 468"]]:
    """The mesh with what the network saw closer, and the depths of the mesh, in pixels of the window."""
    mesh, *closer, _ = outputs
    spatial = mesh.reshape(len(mesh), MESH_POINTS, 3).astype(np.float64)
    points = spatial[..., :2].copy()
    if closer:
        points = np.concatenate([points, np.zeros((len(mesh), ALL_POINTS - MESH_POINTS, 2))], axis=1)
        for indices, output in zip(SEEN_CLOSER, closer, strict=True):
            points[:, list(indices)] = output.reshape(len(mesh), -1, 2)
    return points, spatial[..., 2].copy()


def _unmirrored(points: Float[np.ndarray, "n points 2"]) -> Float[np.ndarray, "n points 2"]:
    """Points in the window as it was before it was mirrored."""
    return points[:, list(MIRRORED[: points.shape[1]])] * [-1, 1] + [_WINDOW_PX, 0]
