"""The scheme `mediapipe478`: the 468 vertices of MediaPipe's face mesh, then five points of each iris.

The mesh (Kartynnik et al. 2019) covers the face from the forehead to the chin; most of its vertices lie on cheeks and
forehead and belong to no part. Points 468 to 472 are the iris on the picture's left, 473 to 477 the other: the centre,
then the rim on the right, at the top, on the left and at the bottom, as the picture has it (Ablavatski et al. 2020).

All tables give the picture's left half and the middle; `mirrored` gives the other half.
"""

from __future__ import annotations

MESH_POINTS = 468
IRIS_POINTS = 5

LEFT_IRIS = tuple(range(MESH_POINTS, MESH_POINTS + IRIS_POINTS))
RIGHT_IRIS = tuple(range(MESH_POINTS + IRIS_POINTS, MESH_POINTS + 2 * IRIS_POINTS))

_MIDDLE = (0, 1, 2, 4, 5, 6, 8, 9, *range(10, 20), 94, 151, 152, 164, 168, 175, 195, 197, 199, 200)
"""Vertices of the mesh on the face's midline."""


def _mirror() -> tuple[int, ...]:
    """The vertices right of the midline are numbered in the order of those left of it."""
    left = [vertex for vertex in range(MESH_POINTS) if vertex not in _MIDDLE]
    half = len(left) // 2
    pairs = dict(zip(left[:half], left[half:], strict=True))
    swapped = {**pairs, **{right: left for left, right in pairs.items()}, **{vertex: vertex for vertex in _MIDDLE}}
    # Of an iris the right side of the rim becomes the left one.
    irises = (iris[place] for iris in (RIGHT_IRIS, LEFT_IRIS) for place in (0, 3, 2, 1, 4))
    return (*(swapped[vertex] for vertex in range(MESH_POINTS)), *irises)


MIRRORED = _mirror()
"""For each of the 478 points the one that it becomes when the picture is mirrored."""


def mirrored(points: tuple[int, ...]) -> tuple[int, ...]:
    """The points on the other half of the face."""
    return tuple(MIRRORED[point] for point in points)


def _through_middle(half: tuple[int, ...]) -> tuple[int, ...]:
    """A line from the picture's left side to the midline, and on to the right side."""
    return (*half, *reversed(mirrored(half[:-1])))


def _loop(upper: tuple[int, ...], lower: tuple[int, ...]) -> tuple[int, ...]:
    """A closed line of two edges that both run from the picture's left to its right and share their ends."""
    return (*upper, *reversed(lower[1:-1]))


LEFT_UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
"""From the outer corner of the eye to the inner one."""
LEFT_LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_LIDS = _loop(LEFT_UPPER_LID, LEFT_LOWER_LID)
LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
"""A closed line: the upper edge towards the nose, the lower edge back."""

JAW = _through_middle((127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152))
"""From ear to ear through the chin: the oval of the face without the forehead."""
NOSE_BRIDGE = (168, 6, 197, 195, 5, 4)
"""From between the eyes to the tip."""
NOSE_BASE = _through_middle((48, 64, 98, 97, 2))
"""From wing to wing below the nostrils."""
OUTER_LIPS = _loop(_through_middle((61, 185, 40, 39, 37, 0)), _through_middle((61, 146, 91, 181, 84, 17)))
INNER_LIPS = _loop(_through_middle((78, 191, 80, 81, 82, 13)), _through_middle((78, 95, 88, 178, 87, 14)))

_RINGS_OF_LIPS = (
    ((61, 146, 91, 181, 84, 17), (185, 40, 39, 37, 0)),
    ((78, 95, 88, 178, 87, 14), (191, 80, 81, 82, 13)),
    ((76, 77, 90, 180, 85, 16), (184, 74, 73, 72, 11)),
    ((62, 96, 89, 179, 86, 15), (183, 42, 41, 38, 12)),
)
"""Outer and inner border of the lips, and the two rings between: the lower half of each with its corner, the upper."""
REFINED_LIPS = tuple(point for ring in _RINGS_OF_LIPS for half in ring for point in _through_middle(half))
"""The points that the closer look at the lips gives, in its order."""
REFINED_LEFT_EYE = (
    *(*LEFT_LOWER_LID, *LEFT_UPPER_LID[1:-1]),
    *(130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190),
    *(226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189),
    *(35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245),
    *(156, 70, 63, 105, 66, 107, 55, 193),
)
"""Those that the closer look at the left eye gives: the lids, rings around them, and the brow."""

SEEN_CLOSER = (REFINED_LIPS, REFINED_LEFT_EYE, mirrored(REFINED_LEFT_EYE), LEFT_IRIS, RIGHT_IRIS)
"""Points that the network with attention sees closer, in the order of its outputs."""

_COMMON_LEFT: dict[int, tuple[tuple[int, ...], ...]] = {
    # The jaw's points divide the oval evenly.
    0: ((127,), (234,), (93, 132), (132, 58), (172,), (136,), (149,), (148, 176), (152,)),
    # Along the brow, above the middle of its hairs; its inner end between the edges.
    17: ((70,), (63,), (105, 66), (66, 107), (107, 55)),
    # The bridge from between the eyes to the tip; the base from the wing of the nose to the top of the philtrum.
    27: ((168,), (197,), (195, 5), (4,), (98, 99), (97,), (2, 164)),
    # Corners and thirds of the lids.
    36: ((33, 7), (160, 159), (158,), (133, 155), (153,), (144,)),
    # The mouth: its corner, the peak of the upper lip (50) and the middle, with what is halfway between.
    48: ((61,), (40, 39), (37,), (0, 11)),
    57: ((17,), (84,), (181, 91)),
    60: ((78, 62), (82,), (13,)),
    66: ((14,), (87,)),
}
"""Common points of the picture's left half and the middle, in runs by their first one: the vertices of which each is
the mean."""


def common_vertices(mirror_68: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """For each of the 68 common points the two vertices that it is midway between; they are one where it is a vertex.

    Args:
        mirror_68: For each common point the one that it becomes when the picture is mirrored.
    """
    left = {first + step: vertices for first, run in _COMMON_LEFT.items() for step, vertices in enumerate(run)}
    both = {**{mirror_68[point]: mirrored(vertices) for point, vertices in left.items()}, **left}
    return tuple((both[point][0], both[point][-1]) for point in range(len(mirror_68)))
