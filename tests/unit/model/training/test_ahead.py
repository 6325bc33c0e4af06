from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

from mien.model.networks.config import GeneratorConfig
from mien.model.training.ahead import Draw, DrawnAhead
from mien.model.training.face_stream import TrainingFaces
from mien.model.training.negatives import Part
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces
from tests.streamed_faces import Reader, numbered_faces

SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=8, blocks=0),
    discriminator_width=8,
    batch_size=2,
    steps=4,
    pretrain_steps=2,
    adversarial_from=0.5,
    cross_every_steps=2,
    precision="float32",
)


def wanted(update: int, cross: bool = False) -> Draw:
    return Draw("train", update, cross, alone=False)


class Drawing:
    """Draws nothing, and notes what it was asked for and by which thread."""

    def __init__(self) -> None:
        self.asked: list[Draw] = []
        self.threads: set[int] = set()
        self.at_once = 0
        self._lock = threading.Lock()

    def __call__(self, of: Draw) -> list[Part]:
        assert self._lock.acquire(blocking=False), "two batches were drawn at once"
        try:
            self.asked.append(of)
            self.threads.add(threading.get_ident())
            if of.update == 3:
                raise OSError("shard 7 is damaged")
            return []
        finally:
            self._lock.release()


def test_each_batch_is_drawn_once_and_before_it_is_asked_for() -> None:
    drawing = Drawing()
    ahead = DrawnAhead(drawing, ahead=True)
    for update in range(2):
        ahead.take(wanted(update), wanted(update + 1))
    assert drawing.asked[:2] == [wanted(0), wanted(1)]
    assert threading.get_ident() not in drawing.threads


def test_what_is_not_wanted_after_all_is_drawn_anew() -> None:
    drawing = Drawing()
    ahead = DrawnAhead(drawing, ahead=True)
    ahead.take(wanted(0), wanted(1))
    ahead.take(wanted(1, cross=True), wanted(2))
    assert drawing.asked[:3] == [wanted(0), wanted(1), wanted(1, cross=True)]


def test_faces_that_cannot_be_read_are_told_when_their_batch_is_wanted_and_not_before() -> None:
    ahead = DrawnAhead(Drawing(), ahead=True)
    ahead.take(wanted(2), wanted(3))
    with pytest.raises(OSError, match="shard 7 is damaged"):
        ahead.take(wanted(3), wanted(4))
    ahead.take(wanted(5), wanted(3))
    ahead.take(wanted(6), wanted(7))


def test_beside_a_cpu_nothing_is_drawn_ahead() -> None:
    drawing = Drawing()
    DrawnAhead(drawing, ahead=False).take(wanted(0), wanted(1))
    assert drawing.asked == [wanted(0)]
    assert drawing.threads == {threading.get_ident()}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_training_whose_batches_are_drawn_ahead_is_the_same(streamed: bool) -> None:
    faces = numbered_faces([5] * 120) if streamed else drawn_faces(people=4, each=4)
    settings = replace(SETTINGS, resident_faces=170, resident_draws=0.5) if streamed else SETTINGS

    def trained(ahead: bool) -> dict[str, torch.Tensor]:
        given: TrainingFaces = Reader(faces).stream() if streamed else faces
        trainer = Trainer(settings, given, "cpu", ahead=ahead)
        while not trainer.pretrained:
            trainer.pretrain()
        while trainer.stop_reason() is None:  # the discriminators come in halfway, and some pairs are of two people
            trainer.train_step()
        return trainer.state()[0]

    one, other = trained(ahead=True), trained(ahead=False)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
