"""Pairs show one person twice; what is done to one side is done to the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.model.errors import ModelError
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.expression.shape_model import ShapeModel
from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import LandmarkScheme
from mien.model.training.batches import PairSampler
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.negatives import draw_beside
from mien.model.training.pools import TargetExpressions
from mien.model.training.settings import AugmentationSettings, TrainSettings
from tests.drawn_faces import dense_faces, drawn_faces

PLAIN = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FACES = drawn_faces(people=5, each=3)


def alike(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Equal but for the rounding of a resampling that moves nothing."""
    return torch.allclose(first, second, atol=1e-3)


def test_a_pair_is_two_photos_of_one_person_and_people_differ_within_a_batch() -> None:
    sampler = PairSampler(FACES, PLAIN, seed=0)
    for _ in range(10):
        batch = sampler.draw(4, "cpu")
        assert len(set(batch.identities.tolist())) == 4
        for n, person in enumerate(batch.identities.tolist()):
            own = FACES.photos(np.flatnonzero(FACES.identities == person))
            sides = [[alike(photo, side[n]) for photo in own] for side in (batch.sources.photo, batch.target)]
            assert [sum(side) for side in sides] == [1, 1]
            assert sides[0] != sides[1]


def test_keypoints_go_with_their_photos() -> None:
    batch = PairSampler(FACES, PLAIN, seed=0).draw(4, "cpu")
    photos, keypoints = FACES.photos(np.arange(len(FACES))), FACES.keypoints(np.arange(len(FACES)))
    for n in range(4):
        row = next(r for r in range(len(FACES)) if alike(photos[r], batch.target[n]))
        assert alike(batch.target_keypoints.heatmaps[n], keypoints.heatmaps[row])
        assert alike(batch.target_keypoints.points[n], keypoints.points[row])


def test_the_seed_decides_the_draws() -> None:
    first, second, other = (PairSampler(FACES, AugmentationSettings(), seed).draw(4, "cpu") for seed in (1, 1, 2))
    assert torch.equal(first.sources.photo, second.sources.photo)
    assert not torch.equal(first.sources.photo, other.sources.photo)


def test_an_update_draws_what_it_has_always_drawn() -> None:
    # Faces that are all in memory are drawn from as before there were others: rows of photos, by seed and update.
    faces = replace(FACES, sets=np.repeat([0, 0, 0, 1, 1], 3))
    sampler = PairSampler(faces, AugmentationSettings(), seed=7, candidates=2)
    found: list[tuple[list[int], list[list[int]]]] = []
    for update in (1, 5):
        sampler.begin("train", update)
        sources = sampler.source_count(4)
        sampler.begin("train", update, 0)
        for draw in (sampler.draw, sampler.draw_cross):
            batch = draw(4, "cpu", sources)
            draw_beside(sampler, batch, TrainSettings())
            found.append((batch.origin.photos.tolist(), batch.origin.sources.tolist()))
    assert found == [
        ([1, 9, 13, 2], [[2, 0], [11, 10], [14, 12], [1, 0]]),
        ([1, 12, 10, 4], [[1, 0], [12, 14], [10, 11], [4, 3]]),
        ([4, 2, 10, 14], [[5, 3], [0, 1], [11, 9], [13, 12]]),
        ([5, 2, 11, 14], [[5, 4], [2, 1], [11, 9], [14, 13]]),
    ]


def test_more_pairs_than_people_are_drawn_with_repeats() -> None:
    assert len(PairSampler(FACES, PLAIN, seed=0).draw(12, "cpu").sources.photo) == 12


def test_both_sides_of_a_pair_are_augmented_alike() -> None:
    faces = FaceArrays(
        np.repeat(FACES.images[::3], 2, 0),
        np.repeat(FACES.heatmaps[::3], 2, 0),
        np.repeat(FACES.points[::3], 2, 0),
        np.repeat(np.arange(5), 2),
    )
    sampler, changed = PairSampler(faces, AugmentationSettings(), seed=3), 0
    for _ in range(3):
        batch = sampler.draw(5, "cpu")
        assert torch.equal(batch.sources.photo, batch.target)
        assert torch.equal(batch.sources.keypoints.heatmaps, batch.target_keypoints.heatmaps)
        assert torch.equal(batch.sources.keypoints.points, batch.target_keypoints.points)
        photos = faces.photos(2 * batch.identities.numpy())
        changed += sum(not alike(*pair) for pair in zip(batch.sources.photo, photos, strict=True))
    assert changed > 10


def test_people_with_one_photo_take_no_part() -> None:
    sources, targets = same_person_pairs(np.array([0, 1, 1, 2, 2, 2]), 20, seed=0)
    assert 0 not in {*sources.tolist(), *targets.tolist()}
    assert (sources != targets).all()
    assert {1, 2} == {int(np.array([0, 1, 1, 2, 2, 2])[row]) for row in sources}


def test_nobody_with_two_photos_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="several photos of each person"):
        same_person_pairs(np.arange(4), 3, seed=0)


def test_one_person_alone_cannot_be_trained_on() -> None:
    alone = drawn_faces(people=1, each=3)
    with pytest.raises(ModelError, match="at least two"):
        PairSampler(alone, PLAIN, seed=0)


def test_of_several_candidates_the_pair_that_moves_most_is_taken() -> None:
    def moved(candidates: int) -> float:
        sampler = PairSampler(FACES, PLAIN, seed=0, candidates=candidates)
        batches = [sampler.draw(4, "cpu") for _ in range(20)]
        return float(np.mean([(b.sources.keypoints.points - b.target_keypoints.points).abs().mean() for b in batches]))

    assert moved(4) > 1.2 * moved(1)


def test_cross_pairs_have_another_persons_expression_on_the_own_face() -> None:
    # Drawn faces are up to 20% wider than others, which retargeting must not take over.
    faces = drawn_faces(people=5, each=3)
    batch = PairSampler(faces, PLAIN, seed=0).draw_cross(5, "cpu")

    def jaw(points: torch.Tensor) -> torch.Tensor:
        return points[:, 16, 0] - points[:, 0, 0]

    torch.testing.assert_close(
        jaw(batch.target_keypoints.points), jaw(batch.sources.keypoints.points), rtol=0.04, atol=0
    )
    assert batch.target_keypoints.heatmaps.shape == batch.sources.keypoints.heatmaps.shape
    assert (batch.target_keypoints.heatmaps.amax((2, 3)) > 0.8).all()
    assert not torch.equal(batch.target_keypoints.points, batch.sources.keypoints.points)


@pytest.mark.parametrize("people", [2, 3, 5])
def test_the_driver_is_somebody_else_however_few_people_there_are(people: int, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, drawn = drawn_faces(people=people, each=3), []
    sampler = PairSampler(faces, PLAIN, seed=0)
    arrays = TargetExpressions.arrays

    def noted(self: TargetExpressions, source: np.ndarray, driver: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drawn.append((faces.identities[source], faces.identities[driver]))
        return arrays(self, source, driver)

    monkeypatch.setattr(TargetExpressions, "arrays", noted)
    for _ in range(20):
        batch = sampler.draw_cross(4, "cpu")
        assert batch.identities.tolist() == drawn[-1][0].tolist()
    sources, drivers = (np.concatenate(side) for side in zip(*drawn, strict=True))
    assert (sources != drivers).all()
    assert set(drivers) == set(range(people))


def test_cross_pairs_are_asked_as_transfers_ask() -> None:
    # With the shape model that the generator keeps: with another driver or without the model other points are asked.
    model = ShapeModel.fit(FACES.points.astype(np.float64), FACES.identities)
    batch, rows = PairSampler(FACES, PLAIN, seed=0).draw_cross(5, "cpu"), np.arange(len(FACES))
    for with_model, asked in ((True, TargetExpressions(FACES, model)), (False, TargetExpressions(FACES))):
        for source, points in zip(batch.origin.sources, batch.target_keypoints.points, strict=True):
            of_drivers = asked.keypoints(np.full(len(FACES), source), rows).points
            nearest = (of_drivers - points).abs().amax((1, 2)).min()
            assert (nearest < 1e-3) == with_model


def test_its_own_expression_asks_a_face_for_what_it_shows() -> None:
    rows = np.arange(len(FACES))
    asked = TargetExpressions(FACES).keypoints(rows, rows)
    np.testing.assert_allclose(asked.points.numpy(), FACES.points, atol=1e-3)
    others = TargetExpressions(FACES).keypoints(rows, np.roll(rows, 1))
    assert np.abs(others.points.numpy() - FACES.points).max() > 0.02


def test_the_seed_decides_cross_pairs() -> None:
    first, second, other = (PairSampler(FACES, AugmentationSettings(), seed).draw_cross(4, "cpu") for seed in (1, 1, 2))
    assert torch.equal(first.target_keypoints.points, second.target_keypoints.points)
    assert not torch.equal(first.target_keypoints.points, other.target_keypoints.points)


def test_sets_are_drawn_evenly_whatever_their_size() -> None:
    # Three people of the first set have 3 photos each; of the other set two people have 3.
    faces = replace(FACES, sets=np.repeat([0, 0, 0, 1, 1], 3))
    sampler = PairSampler(faces, PLAIN, seed=0)
    drawn = np.concatenate([sampler.draw(1, "cpu").identities.numpy() for _ in range(600)])
    share = np.bincount(drawn, minlength=5) / 600
    np.testing.assert_allclose(share, [1 / 6, 1 / 6, 1 / 6, 1 / 4, 1 / 4], atol=0.06)


def test_cross_pairs_have_heatmaps_as_wide_as_those_of_the_set() -> None:
    rows, wide = np.arange(len(FACES)), replace(FACES, spec=replace(FACES.spec, sigma_px=3.0))
    narrow, wider = (TargetExpressions(faces).keypoints(rows, rows).heatmaps for faces in (FACES, wide))
    assert wider.sum() > 2 * narrow.sum()
    own = TargetExpressions(wide).keypoints(rows, rows).points.numpy()
    side_px = FACES.heatmaps.shape[-1]
    expected = render_heatmaps((own + 1) / 2 * side_px, "ibug68", side_px, HeatmapSpec(side_px, 3.0))
    np.testing.assert_allclose(wider.numpy() * 255, expected, atol=1.0)


@pytest.mark.parametrize("scheme", ["insightface106", "mediapipe478"])
@pytest.mark.parametrize("form", ["points", "contours"])
def test_cross_pairs_have_heatmaps_of_the_schemes_own_landmarks(scheme: LandmarkScheme, form: HeatmapForm) -> None:
    faces, rows = dense_faces(FACES, scheme, replace(FACES.spec, form=form)), np.arange(len(FACES))
    own = TargetExpressions(faces).keypoints(rows, rows)
    assert np.abs(own.heatmaps.numpy() - faces.heatmaps / 255).mean() < 0.01
    others = TargetExpressions(faces).keypoints(rows, np.roll(rows, 3))
    # Another person's expression has as many landmarks as the photos that are learnt from.
    assert float(others.heatmaps[:, 0].mean()) == pytest.approx(faces.heatmaps[:, 0].mean() / 255, rel=0.1)


def test_faces_of_a_dense_scheme_are_joined_with_their_landmarks() -> None:
    faces = dense_faces(FACES, "mediapipe478", FACES.spec)
    joined = FaceArrays.joined([faces, faces])
    assert joined.scheme == "mediapipe478"
    assert joined.landmarks.shape == (2 * len(FACES), 478, 2)
    assert FaceArrays.joined([FACES, FACES]).landmarks.shape == (2 * len(FACES), 68, 2)


def test_further_sources_are_other_photos_of_the_person_and_never_the_target() -> None:
    faces = drawn_faces(people=3, each=3)
    for seed in range(10):
        batch = PairSampler(faces, PLAIN, seed=seed).draw(3, "cpu", sources=4)
        assert batch.sources.present.tolist() == [[True, True, False, False]] * 3  # three photos, one is the target
        for row, person in enumerate(batch.identities.tolist()):
            own = faces.photos(np.flatnonzero(faces.identities == person))
            shown = [*batch.sources.photos[row, :2], batch.target[row]]
            found = [int(np.argmax([alike(photo, one) for one in own])) for photo in shown]
            assert sorted(found) == [0, 1, 2]


def test_cross_pairs_have_further_sources_of_the_same_person() -> None:
    batch = PairSampler(drawn_faces(people=3, each=3), PLAIN, seed=0).draw_cross(3, "cpu", sources=3)
    assert batch.sources.present.all()
    assert not torch.equal(batch.sources.photos[:, 0], batch.sources.photos[:, 1])


def test_one_source_in_every_other_batch_else_two_or_more() -> None:
    sampler = PairSampler(FACES, PLAIN, seed=0)
    counts = [sampler.source_count(4) for _ in range(400)]
    assert 150 < counts.count(1) < 250
    assert set(counts) == {1, 2, 3, 4}
    before = sampler.random.bit_generator.state
    assert sampler.source_count(1) == 1
    assert sampler.random.bit_generator.state == before
