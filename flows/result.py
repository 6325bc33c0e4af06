"""What a flow returns: a frozen value with lines for a terminal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


class FlowResult(ABC):
    """The outcome of a flow. It holds what its lines say: `lines` reads no storage."""

    @abstractmethod
    def lines(self) -> list[str]:
        """For a terminal."""

    def report(self) -> str:
        """Markdown, for the artifact that a run leaves in Prefect."""
        return as_block(self.lines())

    def reported(self) -> None:
        """Called once the report is left: a run that is killed before has reported nothing."""
        return

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


MAX_LINES = 200
"""Of a list in a report: Prefect keeps each version of it in its database."""


def as_block(lines: Sequence[str]) -> str:
    """Lines as they are, in Markdown."""
    more = [f"and {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    return "\n".join(["````", *lines[:MAX_LINES], *more, "````"])


def as_rows(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    body = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows[:MAX_LINES]]
    more = [f"| and {len(rows) - MAX_LINES} more |{' |' * (len(head) - 1)}"] if len(rows) > MAX_LINES else []
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body, *more])


def _cell(value: object) -> str:
    return str(value).replace("|", " ").replace("\n", " ").replace("<", "&lt;")


def as_link(text: str, address: str) -> str:
    """A link where a browser follows it from Prefect's page, else the address to be copied."""
    if address.startswith(("https://", "http://")):
        return f"{text}: [{address}]({address})"
    return f"{text}: `{address}`"
