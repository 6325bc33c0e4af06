"""`mien settings`: what can be set in a file, with its defaults."""

from __future__ import annotations

from mien.flows.result import Shown
from mien.flows.settings import settings_toml


def show_settings() -> Shown:
    """Print the settings of training, limits and gate as TOML."""
    return Shown(tuple(settings_toml().splitlines()))
