"""When a training ends, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mien.model.configuration.bounds import Count, NotNegative, check_bounds
from mien.model.errors import TrainingError

StopMetric = Literal["l1", "ssim", "psnr"]
HIGHER_IS_BETTER = frozenset[StopMetric]({"ssim", "psnr"})

StopReason = Literal["step limit", "time limit", "discriminators settled", "early stop"]


@dataclass(frozen=True)
class StopSettings:
    """The patent's stop rule, and early stopping beside it."""

    settled_identity: float | None = None
    """Preset value of -L_Did. Where it is not set, the Nash equilibrium of `gan_loss`: 2·ln 2 of bce, 2 of hinge, 0.5
    of least_squares."""
    settled_expression: float | None = None
    """Preset value of -L_De, likewise."""
    tolerance: NotNegative = 0.01
    """Both losses have settled when their means over the window are this near to the preset values."""
    window_steps: Count = 500
    """Adversarial updates that the means are taken over."""
    patience_validations: Count = 20
    """Validations without a better metric before training ends."""
    metric: StopMetric = "l1"
    """The validation metric that counts."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass
class StopState:
    """What the stop rules remember; saved with the checkpoint."""

    identity_sum: float = 0.0
    expression_sum: float = 0.0
    window_step: int = 0
    settled: bool = False
    best: float | None = None
    """Of the validation metric, negated where higher is better."""
    best_step: int = 0
    """Updates of the generator when it was measured."""
    validations_since_best: int = 0

    def after_step(self, losses: Mapping[str, float], settings: StopSettings, equilibrium: float) -> None:
        """Takes the discriminators' losses of a step, if they took part; judges them at the end of each window."""
        if "discriminator_identity" not in losses:
            return
        self.identity_sum += losses["discriminator_identity"]
        self.expression_sum += losses["discriminator_expression"]
        self.window_step += 1
        if self.window_step < settings.window_steps:
            return
        off = [
            abs(total / self.window_step - (equilibrium if preset is None else preset))
            for total, preset in (
                (self.identity_sum, settings.settled_identity),
                (self.expression_sum, settings.settled_expression),
            )
        ]
        self.settled = max(off) <= settings.tolerance
        self.identity_sum = self.expression_sum = 0.0
        self.window_step = 0

    def after_validation(self, value: float, metric: StopMetric = "l1", step: int = 0) -> bool:
        """Takes the value of the validation metric; whether it is the best so far."""
        cost = -value if metric in HIGHER_IS_BETTER else value
        if self.best is None or cost < self.best:
            self.best, self.best_step, self.validations_since_best = cost, step, 0
            return True
        self.validations_since_best += 1
        return False

    def reason(self, settings: StopSettings) -> StopReason | None:
        """Why to stop now, if at all. Step and time limits are the trainer's."""
        if self.settled:
            return "discriminators settled"
        if self.validations_since_best >= settings.patience_validations:
            return "early stop"
        return None


LEFT_OUT = "left_out_updates"
"""Stands among the losses of an update that was left out."""
MAX_LEFT_OUT = 10
"""Updates in a row that may be left out."""


class LeftOutUpdates:
    """Updates whose losses, gradients or landmarks are no numbers change no weight; ten in a row end a training."""

    def __init__(self) -> None:
        self._in_row = 0

    def after_update(self, taken: bool, step: int) -> None:
        """Counts an update.

        Raises:
            TrainingError: it is one of too many in a row.
        """
        self._in_row = 0 if taken else self._in_row + 1
        if self._in_row >= MAX_LEFT_OUT:
            raise TrainingError(
                f"{MAX_LEFT_OUT} updates in a row, up to update {step}, had losses, gradients or landmarks that are no "
                f"numbers, and were left out: lower train.learning_rate and train.muon_learning_rate, or prepare the "
                f"set again; the checkpoint before them is kept"
            )
