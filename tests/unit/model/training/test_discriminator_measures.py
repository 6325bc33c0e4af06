"""The areas are those of what the discriminators answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.landmarks.schemes import to_common
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.discriminators import ExpressionDiscriminator, IdentityDiscriminator
from mien.model.networks.generator import build_generator
from mien.model.networks.patch_discriminator import PatchDiscriminator
from mien.model.training.discriminator_measures import (
    drawn_aucs,
    expression_auc,
    identity_auc,
    part_aucs,
    swapped_auc,
)
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.networks import Networks
from mien.model.training.settings import AugmentationSettings
from mien.model.warping.patches import face_patches, patch_corners
from tests.drawn_faces import dense_faces, drawn_faces

FACES = drawn_faces(people=4, each=3)
PLAIN = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class KnowsTheBorder(IdentityDiscriminator):
    """Takes pictures with the same skin left of the inner face for one person."""

    def embed(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean((2, 3))

    def judge(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return -(first - second).abs().sum(-1)


class KnowsNothing(IdentityDiscriminator):
    """Says the same of all pairs."""

    def judge(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return torch.zeros(first.shape[:-1])


class KnowsThePoints(ExpressionDiscriminator):
    """Knows where the landmarks of each picture of FACES are."""

    def __init__(self, faces: FaceArrays, region: slice) -> None:
        super().__init__(2, 32, width=8)
        self.photos, self.points = faces.photos(np.arange(len(faces))), torch.from_numpy(faces.points).float()
        self.region = region

    def forward(self, image: torch.Tensor, keypoints: KeypointInfo) -> torch.Tensor:
        known = torch.stack([(self.photos - one).abs().mean((1, 2, 3)).argmin() for one in image])
        off = (keypoints.points - self.points[known])[:, self.region].abs().mean((1, 2))
        return -off[:, None].expand(-1, 4)


class LikesWhite(PatchDiscriminator):
    """Takes the whitest patches for photographed."""

    def forward(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return face_patches(image, patch_corners(points, image.shape[-1])).flatten(0, 1).mean((1, 2, 3))[:, None]


def test_who_tells_people_apart_is_near_one_and_who_says_the_same_of_all_is_a_half() -> None:
    assert identity_auc(KnowsTheBorder(64, 2), FACES, PLAIN) > 0.9
    assert identity_auc(KnowsNothing(64, 2, width=8), FACES, PLAIN) == 0.5


def test_the_second_photo_is_changed() -> None:
    brighter = replace(PLAIN, brightness=1.0)
    assert identity_auc(KnowsTheBorder(64, 2), FACES, brighter) < identity_auc(KnowsTheBorder(64, 2), FACES, PLAIN)


def test_of_one_person_there_is_nothing_to_tell() -> None:
    alone = drawn_faces(people=1, each=3)
    assert np.isnan(identity_auc(KnowsTheBorder(64, 2), alone, PLAIN))
    assert np.isnan(swapped_auc(KnowsTheBorder(64, 2), alone, 4))


def test_swapped_faces_are_pairs_of_their_own() -> None:
    assert 0 <= swapped_auc(KnowsTheBorder(64, 2), FACES, 8) <= 1
    assert swapped_auc(KnowsTheBorder(64, 2), FACES, 8) == swapped_auc(KnowsTheBorder(64, 2), FACES, 8)


def test_parts_are_measured_one_by_one() -> None:
    faces = dense_faces(FACES, "mediapipe478", FACES.spec)
    faces = replace(faces, points=to_common(faces.landmarks, "mediapipe478"))
    aucs = part_aucs(KnowsThePoints(faces, slice(36, 48)), faces, 8)
    assert set(aucs) == {f"expression_auc_{part}" for part in ("lids", "mouth", "brows", "gaze")}
    assert aucs["expression_auc_lids"] > 0.9
    assert aucs["expression_auc_brows"] == aucs["expression_auc_mouth"] == pytest.approx(0.5)


def test_other_photos_keypoints_are_told_from_the_own_ones() -> None:
    assert expression_auc(KnowsThePoints(FACES, slice(0, 68)), FACES) == 1.0


def test_real_against_drawn() -> None:
    source, target = np.array([0, 3, 6]), np.array([1, 4, 7])
    expression = KnowsThePoints(FACES, slice(0, 68))
    networks = Networks(build_generator(GeneratorConfig()), KnowsTheBorder(64, 2), expression, LikesWhite(), None, None)
    white = torch.ones_like(FACES.photos(source))
    assert drawn_aucs(networks, FACES, (source, target), white)["patches_auc_drawn"] == 0.0
    assert drawn_aucs(networks, FACES, (source, target), -white)["patches_auc_drawn"] == 1.0
    without = replace(networks, patches=None)
    measured = drawn_aucs(without, FACES, (source, target), FACES.photos(source))
    assert "patches_auc_drawn" not in measured
    assert measured["expression_auc_drawn"] == 1.0  # the sources do not show the targets' expressions
    assert measured["identity_auc_drawn"] == 0.0  # and nothing is more like the sources than they are
