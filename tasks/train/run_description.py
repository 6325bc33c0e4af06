"""What MLflow shows above the run of a training. `register.py` adds what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.model.training.recipes import Recipe
from mien.model.training.settings import TrainSettings


def of_training(
    sets: Sequence[str],
    settings: TrainSettings,
    recipe: Recipe,
    changed: Mapping[str, Any],
    began_with: str | None = None,
) -> str:
    """Markdown for a training that has begun.

    Args:
        sets: Names of the sets that it learns from.
        settings: That decide the training.
        recipe: That the settings were made from.
        changed: What of the recipe they change, by dotted name.
        began_with: The registered generator that it begins with, if any.
    """
    generator, names = settings.generator, ", ".join(f"`{name}`" for name in sets)
    limits = [
        f"{value:g} {unit}"
        for value, unit in ((settings.minutes, "minutes"), (settings.steps, "steps"))
        if value is not None
    ]
    start = "" if began_with is None else f" from the weights of `{began_with}`"
    return (
        f"Trains a {generator.kind} generator of {generator.size_px} px{start} on {names}, for at most "
        f"{' or '.join(limits)}. Recipe `{recipe}`, {changed_line(changed)}."
    )


def changed_line(changed: Mapping[str, Any]) -> str:
    """What of a recipe was changed, in words."""
    values = ", ".join(f"`{name} = {value}`" for name, value in changed.items())
    return f"changed in {values}" if values else "unchanged"
