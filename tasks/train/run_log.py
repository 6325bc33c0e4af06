"""What a training reports, passed on to MLflow and to the progress bar.

Metrics come in groups: `loss/…`, `learning_rate/…`, `speed/images_per_s`, `validation/…`; `tasks/train/train.py` adds
`final/…`, and `tasks/evaluate/results.py` those of the evaluation.
"""

from __future__ import annotations

import time

import numpy as np

from mien.model.training.trainer import Trainer
from mien.tasks.runtime.progress import Advance
from mien.tasks.tracking import TrackedRun

LOG_EVERY_STEPS = 20
_RATES = {
    "learning_rate": "learning_rate/generator",
    "muon_learning_rate": "learning_rate/generator_muon",
    "discriminator_learning_rate": "learning_rate/discriminators",
}


class RunLog:
    """Implements `TrainingLog`: means over some steps go to MLflow, the number of images to the progress bar."""

    def __init__(self, run: TrackedRun, trainer: Trainer, advance: Advance) -> None:
        self._run, self._trainer, self._advance = run, trainer, advance
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._updates = self._step = 0
        self._since_s = time.perf_counter()
        self._images, self._done_before = 0, trainer.fraction_done

    def losses(self, step: int, values: dict[str, float]) -> None:
        images = self._trainer.settings.batch_size
        self._images += images
        # What a former run of the same training did is in the fraction, and not in the images of this one.
        done = (self._trainer.fraction_done - self._done_before) / max(1 - self._done_before, 1e-9)
        # Nothing is known before the first update of the generator where only their number limits the training.
        self._advance(images, self._images / done if done > 0 else None)
        if self._sums and ("generator" in values) != ("generator" in self._sums):  # pretraining counts its own steps
            self._pass_on()
        for name, value in values.items():  # not every update has every loss
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1
        self._updates, self._step = self._updates + 1, step
        if self._updates == LOG_EVERY_STEPS:
            self._pass_on()

    def _pass_on(self) -> None:
        """Means since the last time, which are of fewer steps where a part of the training ends."""
        now_s = time.perf_counter()
        if self._updates:
            means = {f"loss/{name}": total / self._counts[name] for name, total in self._sums.items()}
            rates = {_RATES[name]: rate for name, rate in self._trainer.learning_rates().items()}
            images_per_s = self._updates * self._trainer.settings.batch_size / (now_s - self._since_s)
            self._run.metrics({**means, **rates, "speed/images_per_s": images_per_s}, self._step)
        self._sums, self._counts, self._updates = {}, {}, 0
        self._since_s = now_s

    def metrics(self, step: int, values: dict[str, float]) -> None:
        self._pass_on()
        self._run.metrics({f"validation/{name}": value for name, value in values.items()}, step)

    def grid(self, step: int, sheet: np.ndarray) -> None:
        self._run.picture(f"samples/step-{step:06d}.png", sheet)
        self._since_s = time.perf_counter()  # validation is no training: the rate is of updates alone

    def checkpoint(self, step: int) -> None:
        self._run.tags({"mien.checkpoint_step": str(step)})
