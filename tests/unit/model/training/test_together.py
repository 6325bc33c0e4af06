"""Processes that train together do what one does that computes their parts, and none goes on alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from mien.model.errors import GroupError
from mien.model.networks.config import GeneratorConfig
from mien.model.training.batches import PairBatch
from mien.model.training.checkpoints import load_checkpoint
from mien.model.training.descent import Descent
from mien.model.training.fit import fit, follow
from mien.model.training.game import Terms
from mien.model.training.group import Group
from mien.model.training.negatives import draw_beside
from mien.model.training.objectives import adversarial_terms
from mien.model.training.recipes import RECIPES
from mien.model.training.settings import TrainSettings
from mien.model.training.together import Together
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces
from tests.quick_python import python_of_many
from tests.quick_workers import quick_process

FACES = drawn_faces(people=4, each=4)
HELD_OUT = drawn_faces(people=2, each=3, seed=9)
DEFAULT = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=8, blocks=0),
    discriminator_width=4,
    batch_size=4,
    steps=6,
    pretrain_steps=2,
    adversarial_from=0.0,
    validation_pairs=2,
    precision="float32",
    checkpoint_every_s=0.0,
)
PATENT = replace(
    RECIPES["patent"],
    generator=replace(RECIPES["patent"].generator, size_px=64, width=8, blocks=0),
    discriminator_width=4,
    batch_size=4,
    steps=6,
    pretrain_steps=2,
    validation_pairs=2,
    checkpoint_every_s=0.0,
)
"""All of its losses are means over pairs."""
Gradients = list[torch.Tensor]
"""The losses of an update, and the gradients of all weights that have one."""


class Listener:
    """Ends the training after so many updates, as a kill would."""

    def __init__(self, kill_after: int | None = None, kills: Callable[[], None] | None = None) -> None:
        self.updates, self._kill_after, self._kills = 0, kill_after, kills

    def losses(self, step: int, values: dict[str, float]) -> None:
        self.updates += 1
        if self.updates == self._kill_after:
            if self._kills is None:
                raise KeyboardInterrupt
            self._kills()

    def metrics(self, step: int, values: dict[str, float]) -> None: ...

    def grid(self, step: int, sheet: np.ndarray) -> None: ...

    def checkpoint(self, step: int) -> None: ...


def _child(number: int, size: int, port: int, trainings: Sequence[TrainSettings]) -> None:
    torch.set_num_threads(1)
    group = Together(number, size, dist.TCPStore("127.0.0.1", port, is_master=False))
    for settings in trainings:
        trainer = Trainer(settings, FACES, "cpu", group=group)
        trainer.load_state(*group.shared_state())
        follow(trainer, group)
        compare_weights(group, trainer)
    group.leave()


def compare_weights(group: Together, trainer: Trainer) -> None:
    """All processes have the same ones, bit by bit; the first one looks."""
    for weight in trainer.networks.generator.parameters():
        gathered = [torch.empty_like(weight) for _ in range(group.size)] if group.number == 0 else None
        dist.gather(weight.detach(), gathered, 0)
        assert all(torch.equal(weight, each) for each in gathered or ())


Among = Callable[[int, Sequence[TrainSettings]], tuple[Together, list[Any]]]


@pytest.fixture
def among(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Among]:
    """Starts processes that take part in trainings; the group as the first process sees it, and the others."""
    started: list[Any] = []
    groups: list[Together] = []

    def start(size: int, trainings: Sequence[TrainSettings]) -> tuple[Together, list[Any]]:
        store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        for number in range(1, size):
            args = number, size, store.port, trainings
            process = quick_process(python_of_many(tmp_path_factory), target=_child, args=args, daemon=True)
            process.start()
            started.append(process)
        groups.append(Together(0, size, store))
        return groups[-1], started

    yield start
    for group in groups:
        group.leave()
    for process in started:
        process.kill()
        process.join()


def led(settings: TrainSettings, group: Together) -> Trainer:
    """A trainer whose state the other processes have."""
    trainer = Trainer(settings, FACES, "cpu", group=group)
    group.shared_state(trainer.state())
    return trainer


def summed(trainer: Trainer, update: Callable[[], Any]) -> Gradients:
    """Of one update."""
    found, group = list[torch.Tensor](), trainer.group
    method = group.sum

    def noted(tensors: Sequence[torch.Tensor]) -> None:
        method(tensors)
        found.extend(each.clone() for each in tensors)

    group.sum = noted  # pyright: ignore[reportAttributeAccessIssue]
    update()
    group.sum = method  # pyright: ignore[reportAttributeAccessIssue]
    return found


def assert_near(first: Gradients, second: Gradients) -> None:
    """To 1e-5, or where the losses are larger to 1e-5 of the longest."""
    assert len(first) == len(second) > 10
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * max(1.0, a.abs().max().item()))
    assert sum(bool(each.any()) for each in first) > 10


def test_two_processes_have_the_gradients_of_one_that_computes_both_parts(among: Among) -> None:
    trainings = [DEFAULT, replace(DEFAULT, cross_every_steps=1), replace(DEFAULT, adversarial_from=1.0), PATENT]
    group, _ = among(2, [each for each in trainings for _ in range(2)])
    for settings in trainings:
        for kind in ("pretrain", "train_step"):
            together, alone = led(settings, group), Trainer(replace(settings, accumulate=2), FACES, "cpu")
            found, expected = (summed(trainer, getattr(trainer, kind)) for trainer in (together, alone))
            group.end()
            compare_weights(group, together)
            assert_near(found, expected)


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_have_the_gradients_of_the_whole_where_losses_are_means(parts: int) -> None:
    trainer = Trainer(PATENT, FACES, "cpu")
    batch = trainer.sampler.draw(4, "cpu")
    whole, divided = (_gradients(trainer, _parts(trainer, batch, count)) for count in (1, parts))
    assert_near(whole, divided)


def _parts(trainer: Trainer, batch: PairBatch, count: int) -> list[Terms]:
    beside, found = draw_beside(trainer.sampler, batch, PATENT), list[Terms]()
    for rows in torch.arange(len(batch.target)).chunk(count):
        part = batch._replace(
            sources=type(batch.sources)(*(each[rows] for each in batch.sources)),
            target=batch.target[rows],
            target_keypoints=type(batch.target_keypoints)(*(each[rows] for each in batch.target_keypoints)),
            identities=batch.identities[rows],
        )
        found.append(adversarial_terms(trainer.networks, part, beside._replace(others=beside.others[rows]), PATENT))
    return found


def _gradients(trainer: Trainer, parts: list[Terms]) -> Gradients:
    descent = Descent(trainer.networks, PATENT)
    descent.clear()
    for terms in parts:
        descent.add(terms["generator"] / len(parts), terms["discriminators"] / len(parts))
    networks = trainer.networks.generator, *trainer.networks.discriminators.values()
    weights = [weight for network in networks for weight in network.parameters()]
    return [weight.grad.clone() for weight in weights if weight.grad is not None]


def numbered(number: int, size: int) -> Group:
    group = Group()
    group.number, group.size = number, size
    return group


@pytest.mark.parametrize(("size", "accumulate"), [(1, 4), (2, 2), (4, 1)])
def test_the_pairs_of_an_update_are_those_of_its_parts_however_many_processes_compute_them(
    size: int, accumulate: int
) -> None:
    """So another number of processes may go on with a training."""
    settings = replace(PATENT, batch_size=8)
    trainers = [
        Trainer(replace(settings, accumulate=accumulate), FACES, "cpu", group=numbered(n, size)) for n in range(size)
    ]
    drawn = [part.batch for trainer in trainers for part in trainer._drawn("train", 3)]  # pyright: ignore[reportPrivateUsage]
    alone = Trainer(replace(settings, accumulate=4), FACES, "cpu")._drawn("train", 3)  # pyright: ignore[reportPrivateUsage]
    for batch, expected in zip(drawn, alone, strict=True):
        assert isinstance(batch, PairBatch)
        assert isinstance(expected.batch, PairBatch)
        assert torch.equal(batch.target, expected.batch.target)
        assert torch.equal(batch.sources.photos, expected.batch.sources.photos)
    assert len({batch.origin.photos.tobytes() for batch in drawn}) > 1


def test_a_training_of_several_processes_goes_on_as_if_never_stopped_and_by_other_numbers(
    among: Among, tmp_path: Path
) -> None:
    group, _ = among(2, [PATENT] * 3)
    unbroken = led(PATENT, group)
    expected = fit(unbroken, HELD_OUT, Listener(), tmp_path / "unbroken")
    group.end()
    compare_weights(group, unbroken)
    killed = led(PATENT, group)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, HELD_OUT, Listener(kill_after=5), tmp_path / "killed")
    group.end()
    compare_weights(group, killed)
    checkpoint = load_checkpoint(tmp_path / "killed")
    assert checkpoint is not None
    assert checkpoint[1]["step"] == 2

    # By one process.
    alone = Trainer(replace(PATENT, accumulate=2), FACES, "cpu")
    alone.load_state(*checkpoint)
    assert fit(alone, HELD_OUT, Listener(), tmp_path / "alone").step == expected.step
    for one, other in zip(alone.average.parameters(), unbroken.average.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)

    # By as many: the same bytes.
    resumed = Trainer(PATENT, FACES, "cpu", group=group)
    resumed.load_state(*checkpoint)
    group.shared_state(resumed.state())
    assert fit(resumed, HELD_OUT, Listener(), tmp_path / "killed") == expected
    group.end()
    compare_weights(group, resumed)
    tensors, others = resumed.state()[0], unbroken.state()[0]
    assert tensors.keys() == others.keys()
    assert all(torch.equal(value, others[name]) for name, value in tensors.items())


@pytest.mark.long
def test_a_process_that_is_killed_ends_all_and_the_checkpoint_is_kept(among: Among, tmp_path: Path) -> None:
    settings = replace(PATENT, batch_size=6)
    group, others = among(3, [settings])

    def kill() -> None:
        os.kill(others[-1].pid, signal.SIGKILL)
        others[-1].join()

    with pytest.raises(GroupError, match="a process of this training has gone"):
        fit(led(settings, group), HELD_OUT, Listener(kill_after=4, kills=kill), tmp_path)
    group.leave()
    for process in others:
        process.join(60)
        assert process.exitcode
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint[1]["pretrained_steps"] + checkpoint[1]["step"] == 4
    assert fit(Trainer(settings, FACES, "cpu"), HELD_OUT, Listener(), tmp_path).step == 6


def test_landmarks_that_are_no_numbers_in_one_process_leave_the_update_out_in_all(among: Among) -> None:
    group, _ = among(2, [PATENT])
    trainer = led(PATENT, group)
    faces = trainer.sampler.faces
    trainer.sampler.faces = replace(faces, points=np.full_like(faces.points, np.nan))
    before = [weight.detach().clone() for weight in trainer.networks.generator.parameters()]
    assert [update.losses for update in trainer.train_step() + trainer.flush()] == [{"left_out_updates": 1.0}]
    trainer.sampler.faces = faces
    assert all(torch.equal(*pair) for pair in zip(before, trainer.networks.generator.parameters(), strict=True))
    assert "generator_l1" in (trainer.train_step() + trainer.flush())[-1].losses
    group.end()
    compare_weights(group, trainer)


def test_tensors_are_summed_in_buckets_of_any_size(among: Among, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.model.training.together.BUCKET_BYTES", 40)
    group, _ = among(1, [])
    tensors = [torch.full(shape, 2.0) for shape in ((3,), (), (30, 2), (2, 2), (1,))]
    expected = [each.clone() for each in tensors]
    group.sum(tensors)
    assert all(torch.equal(*pair) for pair in zip(tensors, expected, strict=True))
