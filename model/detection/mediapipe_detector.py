"""Faces by MediaPipe's networks: BlazeFace finds them, the face mesh gives 478 landmarks; dlib's embedding.

The networks are files of the package `mediapipe`, whose code is not used; ONNX Runtime or torch runs them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, UInt8

from mien.model.detection.detector import FoundFace
from mien.model.detection.dlib_embedding import DlibEmbedding
from mien.model.detection.face_boxes import LEFT_EYE, RIGHT_EYE, Boxes, shared_part
from mien.model.detection.face_mesh import MeshFace, mesh_each, window_of_box, window_of_points
from mien.model.detection.face_views import Attempt, View, boxes_each
from mien.model.detection.licences import APACHE, WeightsLicence
from mien.model.errors import DetectorError
from mien.model.graphs.dlib_weights import EMBEDDING, weight_file
from mien.model.graphs.mediapipe_files import FILES, FULL_RANGE, INSTALL, SHORT_RANGE, folder, network_of
from mien.model.landmarks.alignment import Matrix
from mien.model.landmarks.mediapipe_points import MESH_POINTS
from mien.model.landmarks.mesh_pose import mesh_pose
from mien.model.landmarks.schemes import LandmarkScheme, to_common

Image = UInt8[np.ndarray, "_ _ 3"]

_LARGE_PX = 400
"""A picture whose longer side is this at least may show small faces beside large ones."""
_WHOLE = Attempt("whole", SHORT_RANGE, border=0.1)
_FURTHER = Attempt("further", FULL_RANGE)
_TILES = Attempt("tiles", SHORT_RANGE, face_px=40, max_tiles=6)
IN_SMALL_PICTURES = ((_WHOLE,), (_FURTHER,))
IN_LARGE_PICTURES = ((_WHOLE, _TILES), (_FURTHER,))
WHERE_NONE_IS_FOUND = (
    (Attempt("framed", SHORT_RANGE, border=0.25),),
    (Attempt("small tiles", SHORT_RANGE, face_px=30, max_tiles=16),),
)
"""Tried in this order until a face is found; attempts in one bracket are made together. The first finds faces from an
eighth of a picture's longer side, the tiles most of 40 px in pictures of up to 1,200 px, and in larger ones those of a
30th of the longer side. Where no other face is, the last finds those of 30 px, or of an 80th of the longer side.
`python -m benchmarks.detectors` counts them."""

_SAME_FACE = 0.5
"""Two meshes of which one lies with this share of its area in the other are of one face, or of it and a part of it."""
_MAX_SCATTER = 0.15
"""Where the looks lie further apart there is no face, whatever presence the network says."""

_COMPUTATION = "mesh1"
"""Of the version: other windows or other looks give other landmarks from the same weights."""


class MediaPipeDetector:
    """Implements `FaceDetector`, and finds, looks where it is asked and embeds many faces at once.

    Args:
        device: `cpu`, `cuda` or `cuda:N`.

    Raises:
        DetectorError: a package with weights, or what reads them, is not installed.
        DeviceError: no device has such a name.
    """

    name = "mediapipe"
    landmark_scheme: LandmarkScheme = "mediapipe478"
    same_person_similarity = DlibEmbedding.same_person_similarity
    group_similarity = DlibEmbedding.group_similarity

    def __init__(self, device: str = "cpu") -> None:
        check_files()
        self.device = device
        self._embedding = DlibEmbedding(device)

    @property
    def weights_licences(self) -> dict[str, WeightsLicence]:
        """Terms of the weights."""
        return {**{file.name: APACHE for file in FILES}, **self._embedding.weights_licences}

    @property
    def version(self) -> str:
        """Hashes of the weights, and the way that they are computed with."""
        hashes = "-".join(file.sha256[:8] for file in FILES)
        return f"mediapipe-{_COMPUTATION}-{hashes}-{self._embedding.version}"

    def load_weights(self) -> None:
        """Loads all weights now, so that nobody waits for them later.

        Raises:
            DetectorError, WeightsError: a file is missing, damaged or of another version.
            DeviceError: this process has no such device.
        """
        for file in FILES:
            network_of(file, self.device)
        self._embedding.load_weights()

    def find(self, image: Image) -> list[FoundFace]:
        """Faces of an RGB picture, the largest first, from the first attempts that find any."""
        return self.find_each([image])[0]

    def find_each(self, images: Sequence[Image]) -> list[list[FoundFace]]:
        """As `find`, for several pictures."""
        found: list[list[FoundFace]] = [[] for _ in images]
        for round_ in range(max(len(_rounds(image)) for image in images) if images else 0):
            left = [index for index, image in enumerate(images) if not found[index] and round_ < len(_rounds(image))]
            attempts = [_rounds(images[index])[round_] for index in left]
            faces = self._faces_each([images[index] for index in left], attempts)
            for index, each in zip(left, faces, strict=True):
                found[index] = each
        return found

    def _faces_each(self, images: Sequence[Image], attempts: Sequence[Sequence[Attempt]]) -> list[list[FoundFace]]:
        """The faces that one round of attempts finds in each picture."""
        views: list[list[View]] = [
            [view for attempt in each for view in attempt.views(image)]
            for image, each in zip(images, attempts, strict=True)
        ]
        windows = [_windows(boxes) for boxes in boxes_each(images, views, self.device)]
        ways = ["+".join(attempt.name for attempt in each) for each in attempts]
        return self.faces_in(images, windows, [f"{self.name} {way}" for way in ways])

    def faces_in(
        self, images: Sequence[Image], windows: Sequence[Sequence[Matrix]], found_by: Sequence[str]
    ) -> list[list[FoundFace]]:
        """The faces that windows frame in each picture (`face_mesh.window_of_box`): each once, the largest first.

        Args:
            images: RGB pictures.
            windows: So many of each as may frame a face.
            found_by: Of each picture, who has found the windows.
        """
        owners = [index for index, each in enumerate(windows) for _ in each]
        flat = [window for each in windows for window in each]
        found: list[list[FoundFace]] = [[] for _ in images]
        for index, mesh in zip(owners, mesh_each([images[index] for index in owners], flat, self.device), strict=True):
            if mesh is not None and mesh.scatter <= _MAX_SCATTER:
                found[index].append(_found(mesh, found_by[index]))
        return [_each_once(each) for each in found]

    def look_each(self, images: Sequence[Image], points: Sequence[Float[np.ndarray, "68 2"]]) -> list[FoundFace | None]:
        """The face in each picture whose common landmarks are about where the points are; None where there is none.

        The points only frame the first look.
        """
        windows = [window_of_points(each, each[45] - each[36]) for each in points]
        meshes = mesh_each(images, windows, self.device)
        return [_found(mesh, f"{self.name} asked") if mesh is not None else None for mesh in meshes]

    def embed(self, image: Image, faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n 128"]:
        """Embeddings of faces that were found in this picture, with landmarks of any scheme."""
        return self.embed_each([image] * len(faces), faces)

    def embed_each(self, images: Sequence[Image], faces: Sequence[FoundFace]) -> Float32[np.ndarray, "n 128"]:
        """As `embed`, for one face in each of several pictures."""
        return self._embedding.embed_each(images, [to_common(face.landmarks_xy, face.scheme) for face in faces])

    def similarity(
        self, first: Float[np.ndarray, "*batch d"], second: Float[np.ndarray, "*batch d"]
    ) -> Float[np.ndarray, "*batch"]:
        """1 − Euclidean distance, so that dlib's customary 0.6 becomes 0.4."""
        return self._embedding.similarity(first, second)


def check_files() -> None:
    """Raises DetectorError unless all weights are installed; whether they are the right ones shows when they load."""
    missing = [file.path for file in FILES if not (folder() / file.path).is_file()]
    if missing:
        raise DetectorError(f"{missing[0]} is not in the package mediapipe: {INSTALL}")
    try:
        weight_file(EMBEDDING)
    except DetectorError as error:
        raise DetectorError(INSTALL) from error


def _rounds(image: Image) -> tuple[tuple[Attempt, ...], ...]:
    first = IN_LARGE_PICTURES if max(image.shape[:2]) >= _LARGE_PX else IN_SMALL_PICTURES
    return (*first, *WHERE_NONE_IS_FOUND)


def _windows(boxes: Boxes) -> list[Matrix]:
    return [
        window_of_box(edges, points[LEFT_EYE], points[RIGHT_EYE])
        for edges, points in zip(boxes.edges, boxes.points, strict=True)
    ]


def _found(mesh: MeshFace, by: str) -> FoundFace:
    face = mesh.points_xy[:MESH_POINTS]
    (left, top), (right, bottom) = face.min(0).tolist(), face.max(0).tolist()
    return FoundFace(
        (left, top, right, bottom),
        mesh.presence,
        mesh.points_xy.astype(np.float32),
        "mediapipe478",
        found_by=by,
        landmark_scatter=mesh.scatter,
        pose=mesh_pose(np.column_stack([face, mesh.depths])),
    )


def _each_once(faces: list[FoundFace]) -> list[FoundFace]:
    """Of those that share a place the one on which the looks agree best; the largest first."""
    kept: list[FoundFace] = []
    for face in sorted(faces, key=lambda each: each.landmark_scatter or 0.0):
        others = np.array([other.bbox_xyxy for other in kept]).reshape(-1, 4)
        if not (shared_part(np.array(face.bbox_xyxy), others) >= _SAME_FACE).any():
            kept.append(face)
    return sorted(kept, key=lambda each: -each.area_px)
