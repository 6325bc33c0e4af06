"""The lines that landmarks lie on, part by part: what to draw so that two lids or two lips stay apart."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from mien.model.landmarks import mediapipe_points as mesh
from mien.model.landmarks.parts import LandmarkScheme, Part


class Line(NamedTuple):
    """Landmarks in the order in which a line runs through them."""

    indices: tuple[int, ...]
    closed: bool = False
    """Whether the last is joined to the first."""


class Iris(NamedTuple):
    """A disc: its centre, and the points on its rim in the order of drawing."""

    centre: int
    rim: tuple[int, ...]


_LINES_68: dict[Part, tuple[Line, ...]] = {
    "jaw": (Line(tuple(range(17))),),
    "left_brow": (Line(tuple(range(17, 22))),),
    "right_brow": (Line(tuple(range(22, 27))),),
    "nose": (Line(tuple(range(27, 31))), Line(tuple(range(31, 36)))),
    "left_eye": (Line(tuple(range(36, 42)), closed=True),),
    "right_eye": (Line(tuple(range(42, 48)), closed=True),),
    "outer_lips": (Line(tuple(range(48, 60)), closed=True),),
    "inner_lips": (Line(tuple(range(60, 68)), closed=True),),
}

_JAW_106 = (*(1, 9, 10, 11, 12, 13, 14, 15, 16, 2, 3, 4, 5, 6, 7, 8), 0)
_LINES_106: dict[Part, tuple[Line, ...]] = {
    "jaw": (Line((*_JAW_106, *(24, 23, 22, 21, 20, 19, 18, 32, 31, 30, 29, 28, 27, 26, 25, 17))),),
    "left_brow": (Line((43, 48, 49, 51, 50, 46, 47, 45, 44), closed=True),),
    "right_brow": (Line((102, 103, 104, 105, 101, 100, 99, 98, 97), closed=True),),
    "nose": (Line((72, 73, 74, 86)), Line((75, 76, 77, 78, 79, 80, 85, 84, 83, 82, 81))),
    "left_eye": (Line((35, 41, 40, 42, 39, 37, 33, 36), closed=True),),
    "right_eye": (Line((89, 95, 94, 96, 93, 91, 87, 90), closed=True),),
    "outer_lips": (Line((52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55), closed=True),),
    "inner_lips": (Line((65, 66, 62, 70, 69, 57, 60, 54), closed=True),),
}

_LINES_478: dict[Part, tuple[Line, ...]] = {
    "jaw": (Line(mesh.JAW),),
    "left_brow": (Line(mesh.LEFT_BROW, closed=True),),
    "right_brow": (Line(mesh.mirrored(mesh.LEFT_BROW), closed=True),),
    "nose": (Line(mesh.NOSE_BRIDGE), Line(mesh.NOSE_BASE)),
    "left_eye": (Line(mesh.LEFT_LIDS, closed=True),),
    "right_eye": (Line(mesh.mirrored(mesh.LEFT_LIDS), closed=True),),
    "outer_lips": (Line(mesh.OUTER_LIPS, closed=True),),
    "inner_lips": (Line(mesh.INNER_LIPS, closed=True),),
}

_LINES: dict[LandmarkScheme, dict[Part, tuple[Line, ...]]] = {
    "ibug68": _LINES_68,
    "insightface106": _LINES_106,
    "mediapipe478": _LINES_478,
}


def contours(scheme: LandmarkScheme) -> dict[Part, tuple[Line, ...]]:
    """The lines of each part, in the order of `PARTS`."""
    return _LINES[scheme]


@cache
def irises(scheme: LandmarkScheme) -> dict[Part, Iris]:
    """The iris in each eye; empty for the schemes that have no rims of irises."""
    if scheme != "mediapipe478":
        return {}
    return {
        "left_eye": Iris(mesh.LEFT_IRIS[0], mesh.LEFT_IRIS[1:]),
        "right_eye": Iris(mesh.RIGHT_IRIS[0], mesh.RIGHT_IRIS[1:]),
    }
