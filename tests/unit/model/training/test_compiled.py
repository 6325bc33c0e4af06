"""A compiled training makes the updates of one that is not. No code is generated here: that would take minutes.

It runs in a process of its own, since checks of shapes, which tests put around functions, cannot be compiled.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from mien.model.networks.config import GeneratorConfig
from mien.model.training.loss_weights import LossWeights
from mien.model.training.settings import TrainSettings
from mien.model.training.trainer import Trainer
from tests.drawn_faces import drawn_faces

SETTINGS = TrainSettings(
    generator=GeneratorConfig(size_px=64, width=8, blocks=0),
    discriminator_width=4,
    batch_size=2,
    steps=6,
    adversarial_from=0.0,
    cross_every_steps=2,
    max_sources=1,
    weights=LossWeights(identity=0.0, landmarks=0.0),
    precision="float32",
)
SCRIPT = "import tests.unit.model.training.test_compiled as test; test.compare()"


def compare() -> None:
    """Prints the losses of both, and how many graphs were compiled."""
    import torch

    from mien.model.training import compiled, trainer
    from tests.read_updates import pretrain, train_step

    torch.set_num_threads(1)
    original, faces, losses = compiled.compile_networks, drawn_faces(people=3, each=3), list[Any]()
    trainer.compile_networks = lambda networks: original(networks, "aot_eager")
    names: list[list[str]] = []
    for on in (False, True):
        one = trainer.Trainer(replace(SETTINGS, compiled=on), faces, "cpu")
        names.append(sorted(one.state()[0]))
        losses.append([update(one) for update in (pretrain, train_step, train_step)])
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    print(json.dumps({"losses": losses, "graphs": graphs, "same_names": names[0] == names[1]}))


def test_weights_keep_their_names() -> None:
    """So that checkpoints of either kind are those of the other."""
    plain, compiled = (
        Trainer(replace(SETTINGS, compiled=on), drawn_faces(people=3, each=3), "cpu") for on in (False, True)
    )
    assert compiled.state()[0].keys() == plain.state()[0].keys()
    assert "embed" not in vars(plain.networks.identity)
    assert "embed" in vars(compiled.networks.identity), "it runs compiled"


@pytest.mark.long
def test_compiled_networks_learn_the_same_and_keep_their_names() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["graphs"] >= 3
    assert found["same_names"]
    plain, compiled = found["losses"]
    assert len(plain) == 3
    for expected, losses in zip(plain, compiled, strict=True):
        assert losses == pytest.approx(expected, rel=1e-3, abs=1e-4)
