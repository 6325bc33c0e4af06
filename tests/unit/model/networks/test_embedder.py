from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import dlib as dlib_package
import numpy as np
import pytest
import torch
from torch import Tensor

from mien.model.detection.crop import align_face
from mien.model.detection.detector import FoundFace
from mien.model.detection.dlib_detector import DlibDetector
from mien.model.errors import DetectorError, WeightsError
from mien.model.graphs import dlib_weights
from mien.model.graphs.dlib_weights import EMBEDDING, read_dlib_weights, weight_file
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.embedder import DlibEmbedder
from mien.model.warping.face_chip import CHIP_PX, chips
from tests.sample_faces import orl_photos

dlib: Any = dlib_package
Face = tuple[np.ndarray, FoundFace]


def identity_distance(a: Tensor, b: Tensor) -> Tensor:
    """‖a − b‖ of embeddings (batch × 128); dlib's author takes less than 0.6 for the same person."""
    return torch.linalg.vector_norm(a - b, dim=-1)


@pytest.fixture(scope="module")
def embedder() -> DlibEmbedder:
    return DlibEmbedder()


@pytest.fixture(scope="module")
def detector() -> DlibDetector:
    return DlibDetector()


@pytest.fixture(scope="module")
def faces(detector: DlibDetector) -> list[Face]:
    """Photos and the face in each."""
    found = [(photo, detector.find(photo)) for photo in orl_photos(40)[:12]]
    faces = [(photo, each[0]) for photo, each in found if each]
    assert len(faces) >= 11
    return faces


def image_and_points(photo: np.ndarray, face: FoundFace, size_px: int) -> tuple[Tensor, Tensor]:
    """The aligned crop in [-1, 1] and its landmarks in [-1, 1], one of each."""
    crop, landmarks, _ = align_face(photo, face, AlignmentSettings(size_px=size_px))
    image = torch.from_numpy(crop).permute(2, 0, 1).float() / 127.5 - 1
    return image[None], torch.from_numpy(landmarks / size_px * 2 - 1)[None]


def dlib_chip(window: np.ndarray, points: np.ndarray) -> np.ndarray:
    """dlib's chip for landmarks in whole pixels, counted from the first pixel's centre."""
    whole = dlib.rectangle(0, 0, window.shape[1], window.shape[0])
    found = dlib.full_object_detection(whole, [dlib.point(x, y) for x, y in points.astype(int).tolist()])
    return dlib.get_face_chip(window, found, size=CHIP_PX, padding=0.25)


def test_of_dlibs_chip_it_makes_dlibs_embedding(embedder: DlibEmbedder, faces: list[Face]) -> None:
    model = dlib.face_recognition_model_v1(str(weight_file(EMBEDDING)))
    pictures = [dlib_chip(photo, np.rint(face.landmarks_xy)) for photo, face in faces]
    want = np.array(model.compute_face_descriptor(pictures))
    got = embedder(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()).numpy()
    # Measured: 3e-7. Embeddings of different people lie 0.7 apart.
    assert np.abs(got - want).max() < 1e-5


@pytest.mark.parametrize("tilt", [0, 7])
def test_chips_are_those_of_dlib(faces: list[Face], tilt: int) -> None:
    size_px = 128
    for photo, face in faces[:4]:
        crop, landmarks, _ = align_face(photo, face, AlignmentSettings(size_px=size_px))
        pixels = np.rint(landmarks - 0.5)
        pixels[:, 1] += np.rint(pixels[:, 0] * tilt / 32)  # so that dlib has something to turn
        want = dlib_chip(crop, pixels).astype(np.float32)
        points = torch.from_numpy((pixels + 0.5) / size_px * 2 - 1).float()[None]
        image = torch.from_numpy(crop).permute(2, 0, 1).float()[None] / 127.5 - 1
        got = chips(image, points)[0].permute(1, 2, 0).numpy()
        inside = want.sum(-1) > 0  # dlib paints black what lies outside the image, we repeat the border
        assert inside.mean() > 0.7
        # Measured: 0.7, of which rounding down is 0.5 (see `face_chip.py`). One pixel off would be 3.5 and more.
        assert np.abs(got - want)[inside].mean() < 1


@pytest.mark.parametrize(("size_px", "most"), [(96, 0.12), (128, 0.05), (256, 0.05), (512, 0.05)])
def test_of_an_aligned_crop_it_makes_the_photos_embedding(
    embedder: DlibEmbedder, detector: DlibDetector, faces: list[Face], size_px: int, most: float
) -> None:
    images, points = zip(*(image_and_points(photo, face, size_px) for photo, face in faces), strict=True)
    got = embedder(chips(torch.cat(images), torch.cat(points)))
    want = torch.from_numpy(np.concatenate([detector.embed(photo, [face]) for photo, face in faces]))
    # Measured medians: 0.09 at 96 px, 0.03 at 128, 0.02 beyond; 0.6 is another person.
    assert identity_distance(got, want).median() < most


def test_the_gradient_reaches_the_image_and_is_the_right_one(faces: list[Face]) -> None:
    embedder = DlibEmbedder().double()
    image, points = (each.double() for each in image_and_points(*faces[0], 64))
    other = embedder(chips(*(each.double() for each in image_and_points(*faces[1], 64))))
    # A crop repeats border pixels exactly. Among equals a maximum has no derivative, so make them differ.
    random = torch.Generator().manual_seed(0)
    image += 1e-2 * torch.randn(image.shape, dtype=torch.float64, generator=random)
    image.requires_grad_()

    def distance(of: Tensor) -> Tensor:
        return identity_distance(embedder(chips(of, points)), other).sum()

    (gradient,) = torch.autograd.grad(distance(image), image)
    assert torch.isfinite(gradient).all()
    step = 1e-9  # with 1e-7 some rectifiers change their side
    for _ in range(4):
        towards = torch.randn(image.shape, dtype=torch.float64, generator=random)
        with torch.no_grad():
            slope = (distance(image + step * towards) - distance(image - step * towards)) / (2 * step)
        # Measured: 4e-7 apart, which is rounding.
        assert slope.item() == pytest.approx((gradient * towards).sum().item(), abs=5e-6)


def test_following_the_gradient_brings_a_person_nearer(embedder: DlibEmbedder, faces: list[Face]) -> None:
    image, points = image_and_points(*faces[0], 64)
    other = embedder(chips(*image_and_points(*faces[1], 64)))
    image.requires_grad_()
    before = identity_distance(embedder(chips(image, points)), other).sum()
    before.backward()
    assert image.grad is not None
    nearer = image.detach() - 2 * image.grad / image.grad.norm()
    assert identity_distance(embedder(chips(nearer, points)), other).item() < before.item() - 0.02


def test_its_weights_are_frozen(embedder: DlibEmbedder) -> None:
    assert sum(parameter.numel() for parameter in embedder.parameters()) > 5_000_000
    assert not any(parameter.requires_grad for parameter in embedder.parameters())


def test_in_bfloat16_it_is_about_the_same(embedder: DlibEmbedder, faces: list[Face]) -> None:
    image, points = image_and_points(*faces[0], 128)
    want = embedder(chips(image, points))
    with torch.autocast("cpu", torch.bfloat16):
        got = embedder(chips(image.bfloat16(), points)).float()
    assert identity_distance(got, want).item() < 0.05


def test_landmarks_that_are_all_one_give_a_finite_chip() -> None:
    image = torch.rand(2, 3, 64, 64, requires_grad=True)
    cut = chips(image, torch.zeros(2, 68, 2))
    cut.sum().backward()
    assert image.grad is not None
    assert torch.isfinite(cut).all()
    assert torch.isfinite(image.grad).all()


def test_missing_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_weights, "find_spec", lambda name: importlib.util.find_spec("no_such_package"))
    with pytest.raises(DetectorError, match="pip install 'mien"):
        DlibEmbedder()


@pytest.mark.parametrize("keep", [0, 300, 5000, 20_000_000, 22_400_000])
def test_a_file_that_ends_early_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / EMBEDDING
    path.write_bytes(weight_file(EMBEDDING).read_bytes()[:keep])
    with pytest.raises(WeightsError, match="reinstall"):
        read_dlib_weights(path)
