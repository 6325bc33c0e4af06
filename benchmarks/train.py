"""How much of a training's time its updates get, and what a second process brings: `python -m benchmarks.train`.

    waiting    share of the training's time that its updates wait for their batches
    rate       updates of the whole loop (drawn, computed, read, reported) against the same ones on batches drawn before
    two        pairs in a second of two processes with one thread each, against one with one thread

Faces are made up: noise around the reference landmarks, people of ten photos each. So nothing is needed but time. On a
GPU, beside which batches are drawn ahead, the whole loop and the updates alone differ by what the host cannot hide
behind the device.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from mien.model.device import keep_freed_memory, pick_device
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.networks.config import GeneratorConfig
from mien.model.training.batches import UpdateKind
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.negatives import Part
from mien.model.training.settings import TrainSettings
from mien.model.training.together import Together
from mien.model.training.trainer import Trainer

EACH = 10
ROUND = 20
"""Updates that are timed at once: as many as are read at once."""


def made_up_faces(people: int, side_px: int, seed: int = 0) -> FaceArrays:
    """`EACH` photos of each person."""
    random, spec, count = np.random.default_rng(seed), HeatmapSpec(), people * EACH
    calm = reference_landmarks(AlignmentSettings(size_px=side_px)) / side_px * 2 - 1
    points = (calm + random.normal(0, 0.02, (count, 68, 2))).astype(np.float32)
    return FaceArrays(
        images=random.integers(0, 256, (count, 3, side_px, side_px), np.uint8),
        heatmaps=render_heatmaps((points + 1) * (spec.size_px / 2), "ibug68", spec.size_px, spec),
        points=points,
        identities=np.repeat(np.arange(people), EACH),
        spec=spec,
    )


class Timed:
    """A trainer whose batches are drawn as ever, or are those of the last updates again; and the time that goes into
    drawing."""

    def __init__(self, trainer: Trainer) -> None:
        self._draw = trainer._drawn  # pyright: ignore[reportPrivateUsage]
        self._kept: list[list[Part]] = []
        self._again = False
        self.drawing_s = 0.0
        trainer._drawn = self._drawn  # pyright: ignore[reportPrivateUsage]

    def _drawn(self, kind: UpdateKind, update: int) -> list[Part]:
        if self._again:
            return self._kept.pop(0)
        started_s = time.perf_counter()
        parts = self._draw(kind, update)
        self.drawing_s += time.perf_counter() - started_s
        self._kept.append(parts)
        return parts

    def begin(self) -> None:
        """From now on batches are drawn, and kept."""
        self._kept, self._again = [], False

    def again(self) -> None:
        """From now on the batches are those that were drawn since `begin`, in their order."""
        self._again = True


def seconds_of(updates: int, trainer: Trainer, report: Callable[[Any], None]) -> float:
    """Of so many updates, to the moment when their losses are known."""
    started_s = time.perf_counter()
    for _ in range(updates):
        report(trainer.train_step())
    report(trainer.flush())
    return time.perf_counter() - started_s


def alone(settings: TrainSettings, faces: FaceArrays, device: str, rounds: int) -> list[str]:
    """Lines on waiting and rate, the loop and the bare updates in turns."""
    trainer = Trainer(settings, faces, device)
    timed = Timed(trainer)
    seconds_of(3, trainer, _forget)  # kernels are chosen, memory is had
    timed.drawing_s, whole_s, bare_s = 0.0, list[float](), list[float]()
    for _ in range(rounds):
        timed.begin()
        whole_s.append(seconds_of(ROUND, trainer, _forget))
        timed.again()
        bare_s.append(seconds_of(ROUND, trainer, _forget))
        timed.begin()
    updates = rounds * ROUND
    return [
        f"waiting    {timed.drawing_s / sum(whole_s):6.1%} of the time ({timed.drawing_s / updates * 1e3:.1f} ms of "
        f"{sum(whole_s) / updates * 1e3:.0f} ms an update; aim: at most 3%)",
        f"rate       {np.median(bare_s) / np.median(whole_s):6.3f} of that on batches drawn before (aim: 0.97 or more)",
        f"           {updates * settings.batch_size / sum(whole_s):.1f} pairs/s",
    ]


def _forget(_: object) -> None:
    """What would go to MLflow."""


def _member(number: int, size: int, port: int, settings: TrainSettings, faces: FaceArrays) -> None:
    torch.set_num_threads(1)
    group = Together(number, size, dist.TCPStore("127.0.0.1", port, is_master=False))
    trainer = Trainer(settings, faces, "cpu", group=group)
    for kind, _ in group.follow():
        (trainer.pretrain if kind == "pretrain" else trainer.train_step)()
    group.leave()


def two_processes(settings: TrainSettings, faces: FaceArrays, rounds: int) -> str:
    """A line on two processes on the CPU against one; both computed in turns, each process the same batch size."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    double = replace(settings, batch_size=2 * settings.batch_size)
    member = mp.get_context("spawn").Process(target=_member, args=(1, 2, store.port, double, faces), daemon=True)
    member.start()
    group = Together(0, 2, store)
    one, two = Trainer(settings, faces, "cpu"), Trainer(double, faces, "cpu", group=group)
    spent: dict[int, list[float]] = {1: [], 2: []}
    worked: dict[int, list[float]] = {1: [], 2: []}
    for trainer in (one, two):
        seconds_of(2, trainer, _forget)
    for _ in range(rounds):
        for count, trainer in ((1, one), (2, two)):
            before_s = time.process_time()
            spent[count].append(seconds_of(ROUND, trainer, _forget))
            worked[count].append(time.process_time() - before_s)
    group.end()
    member.join()
    group.leave()
    torch.set_num_threads(threads)
    ratio, at_best = (2 * np.median(of[1]) / np.median(of[2]) for of in (spent, worked))
    return (
        f"two        {ratio:6.2f} times the pairs/s of one process, one thread each (aim: 1.6 or more)\n"
        f"           {at_best:.2f} by the time that a core worked for the first process: what free cores give at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--size", type=int, default=128, help="side of the generator and of the photos")
    parser.add_argument("--batch", type=int, help="pairs of an update; as trainings on the device have it if not given")
    parser.add_argument("--rounds", type=int, default=3, help=f"of {ROUND} updates each")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--photos-first", action="store_true", help="updates without discriminators")
    asked = parser.parse_args()
    device = pick_device(asked.device)
    settings = TrainSettings(
        generator=GeneratorConfig(size_px=asked.size), adversarial_from=1.0 if asked.photos_first else 0.0
    ).for_device("cuda" if device.type == "cuda" else "cpu")
    settings = settings if asked.batch is None else replace(settings, batch_size=asked.batch)
    keep_freed_memory()
    faces = made_up_faces(asked.people, asked.size)
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{device}, batches of {settings.batch_size}, {cores} cores for this process, load of the machine {load:.1f}")
    for line in alone(settings, faces, asked.device, asked.rounds):
        print(line, flush=True)
    if device.type == "cpu":
        print(two_processes(settings, faces, asked.rounds))


if __name__ == "__main__":
    main()
