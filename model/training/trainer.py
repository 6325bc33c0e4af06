"""The adversarial training of the method, one update at a time.

A `Trainer` holds the three networks, their optimisers and all state that decides the next update. `fit.py`
runs it to its end.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as Yielding
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor, nn

from mien.model.device import multiplying_in_tf32, pick_device, uses_bfloat16
from mien.model.training.ahead import Draw, DrawnAhead
from mien.model.training.batches import CrossBatch, PairBatch, PairSampler, UpdateKind
from mien.model.training.compiled import compile_networks
from mien.model.training.descent import Descent
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.face_stream import TrainingFaces
from mien.model.training.game import Terms, pretraining_terms
from mien.model.training.group import Group
from mien.model.training.losses import EQUILIBRIUM
from mien.model.training.negatives import Part, draw_beside
from mien.model.training.networks import Networks
from mien.model.training.objectives import adversarial_terms, cross_terms, photo_terms
from mien.model.training.optimizers import scheduled
from mien.model.training.readings import READ_EVERY, Readings, Update
from mien.model.training.settings import TrainSettings
from mien.model.training.stopping import StopReason, StopState
from mien.model.training.validation import (
    DrawnPairs,
    draw_pairs,
    draw_samples,
    likeness,
    measure_discriminators,
)

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors, and what JSON holds."""
_BEST = "best."
"""Of the averaged generator at the best validation, in the state."""


class Trainer:
    """Trains on `faces`. Two trainers with the same settings, faces and state make the same updates.

    A batch comes in equal parts: `accumulate` of them in each process of the group, one after the other. Losses are
    means over a part, and the gradient is the mean over the parts. Terms that compare faces compare those of a part.

    Raises:
        DetectorError: there is an identity term, and the package with the embedder's weights is not installed.
        SettingsError: the batch cannot be divided among the processes of the group.
    """

    def __init__(
        self,
        settings: TrainSettings,
        faces: TrainingFaces,
        device: str = "auto",
        start: Mapping[str, Tensor] | None = None,
        group: Group | None = None,
        ahead: bool | None = None,
    ) -> None:
        """`start`: weights that the generator begins with, of any side that they fit; fresh ones if None.
        `group`: the processes that train together; this one alone if None. `ahead`: whether batches are drawn while the
        device computes; on CUDA if None."""
        self.settings = settings
        self.group = Group() if group is None else group
        self._part_size = settings.part_size(self.group.size)
        self.device = pick_device(device)
        self.sampler = PairSampler.of(settings, faces, self.group.size)
        self._ahead = DrawnAhead(self._draw, self.device.type == "cuda" if ahead is None else ahead)
        self.networks = Networks.fresh(settings, self.device)
        if start is not None:
            self.networks.generator.load_state_dict(start)
        self.average = copy.deepcopy(self.networks.generator).requires_grad_(False)
        if settings.compiled:
            compile_networks(self.networks)
        self._descent = Descent(self.networks, settings)
        self._bfloat16 = uses_bfloat16(settings.precision, self.device)
        self.pretrained_steps = 0
        self.step = 0
        self.elapsed_s = 0.0
        self.stopping = StopState()
        self._readings = Readings()
        self._best: dict[str, Tensor] = {}

    @property
    def fraction_done(self) -> float:
        """Of whichever limit is nearer, 0..1; 0 without a limit."""
        by_steps = self.step / self.settings.steps if self.settings.steps else 0.0
        by_time = self.elapsed_s / (60 * self.settings.minutes) if self.settings.minutes else 0.0
        return min(max(by_steps, by_time), 1.0)

    @property
    def pretrained(self) -> bool:
        """Whether the discriminators are ready for the generator."""
        settings, endless = self.settings, float("inf")
        limit_steps = min(settings.pretrain_steps, endless if settings.steps is None else settings.steps)
        limit_s = settings.pretrain_share * (endless if settings.minutes is None else 60 * settings.minutes)
        return self.step > 0 or self.pretrained_steps >= limit_steps or self.elapsed_s >= limit_s

    def stop_reason(self) -> StopReason | None:
        """Why training is over, if it is."""
        if self.settings.steps is not None and self.step >= self.settings.steps:
            return "step limit"
        if self.settings.minutes is not None and self.elapsed_s >= 60 * self.settings.minutes:
            return "time limit"
        return self.stopping.reason(self.settings.stop)

    # --- Updates ------------------------------------------------------------------------------------------------------

    def pretrain(self) -> list[Update]:
        """One update of both discriminators on real photos alone; returns what was read, as `train_step`."""
        with self._timed():
            self.group.lead("pretrain", self.elapsed_s)
            self._descent.set_rates(
                {**self.learning_rates(), "discriminator_learning_rate": self.settings.pretrain_learning_rate}
            )
            self._update("pretrain", self.pretrained_steps, self._pretraining_terms)
            self.pretrained_steps += 1
            return self._read() if self.pretrained_steps % READ_EVERY == 0 else []

    @property
    def adversarial(self) -> bool:
        """Whether the discriminators take part in the next update."""
        return self.fraction_done >= self.settings.adversarial_from

    def train_step(self) -> list[Update]:
        """One update of the generator and, adversarially, one of the discriminators.

        Its losses stay on the device. Those of 20 updates are read at once, and returned then; and earlier where the
        stop rule of the discriminators needs them.

        Raises:
            TrainingError: of the updates that were read too many in a row had losses that are no numbers.
        """
        with self._timed():
            self.group.lead("train", self.elapsed_s)
            self._descent.set_rates(self.learning_rates())
            if (taken := self._update("train", self.step, self._terms)) is not None:
                self._update_average(taken)
            self.step += 1
            judged = self.stopping.window_step + self._readings.with_loss("discriminator_identity")
            due = self.step % READ_EVERY == 0 or judged >= self.settings.stop.window_steps
            return self._read() if due else []

    def flush(self) -> list[Update]:
        """Reads what was not read yet."""
        with self._timed():
            return self._read()

    def _read(self) -> list[Update]:
        updates = self._readings.read()
        for update in updates:
            self.stopping.after_step(update.losses, self.settings.stop, EQUILIBRIUM[self.settings.gan_loss])
        return updates

    def _update(self, kind: UpdateKind, update: int, terms_of: Callable[[Part], Terms]) -> Bool[Tensor, ""] | None:
        """Draws the parts of a batch that are this process's and steps along their gradients; whether it was done.
        None, and nothing is computed, where landmarks are no numbers."""
        parts = self._drawn(kind, update)
        if not self.group.all_usable(all(part.batch.has_landmarks for part in parts)):
            self._readings.add_left_out(update + 1)
            return None
        self._descent.clear()
        names: Sequence[str] = ()
        losses: list[Tensor] = []
        for part in parts:
            with self._autocast():
                terms = terms_of(part)
            share = 1 / (len(parts) * self.group.size)
            game = terms.get("discriminators") if kind == "train" else torch.stack(list(terms.values())).sum()
            self._descent.add(*(None if loss is None else loss * share for loss in (terms.get("generator"), game)))
            names = list(terms)
            losses.append(torch.stack([value.detach().float() for value in terms.values()]) * share)
        summed = torch.stack(losses).sum(0)
        taken = self._descent.step(summed, self.group)
        self._readings.add(update + 1, names, summed, taken)
        return taken

    def _drawn(self, kind: UpdateKind, update: int) -> list[Part]:
        return self._ahead.take(self._what_to_draw(kind, update), self._what_to_draw(kind, update + 1))

    def _what_to_draw(self, kind: UpdateKind, update: int) -> Draw:
        training, adversarial, every = kind == "train", self.adversarial, self.settings.cross_every_steps
        cross = training and adversarial and every > 0 and update % every == every - 1
        return Draw(kind, update, cross, alone=training and not adversarial)

    def _draw(self, of: Draw) -> list[Part]:
        settings, sampler, training = self.settings, self.sampler, of.kind == "train"
        of_all = self.group.size * settings.accumulate
        sampler.begin(of.kind, of.update)
        sources = sampler.source_count(settings.max_sources if training and self.networks.generator.COMBINES else 1)
        count = self._part_size if training else max(2, settings.pretrain_batch_size // of_all)
        parts = list[Part]()
        for number in range(settings.accumulate):
            sampler.begin(of.kind, of.update, self.group.number * settings.accumulate + number)
            batch = (sampler.draw_cross if of.cross else sampler.draw)(count, self.device, sources)
            beside = draw_beside(sampler, batch, settings) if batch.has_landmarks and not of.alone else None
            parts.append(Part(batch, beside))
        return parts

    def _pretraining_terms(self, part: Part) -> Terms:
        assert isinstance(part.batch, PairBatch)
        assert part.beside is not None
        return pretraining_terms(self.networks, part.batch, part.beside, self.settings)

    def _terms(self, part: Part) -> Terms:
        """Of the generator from the target photos alone; or of all networks, for pairs of one person or of two."""
        if isinstance(part.batch, CrossBatch):
            assert part.beside is not None
            return cross_terms(self.networks, part.batch, part.beside, self.settings)
        if part.beside is None:
            return photo_terms(self.networks, part.batch, self.settings)
        return adversarial_terms(self.networks, part.batch, part.beside, self.settings)

    def _update_average(self, taken: Bool[Tensor, ""]) -> None:
        # Early on the average would hold on to random weights: it follows faster until it has seen enough.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        share = torch.full((), 1 - decay, device=self.device) * taken
        with torch.no_grad():
            for average, weight in zip(self.average.parameters(), self.networks.generator.parameters(), strict=True):
                average.lerp_(weight, share)

    def learning_rates(self) -> dict[str, float]:
        """Those of the next update."""
        settings, done = self.settings, self.fraction_done
        warm = min(1.0, (self.step + 1) / settings.warmup_steps)
        # The discriminators do not learn until they take part: their rate falls from then on.
        judged = max(done - settings.adversarial_from, 0) / max(1 - settings.adversarial_from, 1e-9)
        return {
            "learning_rate": scheduled(settings.learning_rate, done) * warm,
            "muon_learning_rate": scheduled(settings.muon_learning_rate, done) * warm,
            "discriminator_learning_rate": scheduled(settings.discriminator_learning_rate, judged),
        }

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16)

    @contextmanager
    def _timed(self) -> Yielding[None]:
        started_s = time.perf_counter()
        with multiplying_in_tf32(self.settings.tf32 and self.device.type == "cuda"):
            yield
        self.elapsed_s += time.perf_counter() - started_s

    def validate(self, held_out: FaceArrays) -> dict[str, float]:
        """How well the averaged generator draws people it never saw, and how the discriminators generalise to them."""
        measured = self.measure(held_out)
        if self.adversarial:  # sharper images cost some L1: what came before is no measure of what comes after
            metric = self.settings.stop.metric
            if self.stopping.after_validation(measured[metric], metric, self.step):
                self._best = {name: value.clone() for name, value in self.average.state_dict().items()}
        return measured

    @property
    def average_step(self) -> int:
        """Updates that the averaged generator has seen: those at the best validation where training ended early."""
        return self.stopping.best_step if self._best and self.stop_reason() == "early stop" else self.step

    def keep_best(self) -> None:
        """After an early stop the averaged generator is that of the best validation: what came later was no better."""
        if self.average_step != self.step:
            self.average.load_state_dict(self._best)

    def measure(self, held_out: FaceArrays) -> dict[str, float]:
        """The same, without an effect on when training stops."""
        drawn = draw_pairs(self.average, held_out, self.settings.validation_pairs)
        measured = likeness(drawn, held_out)
        # Until the discriminators take part they have not seen a drawn picture.
        return measured | self.validate_discriminators(held_out, drawn if self.adversarial else None)

    def validate_discriminators(self, held_out: FaceArrays, drawn: DrawnPairs | None = None) -> dict[str, float]:
        """The areas under the curves of both (`discriminator_measures.py`)."""
        return measure_discriminators(self.networks, held_out, self.settings, drawn)

    def sample_grid(self, held_out: FaceArrays, rows: int) -> UInt8[np.ndarray, "height width 3"]:
        """A sheet of samples of the averaged generator."""
        return draw_samples(self.average, held_out, rows, self.sampler.shape_model)

    # --- State --------------------------------------------------------------------------------------------------------

    def _networks(self) -> dict[str, nn.Module]:
        learning = {f"{name}.": network for name, network in self.networks.discriminators.items()}
        return {"generator.": self.networks.generator, "average.": self.average, **learning}

    def state(self) -> State:
        """All that the next updates depend on. What was not read yet is read: the stop rules depend on it."""
        self.flush()
        tensors = {
            f"{p}{name}": value for p, net in self._networks().items() for name, value in net.state_dict().items()
        }
        tensors |= {f"{_BEST}{name}": value for name, value in self._best.items()}
        return tensors | self._descent.tensors(), {
            "pretrained_steps": self.pretrained_steps,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "stopping": vars(self.stopping),
        }

    def load_state(self, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
        """Goes on from what `state` returned."""
        for prefix, network in self._networks().items():
            own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            network.load_state_dict(own)
        self._best = {
            key.removeprefix(_BEST): value.to(self.device) for key, value in tensors.items() if key.startswith(_BEST)
        }
        self._descent.load(tensors)
        self.pretrained_steps, self.step, self.elapsed_s = rest["pretrained_steps"], rest["step"], rest["elapsed_s"]
        self.stopping = StopState(**rest["stopping"])
