"""Generators by kind. A new kind is a file of its own and a line in the registry."""

from __future__ import annotations

from collections.abc import Callable

from mien.model.networks.base import Generated, Generator
from mien.model.networks.config import GeneratorConfig, GeneratorKind
from mien.model.networks.motion import MotionGenerator
from mien.model.networks.residual import ResidualGenerator

__all__ = ["GENERATORS", "Generated", "Generator", "build_generator"]

GENERATORS: dict[GeneratorKind, Callable[[GeneratorConfig], Generator]] = {
    "motion": MotionGenerator,
    "residual": ResidualGenerator,
}


def build_generator(config: GeneratorConfig) -> Generator:
    """A generator with fresh weights, drawn from torch's current random state."""
    return GENERATORS[config.kind](config)
