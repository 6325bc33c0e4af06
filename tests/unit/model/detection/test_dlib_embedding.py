"""The embedding is dlib's, computed without dlib: `dlib` is imported here as the reference alone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import dlib as dlib_package
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mien.model.detection.dlib_embedding import BATCH, DlibEmbedding
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError, DeviceError
from mien.model.graphs import dlib_weights
from mien.model.graphs.dlib_weights import EMBEDDING, weight_file
from mien.model.landmarks.alignment import apply_transform, warp
from mien.model.landmarks.face_chip import cut_chips
from mien.model.landmarks.schemes import interocular_px
from mien.model.networks.embedder import DlibEmbedder
from mien.model.warping.face_chip import chips
from tests.sample_faces import orl_photos

dlib: Any = dlib_package
Face = tuple[np.ndarray, np.ndarray]
WINDOW_PX = 320


@pytest.fixture(scope="module")
def embedding() -> DlibEmbedding:
    return DlibEmbedding()


@pytest.fixture(scope="module")
def faces() -> list[Face]:
    """Photos and the landmarks of the face in each."""
    detector = load_detector("dlib")
    return [(photo, found[0].landmarks_xy) for photo in orl_photos(40) if (found := detector.find(photo))]


def by_dlib(photo: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """dlib's own embedding. It takes landmarks in whole pixels: so of a window in which the face is large."""
    scale = 90 / interocular_px(landmarks, "ibug68")
    matrix = np.column_stack([np.eye(2) * scale, WINDOW_PX / 2 - scale * landmarks.mean(0)])
    pixels = np.rint(apply_transform(matrix, landmarks.astype(np.float64)) - 0.5).astype(int).tolist()
    whole = dlib.rectangle(0, 0, WINDOW_PX, WINDOW_PX)
    found = dlib.full_object_detection(whole, [dlib.point(x, y) for x, y in pixels])
    chip = dlib.get_face_chip(warp(photo, matrix, WINDOW_PX), found, size=150, padding=0.25)
    model = dlib.face_recognition_model_v1(str(weight_file(EMBEDDING)))
    return np.array(model.compute_face_descriptor(chip))


def test_it_is_the_embedding_of_dlib(embedding: DlibEmbedding, faces: list[Face]) -> None:
    some = faces[:12]
    apart = np.linalg.norm(embedding.embed_each(*zip(*some, strict=True)) - [by_dlib(*face) for face in some], axis=1)
    # Measured: 0.025, at most 0.035; 0.6 is another person. dlib cuts its chips from a window and rounds them down.
    assert np.median(apart) < 0.03
    assert apart.max() < 0.045


def test_it_tells_people_apart(embedding: DlibEmbedding, faces: list[Face]) -> None:
    """A mirrored photo of everyone is nearer than everyone else."""
    one = embedding.embed_each(*zip(*faces, strict=True))
    detector = load_detector("dlib")
    mirrored = [np.ascontiguousarray(photo[:, ::-1]) for photo, _ in faces]
    found = [detector.find(photo) for photo in mirrored]
    seen = [index for index, each in enumerate(found) if each]
    other = embedding.embed_each([mirrored[i] for i in seen], [found[i][0].landmarks_xy for i in seen])
    alike = embedding.similarity(*np.broadcast_arrays(one[seen][:, None], other[None]))
    same = np.eye(len(seen), dtype=bool)
    assert roc_auc_score(same.ravel(), alike.ravel()) > 0.99
    assert np.median(alike[same]) > embedding.group_similarity > embedding.same_person_similarity


def test_a_face_has_the_same_bits_whichever_are_with_it(embedding: DlibEmbedding, faces: list[Face]) -> None:
    assert len(faces) > 2 * BATCH
    together = embedding.embed_each(*zip(*faces, strict=True))
    for size in (1, 3, BATCH, BATCH + 1):
        parts = [embedding.embed_each(*zip(*faces[at : at + size], strict=True)) for at in range(0, len(faces), size)]
        assert np.array_equal(np.concatenate(parts), together)
    backwards = embedding.embed_each(*zip(*faces[::-1], strict=True))
    assert np.array_equal(backwards[::-1], together)


def test_the_network_of_the_training_gives_the_same(embedding: DlibEmbedding, faces: list[Face]) -> None:
    """Of the same chip within 1e-5; of its own chip, which is cut elsewhere, about."""
    photos, landmarks = zip(*faces[:6], strict=True)
    network, of_photos = DlibEmbedder(), embedding.embed_each(photos, landmarks)
    cut = torch.from_numpy(cut_chips(photos, landmarks)).permute(0, 3, 1, 2).float()
    np.testing.assert_allclose(network(cut).numpy(), of_photos, atol=1e-5)
    sides = np.array(photos[0].shape[1::-1])
    images = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 127.5 - 1
    points = torch.from_numpy(np.stack(landmarks) / sides * 2 - 1).float()
    square = torch.nn.functional.pad(images, (0, 112 - 92, 0, 0), mode="replicate")
    points[..., 0] = (points[..., 0] + 1) * 92 / 112 - 1
    apart = np.linalg.norm(network(chips(square, points)).numpy() - of_photos, axis=1)
    assert apart.max() < 0.1  # measured: 0.05; enlarged there by bilinear, here by cubic sampling


def test_no_faces_give_no_rows(embedding: DlibEmbedding) -> None:
    assert embedding.embed_each([], []).shape == (0, 128)


def test_landmarks_that_are_all_one_give_a_finite_embedding(embedding: DlibEmbedding) -> None:
    made = embedding.embed_each([np.zeros((40, 30, 3), np.uint8)], [np.full((68, 2), 7.0)])
    assert np.isfinite(made).all()


def test_it_needs_neither_dlib_nor_torch() -> None:
    code = (
        "import sys; sys.modules['dlib'] = None; import numpy as np\n"
        "from mien.model.detection.dlib_embedding import DlibEmbedding\n"
        "points = np.random.default_rng(0).uniform(20, 80, (68, 2))\n"
        "assert DlibEmbedding().embed_each([np.zeros((99, 99, 3), np.uint8)], [points]).shape == (1, 128)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_says_what_it_is(embedding: DlibEmbedding) -> None:
    assert [licence.commercial for licence in embedding.weights_licences.values()] == [True]
    assert embedding.version == DlibEmbedding().version
    assert load_detector("dlib").version.endswith(embedding.version)


def test_a_device_that_has_no_such_name_is_refused() -> None:
    with pytest.raises(DeviceError, match="use cpu, cuda or cuda:N"):
        DlibEmbedding("gpu")


def test_missing_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_weights, "find_spec", lambda name: importlib.util.find_spec("no_such_package"))
    with pytest.raises(DetectorError, match="pip install 'mien"):
        DlibEmbedding()
