"""What calibrating the gate on a set has found: limits, the measures of real photos, and where the embedder fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.model.quality.gate import GateSettings

MANY_STRANGERS = 0.05
"""Of the photos of other people, that keep the limit of similarity, are worth a line."""


@dataclass(frozen=True)
class Calibration:
    """Limits, and the measures that they were read from."""

    limits: dict[str, float]
    faces: int
    """Usable ones of the set, with a label."""
    people: int
    size_px: int
    detector: str
    """Its version."""
    left_out: int
    """Photos that are more like another person of the set, or like nobody."""
    same_person: list[float]
    """Similarities of pairs of photos of one person, sorted, as all that follows."""
    different_people: list[float]
    nearer_to_others: float
    """Share of the photos that are more like the photos of another person than like the other photos of theirs."""
    confused: int
    """Pairs of people whom the embedder cannot tell apart."""
    real: dict[str, list[float]]
    """Measures of real photos that show what was asked for."""
    copies: dict[str, list[float]]
    """Measures of blurred copies of the source where a change was asked for."""

    @property
    def gate(self) -> GateSettings:
        """The limits as settings."""
        return GateSettings(**self.limits)

    @property
    def strangers(self) -> float:
        """Share of the photos of other people that keep the limit of similarity."""
        limit = self.limits["min_identity_similarity"]
        return float((np.array(self.different_people) >= limit).mean()) if self.different_people else 0.0

    def doubts(self, name: str) -> list[str]:
        """Where the embedder cannot tell the people of the set `name` apart, in lines for the report of a job."""
        lines: list[str] = []
        if self.strangers >= MANY_STRANGERS:
            lines.append(
                f"{self.strangers:.0%} of the photos of other people of {name} are as similar as photos of one person: "
                "the embedder alone cannot tell these people apart, the comparison with the nearest other person has to"
            )
        if self.confused:
            pairs = _count(self.confused, "pair")
            lines.append(f"the embedder cannot tell {pairs} of people of {name} apart: faces may show the other one")
        return lines

    def lines(self) -> list[str]:
        """Quantiles as a table in markdown, and what the limits let pass."""
        limit, strangers = self.limits["min_identity_similarity"], self.strangers
        rows = {"similarity, one person": self.same_person, "similarity, two people": self.different_people}
        rows |= {name.replace("_", " "): self.real[name] for name in _SHOWN if name in self.real}
        rows |= {"expression reached, blurred copies": self.copies.get("expression_reached", [])}
        lines = ["| real photos | 1% | 5% | 50% | 95% | 99% |", "|---|---|---|---|---|---|"]
        for name, values in rows.items():
            if values:
                shown = " | ".join(f"{value:.3f}" for value in np.quantile(values, _SHARES))
                lines.append(f"| {name} | {shown} |")
        lines += ["", f"limits: {', '.join(f'{name} {value:g}' for name, value in self.limits.items())}"]
        lines.append(
            f"similarity {limit:.3f} lets {strangers:.1%} of the photos of other people pass; "
            f"{self.nearer_to_others:.1%} of the photos are more like another person of the set"
        )
        if self.confused:
            lines.append(f"{_count(self.confused, 'pair')} of people cannot be told apart by the embedder")
        return lines


_SHARES = (0.01, 0.05, 0.5, 0.95, 0.99)
_SHOWN = (
    "expression_reached", "expression_error", "sharpness_ratio", "mouth_sharpness_ratio", "eyes_sharpness_ratio",
    "texture_error", "contrast_ratio", "colour_difference",
)  # fmt: skip


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
