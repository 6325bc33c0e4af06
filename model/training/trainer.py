"""The adversarial training of the method, one update at a time.

A `Trainer` holds the three networks, their optimisers and all state that decides the next update. `fit.py`
runs it to its end.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Generator as Yielding
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from mien.model.device import pick_device, uses_bfloat16
from mien.model.training.batches import CrossBatch, FaceArrays, PairBatch, PairSampler
from mien.model.training.game import Terms, pretraining_terms
from mien.model.training.losses import EQUILIBRIUM
from mien.model.training.muon import Muon
from mien.model.training.negatives import draw_beside
from mien.model.training.networks import Networks
from mien.model.training.objectives import adversarial_terms, cross_terms, photo_terms
from mien.model.training.optimizers import (
    discriminator_optimizer,
    generator_optimizers,
    load_optimizer_tensors,
    optimizer_tensors,
    scheduled,
    set_learning_rate,
)
from mien.model.training.settings import TrainSettings
from mien.model.training.stopping import LEFT_OUT, LeftOutUpdates, StopReason, StopState
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

    Raises:
        DetectorError: there is an identity term, and the package with the embedder's weights is not installed.
    """

    def __init__(
        self,
        settings: TrainSettings,
        faces: FaceArrays,
        device: str = "auto",
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        """`start`: weights that the generator begins with, of any side that they fit; fresh ones if None."""
        self.settings = settings
        self.device = pick_device(device)
        self.sampler = PairSampler(faces, settings.augmentation, settings.seed, settings.pair_candidates)
        self.networks = Networks.fresh(settings, self.device)
        if start is not None:
            self.networks.generator.load_state_dict(start)
        self.average = copy.deepcopy(self.networks.generator).requires_grad_(False)
        self._optimize_generator = generator_optimizers(self.networks.generator, settings)
        self._optimize_discriminators = discriminator_optimizer(self.networks.discriminators, settings)
        self._bfloat16 = uses_bfloat16(settings.precision, self.device)
        self.pretrained_steps = 0
        self.step = 0
        self.elapsed_s = 0.0
        self.stopping = StopState()
        self._left_out = LeftOutUpdates()
        self._best: dict[str, Tensor] = {}

    # --- What is next -------------------------------------------------------------------------------------------------

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

    def pretrain(self) -> dict[str, float]:
        """One update of both discriminators on real photos alone; its losses by name."""
        with self._timed():
            set_learning_rate(self._optimize_discriminators, self.settings.pretrain_learning_rate)
            batch = self.sampler.draw(self.settings.pretrain_batch_size, self.device)
            terms: Terms = {}
            if batch.has_landmarks:
                beside = draw_beside(self.sampler, batch, self.settings)
                with self._autocast():
                    terms = pretraining_terms(self.networks, batch, beside, self.settings)
            taken = bool(terms) and self._discriminators_step(torch.stack(list(terms.values())).sum())
            self.pretrained_steps += 1
        return self._named(terms, taken)

    @property
    def adversarial(self) -> bool:
        """Whether the discriminators take part in the next update."""
        return self.fraction_done >= self.settings.adversarial_from

    def train_step(self) -> dict[str, float]:
        """One update of the generator and, adversarially, one of the discriminators; the losses by name.

        Raises:
            TrainingError: this is one of too many updates in a row whose losses are no numbers.
        """
        with self._timed():
            self._schedule()
            batch = self._drawn()
            terms = self._terms(batch) if batch.has_landmarks else {}
            if taken := bool(terms) and self._step_networks(terms):
                self._update_average()
            self.step += 1
        named = self._named(terms, taken)
        self.stopping.after_step(named, self.settings.stop, EQUILIBRIUM[self.settings.gan_loss])
        return named

    def _drawn(self) -> PairBatch | CrossBatch:
        count, every = self.settings.batch_size, self.settings.cross_every_steps
        sources = self.sampler.source_count(self.settings.max_sources if self.networks.generator.COMBINES else 1)
        if self.adversarial and every and self.step % every == every - 1:
            return self.sampler.draw_cross(count, self.device, sources)
        return self.sampler.draw(count, self.device, sources)

    def _terms(self, batch: PairBatch | CrossBatch) -> Terms:
        """Of the generator from the target photos alone; or of all networks, for pairs of one person or of two."""
        if not self.adversarial and isinstance(batch, PairBatch):
            with self._autocast():
                return photo_terms(self.networks, batch, self.settings)
        beside = draw_beside(self.sampler, batch, self.settings)
        with self._autocast():
            if isinstance(batch, CrossBatch):
                return cross_terms(self.networks, batch, beside, self.settings)
            return adversarial_terms(self.networks, batch, beside, self.settings)

    def _step_networks(self, terms: Terms) -> bool:
        """The gradient of each side of the game goes to its own weights only. False, and no weight is changed, where a
        loss or a gradient of the generator is no number."""
        game = terms.get("discriminators")
        if not all(terms[name].isfinite() for name in ("generator", "discriminators") if name in terms):
            return False
        self._backward(terms["generator"], self._optimize_generator, retain_graph=game is not None)
        length = nn.utils.clip_grad_norm_(self.networks.generator.parameters(), self.settings.max_gradient)
        if not length.isfinite() or (game is not None and not self._discriminators_step(game)):
            return False
        for optimizer in self._optimize_generator:
            optimizer.step()
        return True

    def _discriminators_step(self, loss: Float[Tensor, ""]) -> bool:
        if not loss.isfinite():
            return False
        self._backward(loss, [self._optimize_discriminators])
        weights = [weight for network in self.networks.discriminators.values() for weight in network.parameters()]
        if not nn.utils.clip_grad_norm_(weights, math.inf).isfinite():
            return False
        self._optimize_discriminators.step()
        return True

    def _named(self, terms: Terms, taken: bool) -> dict[str, float]:
        """The losses by name; or that the update was left out, which must not go on for long."""
        self._left_out.after_update(taken, self.step)
        return {name: value.item() for name, value in terms.items()} if taken else {LEFT_OUT: 1.0}

    @staticmethod
    def _backward(
        loss: Float[Tensor, ""], optimizers: Sequence[torch.optim.Optimizer], retain_graph: bool = False
    ) -> None:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        weights = [weight for optimizer in optimizers for group in optimizer.param_groups for weight in group["params"]]
        loss.backward(inputs=weights, retain_graph=retain_graph)

    def _update_average(self) -> None:
        # Early on the average would hold on to random weights: it follows faster until it has seen enough.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for average, weight in zip(self.average.parameters(), self.networks.generator.parameters(), strict=True):
                average.lerp_(weight, 1 - decay)

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

    def _schedule(self) -> None:
        rates = self.learning_rates()
        for optimizer in self._optimize_generator:
            of_muon = isinstance(optimizer, Muon)
            set_learning_rate(optimizer, rates["muon_learning_rate" if of_muon else "learning_rate"])
        set_learning_rate(self._optimize_discriminators, rates["discriminator_learning_rate"])

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16)

    @contextmanager
    def _timed(self) -> Yielding[None]:
        started_s = time.perf_counter()
        yield
        self.elapsed_s += time.perf_counter() - started_s

    # --- Measuring ----------------------------------------------------------------------------------------------------

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

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "optimize_discriminators.": self._optimize_discriminators,
            **{f"optimize_generator_{n}.": optimizer for n, optimizer in enumerate(self._optimize_generator)},
        }

    def state(self) -> State:
        """All that the next updates depend on."""
        tensors = {
            f"{p}{name}": value for p, net in self._networks().items() for name, value in net.state_dict().items()
        }
        tensors |= {f"{_BEST}{name}": value for name, value in self._best.items()}
        for prefix, optimizer in self._optimizers().items():
            tensors |= optimizer_tensors(optimizer, prefix)
        return tensors, {
            "pretrained_steps": self.pretrained_steps,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "random": self.sampler.random.bit_generator.state,
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
        for prefix, optimizer in self._optimizers().items():
            load_optimizer_tensors(optimizer, prefix, tensors)
        self.pretrained_steps, self.step, self.elapsed_s = rest["pretrained_steps"], rest["step"], rest["elapsed_s"]
        self.sampler.random.bit_generator.state = rest["random"]
        self.stopping = StopState(**rest["stopping"])
