"""The experiments of docs/results.md go on with generators that were trained before."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.experiments import REGISTERED, experiments, section
from mien.flows.train import TrainedGenerator
from mien.tasks.generator.registered import RegisteredModel


@pytest.mark.parametrize("champion", [True, False])
def test_the_version_of_a_training_that_was_done_before_is_read(champion: bool) -> None:
    model = RegisteredModel("models:/mien-generator/12", "run", "e" * 64, champion)
    said = "\n".join(TrainedGenerator(model, "found", champion="models:/mien-generator/13").lines())
    found = REGISTERED.search(said)
    assert found is not None
    assert found[1] == model.uri


def test_what_each_experiment_found_stands_under_its_command(tmp_path: Path) -> None:
    of_all = [arguments for _, arguments in experiments("models:/g/1", "models:/g/2")]
    prefixes = ["orl-recognition", "orl-b-recognition", "actors-recognition", "london-recognition",
                "orl-verification", "actors-verification", "actors-expression", "orl-turned"]  # fmt: skip
    assert len(of_all) == len(prefixes)
    for arguments, prefix in zip(of_all, prefixes, strict=True):
        page = tmp_path / "experiment-pages" / prefix / "experiment.md"
        page.parent.mkdir(parents=True)
        page.write_text(f"## what {prefix} found\n\n| a | b |\n")
        shown = section(tmp_path, arguments)
        assert shown.startswith(f"## what {prefix} found\n\n```bash\nmien experiment {arguments[1]} --set ")
        assert shown.endswith("\n```\n\n| a | b |\n")
