"""A generated crop returned into the photo that its source was found in, at the photo's own resolution.

    photo ──crop──▶ source crop ──generator──▶ generated crop ──head──▶ face where the photo has it
      │                  │ up                                            │ up, colours matched
      └── detail = photo − up(source) ───────────────────────────────────▼
                             result = photo + M · ( up(generated) + w · detail − photo )

The rest of the body stays where it is in the photo, so the head has to, too: the generated crop is turned, scaled and
shifted by the similarity that takes the jaw line that was asked for back to the source's. It is the one by which the
motion generator moves what surrounds a face (`landmark_flow.py`), and so hair, ears and neck come to lie on themselves
again. What is left is what the face itself does, and a head's turn to the side or up as far as the crop shows it.

A crop is coarser than most photos. What it cannot hold, the detail, is taken from the photo wherever the generator
changed nothing (w near 1), so that skin and hair keep their grain; where it did (w near 0) the generated face stands
alone, since the detail of a closed mouth must not cover an open one. The mask M is soft and ends inside the crop; the
colours of the crop are matched along its border, so that the border does not show. An unchanged crop gives the photo.
"""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mien.model.landmarks.alignment import Matrix, apply_transform, by_centres, invert_transform, similarity_transform
from mien.model.landmarks.alignment import warp as align
from mien.model.landmarks.schemes import interocular_px
from mien.model.warping.landmark_flow import OUTLINE

Image = UInt8[np.ndarray, "height width 3"]
Plane = Float[np.ndarray, "height width"]

_GROWN = 0.35
"""How far the mask reaches beyond the landmarks, in inter-ocular distances; the forehead half as far again."""
_SOFT = 0.18
"""Width of the mask's border, likewise."""
_CHANGED = 10.0
"""Grey levels between source and generated crop where half of the photo's detail is left."""
_MIN_WEIGHT = 0.02
"""Weight of no difference in colour: where hardly anything on the border is alike in both, nothing is matched."""
_EDGE = 0.06
"""Share of the crop's side at its edges where nothing is pasted: there the crop's border may be repeated pixels."""


def paste_back(
    photo: Image,
    generated: UInt8[np.ndarray, "size size 3"],
    source_to_crop: Matrix,
    crop_size_px: int,
    source_xy: Float[np.ndarray, "68 2"],
    reached_xy: Float[np.ndarray, "68 2"],
) -> Image:
    """The photo with the generated face in it.

    `source_to_crop` takes the photo's coordinates to those of the source's crop, `crop_size_px` square; both sets of
    landmarks, of the source and of what the generated face shows, are in pixels of that crop.
    """
    size_px = generated.shape[0]
    to_crop = source_to_crop * (size_px / crop_size_px)
    left, top, right, bottom = _reach(photo, to_crop, size_px)
    if right <= left or bottom <= top:
        return photo.copy()
    here = photo[top:bottom, left:right].astype(np.float32)
    to_here = to_crop.copy()
    to_here[:, 2] += to_crop[:, :2] @ np.array([left, top], np.float64)
    shape = (bottom - top, right - left)

    source_xy, reached_xy = (
        np.asarray(points, np.float64) * (size_px / crop_size_px) for points in (source_xy, reached_xy)
    )
    head = similarity_transform(reached_xy[OUTLINE], source_xy[OUTLINE])
    to_generated = _after(to_here, invert_transform(head))
    source = align(photo, to_crop, size_px).astype(np.float32)
    returned = _up(generated.astype(np.float32), invert_transform(head), source.shape[:2])
    mask_small = _mask(size_px, (source_xy, apply_transform(head, reached_xy))) * _inside(size_px, head)
    correction = _correction(returned, source, mask_small)
    matched = returned + correction
    changed = np.abs(matched - source).max(2)
    changed = cv2.dilate(cv2.GaussianBlur(changed, (0, 0), size_px / 96), np.ones((3, 3), np.uint8))
    keeps_small = np.exp2(-((changed / _CHANGED) ** 2)).astype(np.float32)

    new = _up(generated.astype(np.float32), to_generated, shape) + _up(correction, to_here, shape)
    old, mask, keeps = (_up(each, to_here, shape) for each in (source, mask_small, keeps_small))
    mask, keeps = np.clip(mask, 0, 1)[..., None], np.clip(keeps, 0, 1)[..., None]
    inside = new + keeps * (here - old)
    result = photo.copy()
    result[top:bottom, left:right] = np.rint(here + mask * (inside - here)).clip(0, 255).astype(np.uint8)
    return result


def _reach(photo: Image, to_crop: Matrix, size_px: int) -> tuple[int, int, int, int]:
    """The part of the photo that the crop shows."""
    corners = np.array([[0, 0], [size_px, 0], [size_px, size_px], [0, size_px]], np.float64)
    there = apply_transform(invert_transform(to_crop), corners)
    left, top = (int(edge) for edge in np.floor(there.min(0)))
    right, bottom = (int(edge) for edge in np.ceil(there.max(0)))
    height, width = photo.shape[:2]
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _after(first: Matrix, second: Matrix) -> Matrix:
    """The transform that does the first, then the second."""
    return second @ np.vstack([first, [0.0, 0.0, 1.0]])


def _mask(size_px: int, shapes: tuple[np.ndarray, np.ndarray]) -> Plane:
    """1 over the face as it was and as it is now, 0 far from both, soft between."""
    mask = np.zeros((size_px, size_px), np.float32)
    unit = interocular_px(shapes[0], "ibug68")
    for points in shapes:
        brows = points[17:27]
        forehead = brows + (brows - points[27:31].mean(0)) * (0.8 * _GROWN)
        hull = cv2.convexHull(np.concatenate([points, forehead]).astype(np.float32))
        cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1.0)
    grown = max(1, round(unit * (_GROWN - _SOFT) * 0.5))
    mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1, 2 * grown + 1)))
    mask *= _ramp(size_px) >= 1  # so that its soft border lies inside, too
    mask = cv2.GaussianBlur(mask, (0, 0), max(unit * _SOFT / 2, 0.5), borderType=cv2.BORDER_CONSTANT)
    return (mask * _ramp(size_px)).astype(np.float32)


def _ramp(size_px: int) -> Plane:
    """0 at the edges of a crop, 1 farther in."""
    across = np.minimum(np.arange(size_px), np.arange(size_px)[::-1]) / max(1, round(_EDGE * size_px))
    across = across.clip(0, 1).astype(np.float32)
    return across[None] * across[:, None]


def _inside(size_px: int, head: Matrix) -> Plane:
    """1 where the returned crop shows what was generated, 0 where it has nothing to show, soft between."""
    to_generated = by_centres(invert_transform(head))
    return cv2.warpAffine(
        _ramp(size_px), to_generated, (size_px, size_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=0
    ).astype(np.float32)


def _correction(
    generated: Float[np.ndarray, "size size 3"], source: Float[np.ndarray, "size size 3"], mask: Plane
) -> Float[np.ndarray, "size size 3"]:
    """What gives the generated crop the source's colours along the mask's border, and less and less of that inside.

    The median difference of both along the border, and what is left of it, spread by a wide blur that counts only what
    lies there and shows the same in both: where a head has turned, hair has come where a cheek was, and the difference
    of these says nothing of colours.
    """
    border = (4 * mask * (1 - mask)).astype(np.float32)
    difference = source - generated
    there = border > 0.5
    shift = np.median(difference[there], axis=0) if there.any() else np.zeros(3)
    left = (difference - shift).astype(np.float32)
    alike = border * np.exp2(-((np.abs(left).max(2) / _CHANGED) ** 2))
    reach = mask.shape[0] / 8
    weight = cv2.GaussianBlur(alike, (0, 0), reach)
    off = cv2.GaussianBlur(left * alike[..., None], (0, 0), reach)
    return (shift + off / (weight + _MIN_WEIGHT)[..., None]).astype(np.float32)


def _up(
    plane: Float[np.ndarray, "size size *channels"], to_crop: Matrix, shape: tuple[int, int]
) -> Float[np.ndarray, "height width *channels"]:
    """A picture of the crop as the photo sees it."""
    finer = np.linalg.det(to_crop[:, :2]) > 1  # than the photo, where the face is small in it
    how = cv2.INTER_LINEAR if finer else cv2.INTER_CUBIC
    return cv2.warpAffine(
        plane,
        by_centres(to_crop),
        (shape[1], shape[0]),
        flags=how | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
