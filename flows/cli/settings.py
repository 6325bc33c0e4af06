"""`mien settings`: what can be set in a file, with its defaults."""

from __future__ import annotations

from mien.flows.result import Shown
from mien.flows.settings import settings_toml
from mien.model.training.recipes import Recipe


def show_settings(*, recipe: Recipe = "default") -> Shown:
    """Print the settings of training, limits and gate as TOML.

    Args:
        recipe: Print the settings of this recipe; default has all defaults.
    """
    return Shown(tuple(settings_toml(recipe).splitlines()))
