"""The 468 points of a face by MediaPipe's mesh network, from several looks at it.

The network wants a face upright, in the middle of a window half as large again (Kartynnik et al. 2019). The first look
takes the window from a detector's box or from points that someone asks about; it tells where the face is. The second
round frames the face by the first look's points, and looks at the window as it is and mirrored: what the network has
learnt of one side of faces only is averaged away. How far the looks lie apart tells how far the points can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.graphs.mediapipe_files import MESH, load_network
from mien.model.graphs.network import Network
from mien.model.landmarks.alignment import Matrix, apply_transform, invert_transform, warp
from mien.model.landmarks.mediapipe_points import LEFT_LIDS, MESH_POINTS, MIRRORED, mirrored

Image = UInt8[np.ndarray, "_ _ 3"]

MIN_PRESENCE = 0.5
"""Windows with less than this are taken for no face, the network's customary threshold."""
BATCH = {"cpu": 8, "cuda": 64}
"""Windows at once: on a CPU more no longer fit in its cache, and are slower."""

_WINDOW_PX = MESH.side_px
_ROOM = 1.5
"""Side of the window over that of the face."""
_LEFT_CORNER, _RIGHT_CORNER = LEFT_LIDS[0], mirrored(LEFT_LIDS)[0]
_MIRRORED = list(MIRRORED[:MESH_POINTS])


class MeshFace(NamedTuple):
    """Points of a face, in pixels of the picture."""

    points_xy: Float[np.ndarray, "468 2"]
    presence: float
    """How surely there is a face: from 0 to 1."""
    scatter: float
    """Mean distance of the looks' points from these, as a share of the distance of the outer eye corners."""


class _Looks(NamedTuple):
    points_xy: Float[np.ndarray, "n 468 2"]
    presence: Float[np.ndarray, " n"]


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
    scale = _WINDOW_PX / (_ROOM * max(side, 1.0))
    linear = scale * np.array([along, [-along[1], along[0]]])
    return np.column_stack([linear, _WINDOW_PX / 2 - linear @ centre])


def mesh_each(images: Sequence[Image], windows: Sequence[Matrix], device: str) -> list[MeshFace | None]:
    """The face in each picture that the window frames; None where the network sees none.

    A face has the same points, to the bit, whichever others are with it.
    """
    found: list[MeshFace | None] = [None] * len(images)
    rough = _looks(images, windows, device, flip=False)
    kept = [index for index, presence in enumerate(rough.presence) if presence >= MIN_PRESENCE]
    again = [images[index] for index in kept]
    framed = [_window_of_mesh(rough.points_xy[index]) for index in kept]
    straight, flipped = (_looks(again, framed, device, flip=flip) for flip in (False, True))
    for place, index in enumerate(kept):
        both = np.stack([straight.points_xy[place], flipped.points_xy[place]])
        presence = float(min(straight.presence[place], flipped.presence[place]))
        if presence >= MIN_PRESENCE:
            found[index] = _face(both, rough.points_xy[index], presence)
    return found


def _face(second: Float[np.ndarray, "looks 468 2"], first: Float[np.ndarray, "468 2"], presence: float) -> MeshFace:
    points = second.mean(0)
    apart = np.linalg.norm(np.concatenate([second, first[None]]) - points, axis=-1).mean()
    eyes = np.linalg.norm(points[_RIGHT_CORNER] - points[_LEFT_CORNER])
    return MeshFace(points, presence, float(apart / max(float(eyes), 1e-6)))


def _window_of_mesh(points: Float[np.ndarray, "468 2"]) -> Matrix:
    return window_of_points(points, points[_RIGHT_CORNER] - points[_LEFT_CORNER])


def _looks(images: Sequence[Image], windows: Sequence[Matrix], device: str, *, flip: bool) -> _Looks:
    """What the network says of windows, as they are or mirrored, in pixels of the pictures."""
    network, size = _network(device), BATCH[device.partition(":")[0]]
    points, presence = [np.zeros((0, MESH_POINTS, 2))], [np.zeros(0)]
    for start in range(0, len(images), size):
        some = range(start, min(start + size, len(images)))
        pixels = np.stack([warp(images[index], windows[index], _WINDOW_PX) for index in some])
        raw, logits = network((pixels[:, :, ::-1] if flip else pixels).astype(np.float32))
        seen = _unflipped(raw, flip)
        backs = [invert_transform(windows[index]) for index in some]
        points.append(np.stack([apply_transform(back, each) for back, each in zip(backs, seen, strict=True)]))
        presence.append(1 / (1 + np.exp(-logits.reshape(-1).astype(np.float64))))
    return _Looks(np.concatenate(points), np.concatenate(presence))


def _unflipped(raw: Float32[np.ndarray, "n 1 1 values"], flip: bool) -> Float[np.ndarray, "n 468 2"]:
    """Points in the window as it was before it was mirrored; the depths that the network gives too are left out."""
    points = raw.reshape(len(raw), MESH_POINTS, 3)[..., :2].astype(np.float64)
    return points[:, _MIRRORED] * [-1, 1] + [_WINDOW_PX, 0] if flip else points


@cache
def _network(device: str) -> Network:
    return load_network(MESH, device)
