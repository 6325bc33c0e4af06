"""Pairs of faces that are too many for memory: bounded, the same each time, all faces in turn."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.model.errors import ModelError
from mien.model.networks.config import GeneratorConfig
from mien.model.training.batches import PairSampler
from mien.model.training.face_arrays import ABSENT, FaceArrays
from mien.model.training.loss_weights import PATENT
from mien.model.training.pools import Pool
from mien.model.training.settings import AugmentationSettings, TrainSettings
from mien.model.training.trainer import Trainer
from mien.model.training.windows import FIRST, SHOWN, Windows, belts_of, shard_reads
from tests.streamed_faces import Reader, numbered_faces, numbers_of

PLAIN = AugmentationSettings(False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SETTINGS = TrainSettings(
    generator=GeneratorConfig(kind="residual", size_px=64, width=8, blocks=0),
    discriminator_width=4,
    resident_faces=170,
    resident_draws=0.5,
    augmentation=PLAIN,
    weights=PATENT,
    steps=8,
    pretrain_steps=1,
    adversarial_from=0.0,
    cross_every_steps=2,
    precision="float32",
)
"""Chunks of ten faces, of which four pairs draw eight at each update: every update or so the window moves."""
FACES = numbered_faces([5] * 120)


def shown(pool: Pool) -> dict[int, int]:
    """The faces that are in memory, by the row."""
    rows = np.flatnonzero(pool.faces.identities != ABSENT)
    return dict(zip(rows.tolist(), numbers_of(pool.faces.photos(rows)), strict=True))


def sampler(reader: Reader, settings: TrainSettings = SETTINGS, processes: int = 1) -> PairSampler:
    return PairSampler.of(settings, reader.stream(), processes)


def drawn(of: PairSampler, update: int, part: int = 0, cross: bool = False) -> tuple[list[int], list[int]]:
    """The faces of four pairs: sources, and the photos that results are compared with."""
    of.begin("train", update, part)
    batch = (of.draw_cross if cross else of.draw)(4, "cpu", 1)
    return numbers_of(batch.sources.photo), numbers_of(of.faces.photos(batch.origin.photos))


def test_memory_is_bounded_however_many_faces_there_are() -> None:
    for people in (40, 400):
        windows = Windows(Reader(numbered_faces([5] * people)).stream(), SETTINGS)
        most = 0
        for update in range(60):
            pool = windows.at(update, 0)
            assert len(pool.faces) <= SETTINGS.resident_faces
            most = max(most, len(shown(pool)))
        assert windows.resident <= SETTINGS.resident_faces
        assert most > 0.8 * SETTINGS.resident_faces


def test_what_is_read_is_one_chunk_for_each_move() -> None:
    reader = Reader(FACES)
    windows = Windows(reader.stream(), SETTINGS)
    (belt,) = belts_of(reader.stream(), SETTINGS, SETTINGS.resident_faces, 4)
    assert belt.updates == 1  # each face is drawn half a time
    windows.at(0, 0)
    windows.at(0, 0)
    windows.at(5, 0)
    windows._reading.shutdown()  # pyright: ignore[reportPrivateUsage]
    assert len(reader.read) == 10 * (FIRST + 5 + 1)  # and one ahead


def test_the_window_grows_and_then_moves() -> None:
    reader = Reader(FACES)
    windows = Windows(reader.stream(), SETTINGS)
    counts = [len(shown(windows.at(update, 0))) for update in range(16)]
    assert counts[: SHOWN - FIRST + 2] == [10 * min(FIRST + n, SHOWN) for n in range(SHOWN - FIRST + 2)]
    before, after = (set(shown(windows.at(update, 0)).values()) for update in (20, 21))
    assert (len(before - after), len(after - before)) == (10, 10)


def test_rows_hold_the_faces_that_the_people_say() -> None:
    windows = Windows(Reader(FACES).stream(), SETTINGS)
    for update in (0, 3, 40, 41, 200):
        pool = windows.at(update, 0)
        for row, face in shown(pool).items():
            assert pool.faces.identities[row] == FACES.identities[face]
            assert (pool.faces.points[row] == FACES.points[face]).all()
            assert (pool.faces.heatmaps[row] == FACES.heatmaps[face]).all()
        assert len(set(shown(pool).values())) == len(shown(pool))  # a face is there once, also where epochs meet
        assert {row for rows in pool.people for row in rows.tolist()} == shown(pool).keys()


def test_whatever_came_before_and_however_slow_it_was_an_update_draws_the_same() -> None:
    class Slow(Reader):
        def __call__(self, rows: np.ndarray, into: FaceArrays) -> None:
            time.sleep(random.random() * 0.02)  # the order of things changes, nothing else
            super().__call__(rows, into)

    walked, again = sampler(Reader(FACES)), sampler(Slow(FACES))
    every = [drawn(walked, update, cross=update % 2 == 1) for update in range(30)]
    assert [drawn(again, update, cross=update % 2 == 1) for update in range(30)] == every
    for update in (29, 17, 28):  # at once, back, and on
        assert drawn(again, update, cross=update % 2 == 1) == every[update]
    other = sampler(Reader(FACES), replace(SETTINGS, seed=1))
    assert drawn(other, 29, cross=True) != every[29]


def test_a_pair_is_of_one_person_and_a_cross_pair_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    of, asked = sampler(Reader(FACES)), list[tuple[np.ndarray, np.ndarray]]()
    for update in range(0, 40, 2):
        sources, targets = drawn(of, update)
        assert [FACES.identities[n] for n in sources] == [FACES.identities[n] for n in targets]
        assert all(source != target for source, target in zip(sources, targets, strict=True))
        assert len({int(FACES.identities[n]) for n in sources}) == 4
    for update in range(1, 40, 2):
        of.begin("train", update, 0)
        arrays = of._targets.arrays  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(of._targets, "arrays", lambda *rows, kept=arrays: (asked.append(rows), kept(*rows))[1])  # pyright: ignore[reportPrivateUsage]
        of.draw_cross(4, "cpu", 1)
        sources, drivers = (of.faces.identities[rows] for rows in asked[-1])
        assert (sources != drivers).all()
        assert ABSENT not in {*sources.tolist(), *drivers.tolist()}


def test_every_face_is_drawn_about_as_often_as_any_other() -> None:
    of, counts = sampler(Reader(FACES), replace(SETTINGS, resident_draws=2.0)), Counter[int]()
    updates = 900  # 12 times each
    for update in range(updates):
        sources, targets = drawn(of, update)
        counts.update(sources + targets)
    assert len(counts) == len(FACES)
    often = np.array(list(counts.values()))
    assert often.mean() == pytest.approx(8 * updates / len(FACES))
    assert often.std() < 0.5 * often.mean()  # 12 draws at random: 0.29


def test_a_set_that_fits_stays_and_sets_are_drawn_evenly() -> None:
    faces = numbered_faces([5] * 126, [0] * 6 + [1] * 120)
    reader = Reader(faces)
    assert faces.sets is not None
    of, counts = sampler(reader), Counter[int]()
    for update in range(120):
        counts.update(faces.sets[drawn(of, update)[0]].tolist())
    assert counts[0] / 480 == pytest.approx(0.5, abs=0.08)
    read = Counter(reader.read)
    assert {read[n] for n in range(30)} == {1}
    assert max(read.values()) > 1


def test_processes_have_faces_of_their_own_and_all_of_them_together() -> None:
    stream = Reader(FACES).stream()
    of_lanes = [belts_of(stream, SETTINGS, 170, 2, lane, lanes=2)[0] for lane in (0, 1)]
    chunks = len(of_lanes[0].chunks)
    first = [[belt.order.at(n) for n in range(chunks // 2)] for belt in of_lanes]
    assert sorted(first[0] + first[1]) == list(range(chunks))
    alone = sampler(Reader(FACES), replace(SETTINGS, accumulate=2, resident_faces=340))
    second = sampler(Reader(FACES), SETTINGS, processes=2)
    for update in (0, 7, 8, 90):  # what another process draws is what one process draws for that part
        assert drawn(alone, update, part=1) == drawn(second, update, part=1)
        assert drawn(alone, update, part=0) != drawn(second, update, part=1)


def test_too_little_room_says_how_much_is_needed() -> None:
    stream = Reader(numbered_faces([5] * 100, [0] * 50 + [1] * 50)).stream()
    with pytest.raises(ModelError, match=r"train\.resident_faces = 120 is too little .* set it to 204 or more"):
        belts_of(stream, replace(SETTINGS, resident_faces=120), 120, 4)
    assert belts_of(stream, replace(SETTINGS, resident_faces=204), 204, 4)


def test_what_cannot_be_read_ends_the_training_with_what_reading_says() -> None:
    class Broken(Reader):
        def __call__(self, rows: np.ndarray, into: FaceArrays) -> None:
            if len(self.read) >= 80:
                raise OSError("shard 7 is damaged")
            super().__call__(rows, into)

    of = sampler(Broken(FACES))
    for update in range(5):
        drawn(of, update)
    with pytest.raises(OSError, match="shard 7 is damaged"):
        drawn(of, 5)


def test_before_the_generator_starts_the_window_stays() -> None:
    reader = Reader(FACES)
    of = sampler(reader)
    for update in range(30):
        of.begin("pretrain", update, 0)
    assert shown(of._pool) == shown(Windows(reader.stream(), SETTINGS).at(0, 0))  # pyright: ignore[reportPrivateUsage]


def test_a_training_that_goes_on_is_the_one_that_was_not_interrupted() -> None:
    whole = Trainer(SETTINGS, Reader(FACES).stream(), "cpu")
    first = Trainer(SETTINGS, Reader(FACES).stream(), "cpu")
    for trainer, updates in ((whole, 7), (first, 4)):
        trainer.pretrain()
        for _ in range(updates):
            trainer.train_step()
    reader = Reader(FACES)
    second = Trainer(SETTINGS, reader.stream(), "cpu")
    assert reader.read == []  # nothing for updates that are done
    second.load_state(*first.state())
    for _ in range(3):
        second.train_step()
    (tensors, rest), (expected, expected_rest) = second.state(), whole.state()
    assert {**rest, "elapsed_s": 0} == {**expected_rest, "elapsed_s": 0}
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_shards_are_read_once_in_an_epoch_where_people_lie_together() -> None:
    (belt,) = belts_of(Reader(FACES).stream(), SETTINGS, 170, 4)
    assert shard_reads([belt], np.arange(600) // 10) == 1
    assert shard_reads([belt], np.arange(600) % 60) == 10  # each chunk has faces of ten shards
