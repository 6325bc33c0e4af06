"""A version of a registered generator, by name: free of torch, for what reads the registry and no weights."""

from __future__ import annotations

from dataclasses import dataclass

MODEL_NAME = "mien-generator"


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a registered generator."""

    uri: str
    """`models:/name/version`, never an alias."""
    run_id: str
    sha256: str
    """Of the weights file."""
    champion: bool


def short_name(uri: str) -> str:
    """`v3` of `models:/mien-generator/3`; the whole of any other name: `other-v3`."""
    name, _, version = uri.removeprefix("models:/").rpartition("/")
    return f"v{version}" if name == MODEL_NAME else f"{name}-v{version}"
