"""What a transfer job says when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.flows.result import FlowResult, as_link
from mien.storage import TableRef
from mien.tasks.pages.gallery import Gallery
from mien.tasks.plan.cost import Cost
from mien.tasks.plan.counts import PlanOutcome, PlanSummary
from mien.tasks.transfer.label_check import LabelReached


@dataclass(frozen=True)
class AugmentedFaces(FlowResult):
    """The outcome of a transfer job; without tables after a dry run."""

    set: str
    plan: PlanSummary
    outcome: PlanOutcome = field(default_factory=PlanOutcome)
    accepted: int = 0
    rejected: int = 0
    transfers: TableRef | None = None
    gallery: Gallery | None = None
    cost: Cost | None = None
    """What it would take, after a dry run."""
    held: int = 0
    """Pairs that the set has already, after a dry run."""
    refused: tuple[str, ...] = ()
    """Lines on pairs that were not made for want of consent."""
    older: dict[str, int] = field(default_factory=dict)
    """Faces that were kept of another version of the generator, by its name."""
    labels: tuple[LabelReached, ...] = ()
    """How often accepted faces show the label that they carry."""
    doubts: tuple[str, ...] = ()
    """Where the embedder cannot tell the people of the set apart."""
    single_photos: int = 0
    """Faces whose driver is known by one photo."""
    model: str = ""
    """The version that was asked for."""
    mlflow_run: str = ""
    """Address of the run that trained the generator."""

    @property
    def planned(self) -> int:
        """Faces asked for."""
        return self.plan.pairs

    def lines(self) -> list[str]:
        if self.transfers is None or self.gallery is None:
            there = f" ({self.held} of {self.planned} pairs are in the set already)" if self.held else ""
            line = f"{self.set}: {self.planned - self.held} faces would be generated{there}; nothing was written"
            return [line, *self.plan.lines(), *([self.cost.line()] if self.cost else [])]
        return [
            self.summary(),
            *self.older_lines(),
            *self.refused,
            *self.doubts,
            *self.expression_lines(),
            f"table:   {self.transfers.uri}",
            f"gallery: {self.gallery.uri}",
        ]

    def older_lines(self) -> list[str]:
        """A line for each other version whose faces were kept."""
        return [
            f"{count} of them are by {uri}: --remake makes them anew with {self.model}"
            for uri, count in self.older.items()
        ]

    def expression_lines(self) -> list[str]:
        """How far the expressions of the drivers can be trusted, and were reached."""
        lines = [each.line() for each in self.labels]
        if self.single_photos:
            lines.append(
                f"{self.single_photos} faces have drivers known by one photo: their neutrals are estimated from other "
                "people, and about two thirds of the expression is asked for"
            )
        return lines

    def report(self) -> str:
        if self.transfers is None or self.gallery is None:
            return super().report()
        links = [("Gallery", self.gallery.uri), ("Table", self.transfers.uri), ("MLflow run", self.mlflow_run)]
        shown = [f"- {as_link(text, address)}" for text, address in links if address]
        return "\n\n".join(
            [
                self.gallery.summary,
                self.summary(),
                *self.older_lines(),
                *self.refused,
                *self.doubts,
                *self.expression_lines(),
                "\n".join(shown),
            ]
        )

    def summary(self) -> str:
        """One line: what became of the plan."""
        counted = (
            f"{self.set}: {self.planned} faces asked for, {self.accepted + self.rejected} tried, "
            f"{self.accepted} accepted, {self.rejected} rejected"
        )
        return "; ".join(filter(None, [counted, self.outcome.evenness_line(self.plan)]))
