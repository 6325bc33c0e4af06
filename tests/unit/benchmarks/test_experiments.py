"""The experiments of docs/results.md go on with generators that were trained before."""

from __future__ import annotations

import pytest

from benchmarks.experiments import REGISTERED
from mien.flows.train import TrainedGenerator
from mien.tasks.generator.registered import RegisteredModel


@pytest.mark.parametrize("champion", [True, False])
def test_the_version_of_a_training_that_was_done_before_is_read(champion: bool) -> None:
    model = RegisteredModel("models:/mien-generator/12", "run", "e" * 64, champion)
    said = "\n".join(TrainedGenerator(model, "found", champion="models:/mien-generator/13").lines())
    found = REGISTERED.search(said)
    assert found is not None
    assert found[1] == model.uri
