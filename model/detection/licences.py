"""Terms of weights that others have trained: what they allow, and what they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mien.model.errors import LicenceError


@dataclass(frozen=True)
class WeightsLicence:
    """Terms that the makers of weights publish them under."""

    terms: str
    """In one sentence, as they are read here; their own text counts."""
    commercial: bool
    """Whether they allow commercial use."""


CC0 = WeightsLicence("CC0 1.0, public domain", commercial=True)
APACHE = WeightsLicence("Apache Licence 2.0", commercial=True)
BOOST = WeightsLicence("part of the library, Boost Software Licence 1.0", commercial=True)

ALTERNATIVES = (
    "--faces mediapipe allows it (Apache 2.0, its embedding CC0 1.0); so do InsightFace's models with a licence of "
    "their makers, and models of your own (docs/detectors.md)"
)


def allow_commercial(licences: Mapping[str, WeightsLicence]) -> bool:
    """Whether all of them do."""
    return all(licence.commercial for licence in licences.values())


def as_line(licences: Mapping[str, WeightsLicence]) -> str:
    """All terms in one line, sorted by name."""
    return "; ".join(f"{name}: {licence.terms}" for name, licence in sorted(licences.items()))


def check_commercial(what: str, licences: Mapping[str, WeightsLicence]) -> None:
    """Raises LicenceError, naming what forbids commercial use and what allows it, unless all weights allow it.

    Args:
        what: What depends on the weights, as the message begins.
        licences: By the names of the weights.
    """
    if allow_commercial(licences):
        return
    forbidding = {name: licence for name, licence in licences.items() if not licence.commercial}
    raise LicenceError(f"{what} may not be used commercially ({as_line(forbidding)}); {ALTERNATIVES}")
