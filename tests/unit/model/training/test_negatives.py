"""What the discriminators are given beside the pairs is what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mien.model.training.batches import PairSampler
from mien.model.training.discriminator_settings import PATENT_DISCRIMINATORS, DiscriminatorSettings
from mien.model.training.negatives import (
    changed_keypoints,
    draw_beside,
    swapped_pictures,
    where_changed,
)
from mien.model.training.settings import AugmentationSettings, TrainSettings
from tests.drawn_faces import drawn_faces

PLAIN = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FACES = drawn_faces(people=4, each=3)
SETTINGS = TrainSettings()


def alike(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Equal but for the rounding of a resampling that moves nothing."""
    return torch.allclose(first, second, atol=1e-3)


def rows_of(images: torch.Tensor) -> list[int]:
    photos = FACES.photos(np.arange(len(FACES)))
    return [next(row for row in range(len(FACES)) if alike(photos[row], image)) for image in images]


def test_the_other_photo_is_a_third_one_of_the_person() -> None:
    sampler = PairSampler(FACES, PLAIN, seed=0)
    for batch in (sampler.draw(4, "cpu"), sampler.draw_cross(4, "cpu")):
        rows = rows_of(draw_beside(sampler, batch, SETTINGS).others)
        assert FACES.identities[rows].tolist() == batch.identities.tolist()
        for row, photo, sources in zip(rows, batch.origin.photos, batch.origin.sources, strict=True):
            assert row not in (photo, *sources)


def test_of_several_sources_none_is_the_other_photo() -> None:
    faces = drawn_faces(people=4, each=4)
    sampler = PairSampler(faces, PLAIN, seed=0)
    batch = sampler.draw(4, "cpu", sources=2)
    others = draw_beside(sampler, batch, SETTINGS).others
    for n, person in enumerate(batch.identities.tolist()):
        used = [batch.target[n], *batch.sources.photos[n]]
        (left,) = [
            photo
            for photo in faces.photos(np.flatnonzero(faces.identities == person))
            if not any(alike(photo, each) for each in used)
        ]
        assert alike(others[n], left)


def test_of_two_photos_the_other_one_is_the_source() -> None:
    faces = drawn_faces(people=4, each=2)
    sampler = PairSampler(faces, PLAIN, seed=0)
    batch = sampler.draw(4, "cpu")
    assert alike(draw_beside(sampler, batch, SETTINGS).others, batch.sources.photo)


def test_its_light_and_place_are_its_own() -> None:
    own, shared = (
        replace(SETTINGS, discriminators=DiscriminatorSettings(own_augmentation=own, third_photo=False))
        for own in (True, False)
    )
    sampler = PairSampler(FACES, AugmentationSettings(), seed=0)
    batch = sampler.draw(4, "cpu")
    assert alike(draw_beside(sampler, batch, shared).others, batch.sources.photo)
    assert (draw_beside(sampler, batch, own).others - batch.sources.photo).abs().mean() > 0.05


def test_the_patent_has_its_pairs_alone_and_draws_nothing() -> None:
    sampler = PairSampler(FACES, AugmentationSettings(), seed=0)
    batch = sampler.draw(4, "cpu")
    state = sampler.random.bit_generator.state
    beside = draw_beside(sampler, batch, replace(SETTINGS, discriminators=PATENT_DISCRIMINATORS))
    assert torch.equal(beside.others, batch.sources.photo)
    assert beside.changed is None
    assert sampler.random.bit_generator.state == state


def test_changed_keypoints_move_with_the_pair() -> None:
    # Most of a face is unchanged: there the heatmaps lie where those of the photo do, however it was augmented.
    sampler = PairSampler(FACES, AugmentationSettings(), seed=1)
    batch = sampler.draw(4, "cpu")
    changed = draw_beside(sampler, batch, SETTINGS).changed
    assert changed is not None
    jaw = [keypoints.heatmaps[:, 0] for keypoints in (batch.target_keypoints, changed)]
    torch.testing.assert_close(*jaw, atol=0.01, rtol=0)
    torch.testing.assert_close(changed.points[:, :17], batch.target_keypoints.points[:, :17], atol=1e-4, rtol=0)
    assert ((changed.heatmaps - batch.target_keypoints.heatmaps).abs().amax((1, 2, 3)) > 0.1).all()


def test_a_changed_part_shows_in_the_heatmap_of_the_part_alone() -> None:
    rows, random = np.arange(4), np.random.default_rng(0)
    mouths = changed_keypoints(FACES, rows, ["mouth"] * 4, random)
    differs = (mouths.heatmaps - FACES.keypoints(rows).heatmaps).abs().amax((2, 3))
    assert (differs[:, :6] == 0).all()
    assert (differs[:, 6:].amax(1) > 0.2).all()


def test_half_of_the_pictures_get_a_strange_face_and_half_one_of_their_own() -> None:
    rows = np.array([0, 3, 6, 9])
    photos, keypoints = FACES.photos(rows), FACES.keypoints(rows)
    own = FACES.photos(rows + 1), FACES.keypoints(rows + 1)
    identities = torch.from_numpy(FACES.identities[rows])
    swapped = swapped_pictures((photos, keypoints.points), own, identities)
    assert swapped.own.tolist() == [False, False, True, True]
    assert ((swapped.images - photos).abs().amax((1, 2, 3)) > 0.05).all()
    alone = swapped_pictures((photos, keypoints.points), own, torch.zeros(4, dtype=torch.int64))
    assert alone.own.all()  # a neighbour of the same person is no stranger


def test_positions_far_from_a_change_do_not_count() -> None:
    own = torch.zeros(1, 8, 64, 64)
    changed = own.clone()
    changed[0, 4, 20, 12] = 1.0
    where = where_changed(own, changed, 64).unflatten(1, (8, 8))[0]
    assert where[1:4, 0:3].all()
    assert int(where.sum()) == 9
    assert not where_changed(own, own, 64).any()
