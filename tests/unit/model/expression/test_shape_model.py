"""The shape model takes faces of a known linear model apart, and keeps what it knows in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.model.errors import ModelError, WeightsError
from mien.model.expression.head_pose import generic_depths, with_depths
from mien.model.expression.retargeting import Faces, RetargetSettings, neutral_landmarks, retarget
from mien.model.expression.shape_model import ShapeModel
from tests.shapes import in_crop, neutral
from tests.unit.model.expression.test_head_pose import turned

PEOPLE, EACH = 12, 10


def directions() -> tuple[np.ndarray, np.ndarray]:
    """Identity: length of the jaw, width of the outer face. Expression: jaw drop, raised brows."""
    identity, expression = np.zeros((2, 68, 2)), np.zeros((2, 68, 2))
    identity[0, 4:13, 1] = 0.12
    identity[1, :17, 0] = 0.1 * neutral()[:17, 0]
    expression[0, [6, 7, 8, 9, 10, 55, 56, 57, 58, 59, 65, 66, 67], 1] = 0.15
    expression[1, 17:27, 1] = -0.1
    return identity, expression


def made(a: np.ndarray, e: np.ndarray, yaw: float = 0.0) -> np.ndarray:
    """A photo of the linear model, in the crop."""
    identity, expression = directions()
    shape = neutral() + np.tensordot(a, identity, 1) + np.tensordot(e, expression, 1)
    return in_crop(turned(yaw).project(with_depths(shape[None], generic_depths())))[0]


def photos() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    points, people = [], []
    for person in range(PEOPLE):
        a = random.normal(size=2)
        for n in range(EACH):
            calm = n < EACH // 2
            e = np.zeros(2) if calm else np.abs(random.normal(size=2))
            points.append(made(a, e, yaw=random.normal() * 8))
            people.append(person)
    return np.stack(points), np.array(people)


@pytest.fixture(scope="module")
def fitted() -> ShapeModel:
    return ShapeModel.fit(*photos())


def test_the_bases_hold_what_the_faces_were_made_of(fitted: ShapeModel) -> None:
    identity, expression = directions()
    for asked, basis in ((identity, fitted.identity), (expression, fitted.expression)):
        flat, found = asked.reshape(2, -1), basis.reshape(len(basis), -1)
        left = flat - flat @ found.T @ found
        assert (np.linalg.norm(left, axis=1) / np.linalg.norm(flat, axis=1)).max() < 0.25
    assert len(fitted.identity) + len(fitted.expression) <= 36


def test_the_depths_are_found(fitted: ShapeModel) -> None:
    assert fitted.depths == pytest.approx(generic_depths(), abs=0.05)


def test_raised_brows_are_no_part_of_the_neutral(fitted: ShapeModel) -> None:
    a = np.array([0.5, 0.5])
    shown, calm = made(a, np.array([0.0, 2.0]))[None], made(a, np.zeros(2))
    with_model = np.abs(neutral_landmarks(shown, fitted) - calm).mean()
    assert with_model < 0.7 * np.abs(neutral_landmarks(shown) - calm).mean()


def test_the_expression_of_one_on_another(fitted: ShapeModel) -> None:
    a, b, e = np.array([1.0, 0.0]), np.array([-1.0, 0.5]), np.array([1.5, 1.0])
    source = Faces(made(a, np.zeros(2))[None], made(a, np.zeros(2))[None])
    driver = Faces(made(b, e)[None], made(b, np.zeros(2))[None])
    found = retarget(source, driver, RetargetSettings("shape_model"), fitted)
    assert np.abs(found[0] - made(a, e)).max() < 0.03
    assert np.abs(driver.points - made(a, e)).max() > 0.1


def test_the_file_gives_back_the_model(fitted: ShapeModel, tmp_path: Path) -> None:
    fitted.save(tmp_path / "shapes.safetensors")
    loaded = ShapeModel.load(tmp_path / "shapes.safetensors")
    assert all(np.array_equal(value, loaded.tensors()[name]) for name, value in fitted.tensors().items())
    face = made(np.ones(2), np.ones(2))[None]
    assert np.array_equal(neutral_landmarks(face, loaded), neutral_landmarks(face, fitted))


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "shapes.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"shapes\.safetensors"):
        ShapeModel.load(tmp_path / "shapes.safetensors")


def test_people_with_one_photo_tell_no_expressions() -> None:
    points, _ = photos()
    with pytest.raises(ModelError, match="several photos"):
        ShapeModel.fit(points[:3], np.arange(3))
