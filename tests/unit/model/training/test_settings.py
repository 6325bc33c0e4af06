"""How a batch is divided, and what a kind of device begins with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mien.model.errors import SettingsError
from mien.model.training.recipes import RECIPES
from mien.model.training.settings import TrainSettings


@pytest.mark.parametrize(("batch", "accumulate", "processes", "size"), [(4, 1, 1, 4), (4, 1, 2, 2), (24, 3, 2, 4)])
def test_a_batch_is_divided_among_processes_and_parts(batch: int, accumulate: int, processes: int, size: int) -> None:
    assert TrainSettings(batch_size=batch, accumulate=accumulate).part_size(processes) == size


def test_a_batch_that_cannot_be_divided_is_refused_in_one_line() -> None:
    with pytest.raises(
        SettingsError, match=r"cannot be divided among 3 devices: set train.batch_size to a multiple of 3"
    ):
        TrainSettings().part_size(3)
    with pytest.raises(SettingsError, match=r"set train\.batch_size to 8 or more"):
        TrainSettings().part_size(4)
    assert TrainSettings(mismatched=0.0).part_size(4) == 1
    with pytest.raises(SettingsError, match="cannot be divided into accumulate = 3"):
        TrainSettings(accumulate=3)


@pytest.mark.parametrize("settings", RECIPES.values())
def test_a_cpu_begins_with_the_recipe_and_a_gpu_with_what_is_written_out(settings: TrainSettings) -> None:
    assert settings.for_device("cpu") is settings
    changed = replace(settings, batch_size=64, precision="bfloat16", compiled=True, tf32=True)
    assert settings.for_device("cuda") == changed
