"""What a training is to be: its settings from a file, the flow's parameters, the sets, and the generator that it begins
with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mien.model.configuration.refine import changes
from mien.model.errors import DetectorError
from mien.model.graphs import mediapipe_files
from mien.model.graphs.dlib_weights import EMBEDDING, weight_file
from mien.model.networks.config import SIZES_PX, GeneratorConfig, GeneratorKind
from mien.model.training.recipes import RECIPES, Recipe
from mien.model.training.settings import TrainSettings
from mien.storage import Root
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.generator.trained_on import TrainedOn
from mien.tasks.generator.weights import RegisteredModel, config_of, provenance_of
from mien.tasks.sets.faces import FaceTables, check_compatible, crop_size_px

_log = logging.getLogger("mien.tasks")


def check_limit(minutes: float | None, steps: int | None) -> None:
    """Raises UsageError if nothing would end a training."""
    if minutes is None and steps is None:
        raise UsageError("how long to train? give --minutes M or --steps N")


@dataclass(frozen=True)
class TrainOptions:
    """The parameters of the flow that win over the settings; None leaves a value to them."""

    generator: GeneratorKind | None = None
    size: int | None = None
    minutes: float | None = None
    steps: int | None = None
    seed: int | None = None

    def over(self, settings: TrainSettings) -> TrainSettings:
        """The settings with the given options instead of their own values."""
        config, limits = settings.generator, {"minutes": self.minutes, "steps": self.steps, "seed": self.seed}
        kind = config.kind if self.generator is None else self.generator
        config = replace(config, kind=kind, size_px=config.size_px if self.size is None else self.size)
        given = {name: value for name, value in limits.items() if value is not None}
        return replace(settings, generator=_with_width(config), **given)


def _with_width(config: GeneratorConfig) -> GeneratorConfig:
    """The config with its width written out: the default of a kind may change, a training does not."""
    return replace(config, width=config.channels)


def resolve_settings(
    root: Root,
    sets: Sequence[FaceTables],
    settings: TrainSettings,
    options: TrainOptions,
    start: RegisteredModel | None = None,
) -> TrainSettings:
    """The settings of a training on these sets, which may begin with a generator.

    Raises:
        UsageError: no limit is given, a value is out of its bounds, or the size does not fit the sets; or the settings
            ask for another generator than that which the training begins with.
    """
    with checking_arguments():
        if start is not None:
            settings = replace(settings, generator=_config_of_start(root, start, settings, options))
        settings = options.over(settings)
    if start is not None:
        _check_side(start, config_of(root, start.sha256), settings.generator.size_px)
    check_limit(settings.minutes, settings.steps)
    check_compatible(root, sets)
    size_px, crop_px = settings.generator.size_px, crop_size_px(root, sets[0])
    if size_px > crop_px:
        raise UsageError(
            f"a generator of {size_px} px needs crops of that size: {sets[0].name} was prepared at {crop_px} px"
        )
    return without_missing_terms(settings)


def without_missing_terms(settings: TrainSettings) -> TrainSettings:
    """The settings with the weight of each term at 0 whose network is not installed; logs that in one line each.

    So the fingerprint, the run and the model card tell such a training from one with the term.
    """
    if settings.weights.identity:
        try:
            weight_file(EMBEDDING)
        except DetectorError as error:
            _log.warning("training goes without the identity term (train.weights.identity = 0): %s", error)
            settings = replace(settings, weights=replace(settings.weights, identity=0.0))
    if settings.weights.landmarks and not mediapipe_files.is_installed():
        _log.warning(
            "training goes without the landmark term (train.weights.landmarks = 0): %s", mediapipe_files.INSTALL
        )
        settings = replace(settings, weights=replace(settings.weights, landmarks=0.0))
    return settings


def changed_from_recipe(settings: TrainSettings, recipe: Recipe) -> dict[str, Any]:
    """What of the settings is not as the recipe has it, by dotted name."""
    base = RECIPES[recipe]
    return changes(settings, replace(base, generator=_with_width(base.generator)), "train")


def _config_of_start(
    root: Root, start: RegisteredModel, settings: TrainSettings, options: TrainOptions
) -> GeneratorConfig:
    """The shape of the generator that a training begins with; its side may be another."""
    if TrainedOn.read(provenance_of(root, start.sha256)) is None:
        raise UsageError(f"{start.uri} does not say whom it was trained on, so nobody could be held out: train it anew")
    config = config_of(root, start.sha256)
    asked = replace(settings.generator, kind=options.generator or settings.generator.kind)
    if settings.generator == GeneratorConfig() and options.generator in (None, config.kind):
        return config
    if _with_width(replace(asked, size_px=config.size_px)) != _with_width(config):
        raise UsageError(
            f"{start.uri} has another generator than these settings ({_differences(asked, config)}): leave them out, "
            f"or train from the start"
        )
    return replace(config, size_px=asked.size_px)


def _check_side(start: RegisteredModel, config: GeneratorConfig, size_px: int) -> None:
    """Weights fit another side where as many pixels of it become channels."""
    fitting = [side for side in SIZES_PX if replace(config, size_px=side).fold_px == config.fold_px]
    if size_px not in fitting:
        sides = ", ".join(map(str, fitting))
        raise UsageError(
            f"the weights of {start.uri} do not fit {size_px} px: it looks at {config.size_px} px; "
            f"--size may be {sides}"
        )


def _differences(asked: GeneratorConfig, config: GeneratorConfig) -> str:
    own, wanted = asdict(_with_width(config)), asdict(_with_width(asked))
    return ", ".join(
        f"{name} {wanted[name]}, not {own[name]}" for name in own if name != "size_px" and wanted[name] != own[name]
    )
