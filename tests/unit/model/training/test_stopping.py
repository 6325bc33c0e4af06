"""The stop rules of the patent and early stopping."""

from __future__ import annotations

import math

from mien.model.training.stopping import StopSettings, StopState

EQUILIBRIUM = 2 * math.log(2)


def losses(identity: float, expression: float) -> dict[str, float]:
    return {"discriminator_identity": identity, "discriminator_expression": expression, "generator": 3.0}


SETTINGS = StopSettings(window_steps=4, tolerance=0.1, patience_validations=2)


def test_training_stops_once_both_discriminators_have_settled() -> None:
    state = StopState()
    for off in (0.3, -0.3, 0.2, -0.2):  # the means over the window count
        assert state.reason(SETTINGS) is None
        state.after_step(losses(EQUILIBRIUM + off, EQUILIBRIUM - off), SETTINGS, EQUILIBRIUM)
    assert state.reason(SETTINGS) == "discriminators settled"


def test_one_settled_discriminator_is_not_enough() -> None:
    state = StopState()
    for _ in range(8):
        state.after_step(losses(EQUILIBRIUM, 0.5), SETTINGS, EQUILIBRIUM)
    assert state.reason(SETTINGS) is None


def test_each_window_is_judged_by_itself() -> None:
    state = StopState()
    for loss in (0.1,) * 4 + (EQUILIBRIUM,) * 4:
        state.after_step(losses(loss, loss), SETTINGS, EQUILIBRIUM)
    assert state.reason(SETTINGS) == "discriminators settled"


def test_steps_without_the_discriminators_do_not_count() -> None:
    state = StopState()
    for _ in range(8):
        state.after_step({"generator_l1": 1.0}, SETTINGS, EQUILIBRIUM)
    assert state == StopState()


def test_preset_values_other_than_the_equilibrium() -> None:
    settings = StopSettings(settled_identity=1.0, settled_expression=0.8, tolerance=0.01, window_steps=1)
    state = StopState()
    state.after_step(losses(1.005, 0.795), settings, EQUILIBRIUM)
    assert state.reason(settings) == "discriminators settled"


def test_early_stop_when_the_metric_no_longer_improves() -> None:
    state = StopState()
    for metric, reason in ((0.5, None), (0.4, None), (0.4, None), (0.41, "early stop")):
        state.after_validation(metric)
        assert state.reason(SETTINGS) == reason
    assert state.best == 0.4


def test_a_metric_that_is_better_when_higher_may_decide() -> None:
    state = StopState()
    for metric, reason in ((0.4, None), (0.5, None), (0.5, None), (0.49, "early stop")):
        state.after_validation(metric, "ssim")
        assert state.reason(SETTINGS) == reason
