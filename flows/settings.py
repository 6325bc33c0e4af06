"""Settings from a file. A stub until the settings of training can be read: it knows none."""

from __future__ import annotations


def settings_toml() -> str:
    """The defaults as TOML, with their docstrings as comments."""
    return "# no settings can be read from a file yet"
