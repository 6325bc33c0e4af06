"""What a flow returns: a frozen value with lines for a terminal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


class FlowResult(ABC):
    """The outcome of a flow. It holds what its lines say: `lines` reads no storage."""

    @abstractmethod
    def lines(self) -> list[str]:
        """For a terminal."""

    @property
    def ok(self) -> bool:
        """Whether the command ends with exit code 0, and not with 1."""
        return True


@dataclass(frozen=True)
class Shown(FlowResult):
    """What a command shows that is no flow."""

    text: tuple[str, ...]

    def lines(self) -> list[str]:
        return list(self.text)
