"""Settings of the pipeline: the sections of a settings file, their defaults, their text as TOML.

One file serves all flows: a flow reads its own sections, and the others are validated all the same.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from mien.model.configuration.refine import refine
from mien.model.configuration.toml import as_toml
from mien.model.evaluation.promotion_settings import PromotionSettings
from mien.model.images.output_size import OutputSize
from mien.model.images.video import FrameSettings
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.keyframes import ChangeLimits
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.plan_rules import PlanningSettings
from mien.model.quality.gate import GateSettings
from mien.model.quality.limits import QualityLimits
from mien.model.training.recipes import RECIPES, Recipe
from mien.model.training.settings import DeviceKind, TrainSettings
from mien.storage import read_text
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.runtime.limits import WorkLimits

_HEAD = """\
# Settings of mien: {recipe}.
#
# Copy what you want to change into a file of your own, with the [section] above it, and give that file as
# --settings FILE.toml or as the parameter `settings` of a flow. What a file leaves out stays as it is here.
"""


@dataclass(frozen=True)
class Settings:
    """All sections, one for each table of a settings file."""

    frames: FrameSettings = field(default_factory=FrameSettings)
    """prepare-faces: frames of videos. The parameters fps and every win over it."""
    frame_changes: ChangeLimits = field(default_factory=ChangeLimits)
    """prepare-faces: what makes a frame of a video a new one."""
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)
    """prepare-faces: the aligned crops. The parameter crop_size wins over size_px."""
    quality: QualityLimits = field(default_factory=QualityLimits)
    """prepare-faces: which faces are usable."""
    heatmaps: HeatmapSpec = field(default_factory=HeatmapSpec)
    """prepare-faces: the landmark heatmaps."""
    train: TrainSettings = field(default_factory=TrainSettings)
    """train-generator. The parameters generator, size, minutes, steps and seed win over kind, size_px, minutes, steps
    and seed."""
    promotion: PromotionSettings = field(default_factory=PromotionSettings)
    """train-generator: which generators become champion."""
    planning: PlanningSettings = field(default_factory=PlanningSettings)
    """augment-faces: which pairs are planned."""
    gate: GateSettings = field(default_factory=GateSettings)
    """augment-faces: which generated faces are accepted. Limits calibrated on the set of the parameter gate win."""
    output: OutputSize = field(default_factory=OutputSize)
    """augment-faces: the generated faces. The parameter output_size wins over size_px."""
    work: WorkLimits = field(default_factory=WorkLimits)
    """prepare-faces and augment-faces: time and memory of what worker processes have in hand."""

    def with_crop_size(self, size_px: int | None) -> Settings:
        """The settings with crops of this size, if one is given."""
        return self if size_px is None else replace(self, alignment=replace(self.alignment, size_px=size_px))

    def with_output_size(self, size_px: int | None) -> Settings:
        """The settings with generated faces of this side, if one is given."""
        return self if size_px is None else replace(self, output=OutputSize(size_px))

    def with_frames(self, fps: float | None, every: int | None) -> Settings:
        """The settings with these frames of a video, if any are given; `every` wins over `fps`."""
        frames = self.frames if fps is None else replace(self.frames, fps=fps, every=None)
        return replace(self, frames=frames if every is None else replace(frames, every=every))


def read_settings(
    given: dict[str, Any] | str | None, recipe: Recipe = "default", trains_on: DeviceKind = "cpu"
) -> Settings:
    """The settings of a recipe, refined.

    Args:
        given: Sections as a mapping, or the path or URL of a TOML file that has them.
        recipe: Named settings of a training to start from.
        trains_on: The kind of device that the training is to run on, for which the recipe is changed.

    Raises:
        UsageError: one line: the recipe or the file is unknown, the file is no TOML, a section or a setting is unknown,
            or a value is of another type or out of its bounds.
    """
    with checking_arguments():
        return refine(_of_recipe(recipe, trains_on), _sections(given))


def _of_recipe(recipe: Recipe, trains_on: DeviceKind = "cpu") -> Settings:
    if recipe not in RECIPES:  # a deployment may say anything
        raise UsageError(f"there is no recipe {recipe!r}: choose one of {', '.join(get_args(Recipe))}")
    return Settings(train=RECIPES[recipe].for_device(trains_on))


def _sections(given: dict[str, Any] | str | None) -> dict[str, Any]:
    if not isinstance(given, str):
        return given or {}
    try:
        return tomllib.loads(read_text(given))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{given} is no TOML file: {error}") from error


def settings_toml(recipe: Recipe = "default") -> str:
    """The settings of a recipe as TOML, with what each one means as comments."""
    about = "all defaults" if recipe == "default" else f"all defaults, with the recipe {recipe} of a training"
    return f"{_HEAD.format(recipe=about)}\n\n{as_toml(_of_recipe(recipe))}"
