"""Head pose by the mesh beside that of six common landmarks; and the mesh's reference.

python -m benchmarks.head_pose [--set NAME=FOLDER …] [--frames FOLDER]

The first lines are the table of `model/landmarks/mesh_pose.py`, from the AT&T (ORL) faces, and by how much it was
turned for the pitch. Then, for these faces and for each folder of photos per person, how well three ways agree: the
mesh in space, and `pose_degrees` of the mesh's and of dlib's landmarks. Photos are looked at mirrored and turned too.
"Foreshortening": between photos of one person the distance of the outer eye corners over the length of the nose, both
of dlib's landmarks, should change with the cosine of the yaw. The factor of the yaw that explains it best is 1 if the
yaw has the right size; "left" is the share of the variance that is then left.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from benchmarks.clip_frames import take_frames
from benchmarks.detectors import Photos, head, orl, photos_by_person, row
from mien.model.detection.detector import FaceDetector, FoundFace
from mien.model.detection.face_mesh import MeshFace, mesh_each, window_of_points
from mien.model.detection.load import load_detector
from mien.model.landmarks.mediapipe_points import MESH_POINTS, MIRRORED
from mien.model.landmarks.mesh_pose import rigid_vertices, rotation_onto
from mien.model.landmarks.pose import Pose, pose_of_rotation
from mien.model.landmarks.schemes import mouth_opening, to_common
from mien.model.quality.measures import pose_degrees

_ROUNDS = 10
_FRAMES = 4
_TURN = 30.0
_GAINS = np.arange(0.3, 1.8, 0.05)
_OUTER_EYES, _NOSE = (36, 45), (27, 33)


class Looked(NamedTuple):
    """A photo's largest face, by the mesh and by dlib, and what is seen of it mirrored and turned in the picture."""

    person: str
    mesh: Float[np.ndarray, "468 3"]
    face: FoundFace
    by_dlib: FoundFace
    mirrored: FoundFace
    turned: FoundFace


def look(photos: Photos, people: list[str]) -> Iterator[Looked]:
    """The photos on which all looks find a face."""
    mediapipe, dlib = load_detector("mediapipe"), load_detector("dlib")
    for photo, person in zip(photos, people, strict=True):
        changed = (np.ascontiguousarray(photo[:, ::-1]), turned(photo))
        seen = [_largest(mediapipe, photo), _largest(dlib, photo), *(_largest(mediapipe, each) for each in changed)]
        face, by_dlib, mirrored, in_plane = seen
        if face and by_dlib and mirrored and in_plane and (mesh := spatial(photo, face)) is not None:
            yield Looked(person, mesh, face, by_dlib, mirrored, in_plane)


def _largest(detector: FaceDetector, photo: np.ndarray) -> FoundFace | None:
    return next(iter(detector.find(photo)), None)


def turned(photo: np.ndarray) -> np.ndarray:
    """The photo turned clockwise, in a square that holds all of it."""
    height, width = photo.shape[:2]
    side = round(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -_TURN, 1)
    matrix[:, 2] += [(side - width) / 2, (side - height) / 2]
    return cv2.warpAffine(photo, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def spatial(photo: np.ndarray, face: FoundFace) -> Float[np.ndarray, "468 3"] | None:
    """The mesh of a face that was found, with depths."""
    points = to_common(face.landmarks_xy, face.scheme).astype(np.float64)
    mesh: MeshFace | None = mesh_each([photo], [window_of_points(points, points[45] - points[36])], "cpu")[0]
    return None if mesh is None else np.column_stack([mesh.points_xy[:MESH_POINTS], mesh.depths])


def reference(meshes: Float[np.ndarray, "n 468 3"]) -> Float[np.ndarray, "v 3"]:
    """The symmetric mean of the rigid vertices: their eye corners 1 apart and level, the origin between them."""
    vertices = rigid_vertices()
    other = [vertices.index(MIRRORED[vertex]) for vertex in vertices]
    faces = meshes[:, list(vertices)]
    faces = np.concatenate([faces, faces[:, other] * [-1, 1, 1]])
    faces -= faces.mean(1, keepdims=True)
    faces /= np.linalg.norm(faces, axis=(1, 2), keepdims=True)
    mean = faces[0]
    for _ in range(_ROUNDS):
        mean = np.mean([face @ rotation_onto(face, mean).T for face in faces], axis=0)
        mean = (mean + mean[other] * [-1, 1, 1]) / 2
    left, right = vertices.index(33), vertices.index(263)
    return (mean - (mean[left] + mean[right]) / 2) / np.linalg.norm(mean[right] - mean[left])


def about_x(degrees: float) -> Float[np.ndarray, "3 3"]:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def print_reference(looked: list[Looked]) -> None:
    """The table, turned so that the mean pitch is that of dlib's landmarks."""
    meshes = np.array([each.mesh for each in looked])
    points, asked = reference(meshes), np.mean([by_landmarks(each.by_dlib).pitch for each in looked])
    vertices, degrees = list(rigid_vertices()), 0.0
    for _ in range(_ROUNDS):
        poses = [pose_of_rotation(rotation_onto(points @ about_x(degrees).T, mesh[vertices])).pitch for mesh in meshes]
        degrees += float(np.mean(poses) - asked)
    print(f"turned by {degrees:.2f} degrees about x, for a mean pitch of {asked:.2f}")
    for vertex, (x, y, z) in zip(vertices, (points @ about_x(degrees).T).round(4).tolist(), strict=True):
        if x <= 0:
            print(f"    {vertex}: ({x + 0.0}, {y}, {z}),")


def by_landmarks(face: FoundFace) -> Pose:
    return pose_degrees(face.landmarks_xy, face.scheme)


def by_detector(face: FoundFace) -> Pose:
    assert face.pose is not None
    return face.pose


def within(values: Float[np.ndarray, " n"], people: np.ndarray) -> Float[np.ndarray, " n"]:
    """Differences from each person's mean."""
    return values - np.array([values[people == person].mean() for person in people])


def foreshortening(pose: Float[np.ndarray, "n 3"], looked: list[Looked], people: np.ndarray) -> tuple[float, float]:
    """Factor of the yaw, and the share of the variance that is left, with the pitch and its square taken off too."""
    points = np.array([each.by_dlib.landmarks_xy for each in looked], np.float64)
    widths, heights = (np.linalg.norm(points[:, one] - points[:, other], axis=1) for one, other in (_OUTER_EYES, _NOSE))
    seen = within(np.log(widths / heights), people)
    pitch = np.column_stack([within(pose[:, 1] ** power, people) for power in (1, 2)])

    def left(gain: float) -> float:
        turn = np.radians(np.clip(gain * pose[:, 0], -85, 85))
        rest = seen - within(np.log(np.cos(turn)), people)
        rest -= pitch @ np.linalg.lstsq(pitch, rest, rcond=None)[0]
        return float((rest**2).sum() / (seen**2).sum())

    best = min(_GAINS, key=left)
    return float(best), left(best)


def compare(name: str, looked: list[Looked]) -> None:
    people = np.array([each.person for each in looked])
    of_dlib = np.array([by_landmarks(each.by_dlib) for each in looked])
    for way, measure in (("mesh in space", by_detector), ("mesh, six points", by_landmarks)):
        pose, mirrored, in_plane = (
            np.array([measure(face) for face in faces])
            for faces in zip(*((each.face, each.mirrored, each.turned) for each in looked), strict=True)
        )
        apart = np.abs(pose + mirrored * [1, -1, 1])
        again = f"{np.abs(in_plane - pose - [0, 0, _TURN])[:, 2].mean():.2f}"
        both = [f"{median:.2f} ({most:.2f})" for median, most in np.quantile(apart[:, [0, 2]], (0.5, 0.99), axis=0).T]
        print_row(name, way, pose, of_dlib, [*both, again], looked, people)
    print_row(name, "dlib, six points", of_dlib, of_dlib, ["-"] * 3, looked, people)


def print_row(
    name: str,
    way: str,
    pose: Float[np.ndarray, "n 3"],
    of_dlib: Float[np.ndarray, "n 3"],
    changed: list[str],
    looked: list[Looked],
    people: np.ndarray,
) -> None:
    alike = " ".join(f"{np.corrcoef(pose[:, axis], of_dlib[:, axis])[0, 1]:.3f}" for axis in range(3))
    of_mouth = [each.by_dlib if way.startswith("dlib") else each.face for each in looked]
    mouth = within(np.array([mouth_opening(face.landmarks_xy, face.scheme) for face in of_mouth]), people)
    pitch = within(pose[:, 1], people)
    by_mouth = (f"{np.corrcoef(mouth, pitch)[0, 1]:.2f}", f"{np.polyfit(mouth, pitch, 1)[0]:.1f}")
    spread = " ".join(f"{value:.1f}" for value in pose.std(0))
    size = [f"{value:.2f}" for value in foreshortening(pose, looked, people)]
    row(name, len(looked), way, spread, alike, *changed, *by_mouth, *size)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", action="append", default=[], help="NAME=FOLDER; repeat for more.")
    parser.add_argument("--frames", type=Path)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    looked = {"ORL": list(look(*orl()))}
    print_reference(looked["ORL"])
    for name, folder in (each.split("=", 1) for each in asked.set):
        looked[name] = list(look(*photos_by_person(Path(folder))))
    if asked.frames:
        with tempfile.TemporaryDirectory() as work:
            looked["frames of clips"] = list(look(*photos_by_person(take_frames(asked.frames, Path(work), _FRAMES))))
    head(
        *("photos", "faces", "pose by", "spread: yaw, pitch, roll", "with dlib's: r of yaw, pitch, roll"),
        *("mirrored: yaw apart, median (99%)", "roll", f"turned by {_TURN:.0f}°: roll apart"),
        *("pitch with the mouth's opening: r", "degrees", "foreshortening: factor", "left"),
    )
    for name, each in looked.items():
        compare(name, each)


if __name__ == "__main__":
    main()
