"""Makes model/landmarks/reference_face.json: mean landmarks of the ORL faces, by generalised Procrustes analysis."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mien.model.detection.dlib_detector import DlibDetector
from mien.model.images.codec import decode_rgb
from mien.model.landmarks.alignment import apply_transform, similarity_transform
from mien.model.landmarks.reference import REFERENCE_FILE
from mien.model.landmarks.schemes import mirror_indices
from mien.storage import list_images, read_source

SOURCE = "sample:orl"
ROUNDS = 10


def orl_landmarks() -> np.ndarray:
    """Landmarks of all faces that dlib finds: n × 68 × 2, source pixels."""
    detector = DlibDetector()
    found = [detector.find(decode_rgb(read_source(item.uri))) for item in list_images([SOURCE])]
    return np.array([faces[0].landmarks_xy for faces in found if faces], np.float64)


def mean_shape(faces: np.ndarray) -> np.ndarray:
    """The symmetric mean of shapes that are each brought onto it by a similarity transform."""
    mean = normalised(faces[0])
    for _ in range(ROUNDS):
        mean = np.mean([apply_transform(similarity_transform(face, mean), face) for face in faces], axis=0)
        mirrored = mean[list(mirror_indices())] * [-1, 1]
        mean = normalised((mean + mirrored) / 2)
    return mean


def normalised(shape: np.ndarray) -> np.ndarray:
    """Origin midway between the eye centres, which are 1 apart on a level."""
    eyes = np.array([shape[36:42].mean(0), shape[42:48].mean(0)])
    return apply_transform(similarity_transform(eyes, np.array([[-0.5, 0], [0.5, 0]])), shape)


def main() -> None:
    faces = orl_landmarks()
    content = {
        "scheme": "ibug68",
        "unit": "distance between the eye centres; origin midway between them",
        "source": f"mean of {len(faces)} AT&T (ORL) faces, landmarks by dlib, mirror-symmetric",
        "landmarks": mean_shape(faces).round(5).tolist(),
    }
    text = json.dumps(content).replace("], [", "],\n[").replace('"landmarks": [', '"landmarks": [\n')
    Path(REFERENCE_FILE).write_text(text + "\n")
    print(f"{REFERENCE_FILE.name}: mean of {len(faces)} faces")


if __name__ == "__main__":
    main()
