"""SCRFD with MediaPipe's mesh. The SCRFD weights are looked for where MIEN_TEST_SCRFD says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mien.model.detection.detector import (
    EmbedsTogether,
    FaceDetector,
    FindsTogether,
    LoadsBeforehand,
    LooksWhereAsked,
    embed_each,
    find_each,
    look_each,
)
from mien.model.detection.face_mesh import window_of_points
from mien.model.detection.insightface_mesh_detector import InsightFaceMeshDetector, _window
from mien.model.detection.licences import allow_commercial
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError
from mien.model.graphs import mediapipe_files
from mien.model.landmarks.alignment import apply_transform, invert_transform
from mien.model.landmarks.mediapipe_points import MESH_POINTS
from mien.model.landmarks.schemes import interocular_px, to_common
from tests.sample_faces import orl_photos
from tests.unit.model.detection.test_insightface_detector import SCRFD, needs_scrfd, save_tiny

pytestmark = needs_scrfd


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> FaceDetector:
    """SCRFD alone: the embedding is dlib's."""
    folder = tmp_path_factory.mktemp("scrfd")
    shutil.copy(SCRFD, folder)
    return load_detector(f"insightface:{folder}+mediapipe")


@pytest.fixture(scope="module")
def whole_pack(tmp_path_factory: pytest.TempPathFactory) -> FaceDetector:
    """With a tiny recognition model, and landmarks that are not used."""
    folder = tmp_path_factory.mktemp("packs")
    shutil.copy(SCRFD, folder / "det.onnx")
    save_tiny(folder / "2d106det.onnx", 192, np.zeros((3, 212), np.float32))
    save_tiny(folder / "w600k.onnx", 112, np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32))
    return load_detector(f"insightface:{folder}+mediapipe")


def test_it_can_all_that_a_detector_may(detector: FaceDetector, capfd: pytest.CaptureFixture[str]) -> None:
    for protocol in (FaceDetector, FindsTogether, LooksWhereAsked, EmbedsTogether, LoadsBeforehand):
        assert isinstance(detector, protocol)
    assert isinstance(detector, InsightFaceMeshDetector)
    detector.load_weights()
    assert detector.name.endswith("+mediapipe")
    assert capfd.readouterr() == ("", "")


def test_landmarks_are_those_of_the_mesh_in_scrfds_box(detector: FaceDetector) -> None:
    photos = orl_photos(40)[:12]
    apart = []
    for faces, others in zip(find_each(detector, photos), find_each(load_detector("mediapipe"), photos), strict=True):
        (face,), other = faces, others[0]
        assert face.found_by.startswith("scrfd border")
        assert face.scheme == detector.landmark_scheme == "mediapipe478"
        assert face.pose is not None
        assert 0.9 < face.score <= 1
        eyes = interocular_px(other.landmarks_xy, other.scheme)
        apart.append(np.linalg.norm(face.landmarks_xy - other.landmarks_xy, axis=1).mean() / eyes)
    # The same mesh, framed by itself: the first frame matters little.
    assert np.mean(apart) < 0.015
    assert max(apart) < 0.05


def test_scrfds_box_frames_the_face_as_the_mesh_does(detector: FaceDetector) -> None:
    assert isinstance(detector, InsightFaceMeshDetector)
    for photo in orl_photos(40)[:8]:
        (face,), (box,) = detector.find(photo), detector._boxes(photo)
        mesh = face.landmarks_xy[:MESH_POINTS].astype(np.float64)
        ideal, window = window_of_points(mesh, mesh[263] - mesh[33]), _window(box)
        corners = np.array([[0.0, 0.0], [192, 0], [192, 192], [0, 192]])
        seen = apply_transform(ideal, apply_transform(invert_transform(window), corners))
        assert np.linalg.norm(seen.mean(0) - [96, 96]) < 12
        assert np.ptp(seen, 0) == pytest.approx([192, 192], rel=0.25)


@pytest.mark.parametrize("pack", ["detector", "whole_pack"])
def test_pictures_together_have_the_same_faces_as_alone(pack: str, request: pytest.FixtureRequest) -> None:
    detector = request.getfixturevalue(pack)
    photos = [*orl_photos(40)[:3], np.zeros((40, 40, 3), np.uint8), np.hstack(orl_photos(40)[5:7])]
    together = find_each(detector, photos)
    alone = [detector.find(photo) for photo in photos]
    assert [len(faces) for faces in together] == [1, 1, 1, 0, 2]
    assert together[4][0].area_px >= together[4][1].area_px
    for one, other in zip([f for faces in together for f in faces], [f for faces in alone for f in faces], strict=True):
        assert (one.bbox_xyxy, one.score, one.found_by, one.pose) == (
            other.bbox_xyxy,
            other.score,
            other.found_by,
            other.pose,
        )
        assert np.array_equal(one.landmarks_xy, other.landmarks_xy)
    of_each = [(photo, face) for photo, faces in zip(photos, together, strict=True) for face in faces]
    embeddings = embed_each(detector, *zip(*of_each, strict=True))
    assert np.array_equal(embeddings, [detector.embed(photo, [face])[0] for photo, face in of_each])
    assert detector.find_each([]) == []


def test_where_scrfd_finds_no_face_mediapipe_is_asked(detector: FaceDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(detector, InsightFaceMeshDetector)
    monkeypatch.setattr(detector, "_boxes", lambda _: [])
    photos = orl_photos(2)
    for faces in detector.find_each(photos):
        assert [face.found_by for face in faces] == ["mediapipe whole"]
    assert detector.find(np.zeros((40, 40, 3), np.uint8)) == []


def test_it_looks_where_it_is_asked(detector: FaceDetector) -> None:
    photos = orl_photos(4)
    found = [faces[0] for faces in find_each(detector, photos)]
    asked = [to_common(face.landmarks_xy, face.scheme).astype(np.float64) for face in found]
    for face, seen in zip(found, look_each(detector, photos, asked), strict=True):
        assert seen is not None
        assert seen.found_by == "mediapipe asked"
        eyes = interocular_px(face.landmarks_xy, face.scheme)
        assert np.linalg.norm(seen.landmarks_xy - face.landmarks_xy, axis=1).mean() < 0.05 * eyes


def test_the_embedding_is_the_packs_or_else_dlibs(detector: FaceDetector, whole_pack: FaceDetector) -> None:
    photo = orl_photos(1)[0]
    found = detector.find(photo)
    mediapipe = load_detector("mediapipe")
    assert np.array_equal(detector.embed(photo, found), mediapipe.embed(photo, found))
    assert detector.same_person_similarity == mediapipe.same_person_similarity
    embedding = whole_pack.embed(photo, whole_pack.find(photo))
    assert embedding.shape == (1, 512)
    assert np.linalg.norm(embedding) == pytest.approx(1)
    assert whole_pack.similarity(embedding, -embedding) == pytest.approx(-1)


def test_its_version_and_terms_name_all_parts(detector: FaceDetector) -> None:
    mediapipe = load_detector("mediapipe")
    assert detector.version.startswith("insightface-")
    assert detector.version.endswith(mediapipe.version)
    assert mediapipe.weights_licences.items() < detector.weights_licences.items()
    assert SCRFD.name in detector.weights_licences
    assert not allow_commercial(detector.weights_licences)


def test_without_mediapipes_files_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(SCRFD, tmp_path)
    monkeypatch.setattr(mediapipe_files, "find_spec", lambda _: None)
    with pytest.raises(DetectorError, match=r"pip install --no-deps mediapipe==0\.10\.21"):
        InsightFaceMeshDetector(str(tmp_path))
