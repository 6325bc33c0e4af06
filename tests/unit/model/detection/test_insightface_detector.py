"""InsightFace with a real SCRFD, and with tiny models of the signatures of 2d106det and ArcFace.

The SCRFD weights are not part of this project: they are looked for where MIEN_TEST_SCRFD says.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.model.detection.detector import FaceDetector, FoundFace, embed_each, find_each
from mien.model.detection.load import load_detector
from mien.model.landmarks.alignment import apply_transform, warp
from mien.model.landmarks.schemes import five_points, interocular_px
from tests.paths import SHARED
from tests.sample_faces import orl_photos

SCRFD = Path(os.environ.get("MIEN_TEST_SCRFD", SHARED / "models/scrfd_2.5g_kps.onnx"))
needs_scrfd = pytest.mark.skipif(not SCRFD.is_file(), reason="no SCRFD weights: set MIEN_TEST_SCRFD to their .onnx")


def save_tiny(path: Path, side_px: int, weights: np.ndarray) -> None:
    """A network of the given input side: the mean colour of the picture, times `weights` (3 × outputs)."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["fc1"]),
    ]
    bias = np.linspace(-0.9, 0.9, weights.shape[1]).astype(np.float32)[None]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["None", 3, side_px, side_px])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, weights.shape[1]])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)


@pytest.fixture(scope="module")
def scrfd_only(tmp_path_factory: pytest.TempPathFactory) -> FaceDetector:
    folder = tmp_path_factory.mktemp("scrfd")
    shutil.copy(SCRFD, folder)
    return load_detector(f"insightface:{folder}")


@pytest.fixture(scope="module")
def whole_pack(tmp_path_factory: pytest.TempPathFactory) -> FaceDetector:
    folder = tmp_path_factory.mktemp("packs") / "tiny"
    folder.mkdir()
    shutil.copy(SCRFD, folder / "det.onnx")
    save_tiny(folder / "2d106det.onnx", 192, np.zeros((3, 212), np.float32))
    save_tiny(folder / "w600k.onnx", 112, np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32))
    return load_detector(f"insightface:{folder.parent}")  # as some packs are zipped, with their folder


@needs_scrfd
def test_a_pack_without_landmarks_takes_those_of_dlib(
    scrfd_only: FaceDetector, capfd: pytest.CaptureFixture[str]
) -> None:
    dlib = load_detector("dlib")
    for photo in orl_photos(40)[:10]:
        (face,) = scrfd_only.find(photo)
        (other,) = dlib.find(photo)
        assert face.scheme == scrfd_only.landmark_scheme == "ibug68"
        apart = np.linalg.norm(face.landmarks_xy - other.landmarks_xy, axis=1).mean()
        assert apart < 0.08 * interocular_px(other.landmarks_xy, "ibug68")
    assert scrfd_only.embed(photo, [face]).shape == (1, 128)
    assert scrfd_only.same_person_similarity == dlib.same_person_similarity
    assert scrfd_only.version.endswith(dlib.version)
    assert dlib.weights_licences.items() < scrfd_only.weights_licences.items()
    assert capfd.readouterr() == ("", "")


@needs_scrfd
@pytest.mark.parametrize("degrees", [-35, 35])
def test_turned_faces_have_turned_landmarks(scrfd_only: FaceDetector, degrees: float) -> None:
    photo = orl_photos(40)[0]
    (face,) = scrfd_only.find(photo)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0]])
    turn[:, 2] = [80, 80] - turn[:, :2] @ [46, 56]
    (turned,) = scrfd_only.find(warp(photo, turn, 160))
    apart = np.linalg.norm(turned.landmarks_xy - apply_transform(turn, face.landmarks_xy), axis=1).mean()
    assert apart < 0.06 * interocular_px(face.landmarks_xy, face.scheme)


@needs_scrfd
def test_a_whole_pack_needs_no_dlib(whole_pack: FaceDetector, capfd: pytest.CaptureFixture[str]) -> None:
    photo = orl_photos(40)[0]
    (face,) = whole_pack.find(photo)
    assert face.scheme == whole_pack.landmark_scheme == "insightface106"
    assert face.landmarks_xy.shape == (106, 2)
    # The tiny network answers −0.9 … 0.9 of the half side of a square 1.5 times the box, around its centre.
    left, top, right, bottom = face.bbox_xyxy
    half = 0.75 * max(right - left, bottom - top)
    centre = np.array([left + right, top + bottom]) / 2
    expected = centre + half * np.linspace(-0.9, 0.9, 212).reshape(106, 2)
    assert np.abs(face.landmarks_xy - expected).max() < 1
    assert "dlib" not in whole_pack.version
    assert len(whole_pack.weights_licences) == 3
    assert capfd.readouterr() == ("", "")


@needs_scrfd
@pytest.mark.parametrize("pack", ["scrfd_only", "whole_pack"])
def test_pictures_together_have_the_same_faces_as_alone(pack: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(pack)
    photos = [*orl_photos(40)[:4], np.zeros((40, 40, 3), np.uint8), np.hstack(orl_photos(40)[5:7])]
    together = find_each(detector, photos)
    alone = [detector.find(photo) for photo in photos]
    assert [len(faces) for faces in together] == [1, 1, 1, 1, 0, 2]
    for one, other in zip([f for faces in together for f in faces], [f for faces in alone for f in faces], strict=True):
        assert (one.bbox_xyxy, one.score, one.found_by) == (other.bbox_xyxy, other.score, other.found_by)
        assert np.array_equal(one.landmarks_xy, other.landmarks_xy)
    of_each = [(photo, face) for photo, faces in zip(photos, together, strict=True) for face in faces]
    embeddings = embed_each(detector, *zip(*of_each, strict=True))
    assert np.array_equal(embeddings, [detector.embed(photo, [face])[0] for photo, face in of_each])


@needs_scrfd
def test_embeddings_have_unit_length_and_are_compared_by_their_cosine(whole_pack: FaceDetector) -> None:
    photo = orl_photos(40)[0]
    found = whole_pack.find(photo)
    embedding = whole_pack.embed(photo, found)
    assert embedding.shape == (1, 512)
    assert np.linalg.norm(embedding) == pytest.approx(1)
    assert whole_pack.similarity(embedding, 3 * embedding) == pytest.approx(1)
    assert whole_pack.similarity(embedding, -embedding) == pytest.approx(-1)
    assert whole_pack.embed(photo, []).shape == (0, 512)
    # A face of which only landmarks are known is aligned by the five points that follow from them.
    face = found[0]
    known = FoundFace(face.bbox_xyxy, face.score, face.landmarks_xy, face.scheme)
    assert whole_pack.embed(photo, [known]).shape == (1, 512)


@needs_scrfd
def test_faces_that_fill_the_picture_and_small_ones_are_found(scrfd_only: FaceDetector) -> None:
    photo = orl_photos(40)[4]
    (face,) = scrfd_only.find(photo)
    left, top, right, bottom = (round(edge) for edge in face.bbox_xyxy)
    tight = np.ascontiguousarray(photo[max(top, 0) : bottom, max(left, 0) : right])
    assert len(scrfd_only.find(tight)) == 1
    large = np.full((700, 900, 3), 127, np.uint8)
    large[200 : 200 + photo.shape[0], 300 : 300 + photo.shape[1]] = photo
    (small,) = scrfd_only.find(large)
    moved = five_points(small.landmarks_xy, "ibug68") - five_points(face.landmarks_xy, "ibug68")
    assert np.abs(moved - [300, 200]).max() < 5
    assert scrfd_only.find(np.zeros((40, 40, 3), np.uint8)) == []
