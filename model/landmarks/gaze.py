"""Where a face looks, in the picture: its irises between the corners of its eyes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mien.model.landmarks.contours import irises
from mien.model.landmarks.schemes import LandmarkScheme, to_common

_CORNERS = ((36, 39), (42, 45))
"""Of the left and the right eye, from left to right, among the 68 common landmarks."""


def gaze(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> Float[np.ndarray, "2 2"] | None:
    """For the left and the right eye the way from the middle between its corners to its iris, along the line through
    the corners and across it, in widths of the eye; None where the scheme has no irises.

    It does not change when the picture is moved, turned in its plane or scaled.
    """
    found = irises(scheme)
    if not found:
        return None
    centres = (found["left_eye"].centre, found["right_eye"].centre)
    common = to_common(landmarks_xy, scheme).astype(np.float64)
    out = np.empty((2, 2))
    for eye, ((left, right), centre) in enumerate(zip(_CORNERS, centres, strict=True)):
        along = common[right] - common[left]
        across = np.array([-along[1], along[0]])
        way = landmarks_xy[centre].astype(np.float64) - (common[left] + common[right]) / 2
        out[eye] = np.array([way @ along, way @ across]) / max(float(along @ along), 1e-12)
    return out
