"""What decides generated faces, and the fingerprint of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mien.model.detection.load import detector_version
from mien.model.device import Compute
from mien.model.expression.retargeting import RetargetSettings
from mien.model.images.provenance import ImageFormat
from mien.model.quality.gate import GateSettings
from mien.storage import fingerprint, source_digest
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.sets.faces import FaceTables

CODE = source_digest("mien.tasks.transfer.generate")


@dataclass(frozen=True)
class OutputSettings:
    """In what form generated faces are kept."""

    image_format: ImageFormat = "png"
    quality: int = 95
    """Of JPEG and WebP, 1 to 100."""
    keep_rejected: bool = False
    """Whether the pixels of rejected faces are kept; their rows always are."""


@dataclass(frozen=True)
class TransferSettings:
    """What decides the generated faces, besides the plan."""

    model: RegisteredModel
    sets: tuple[FaceTables, ...]
    """Where the faces of the plan are found: the set of the sources, then that of the drivers unless it is the same."""
    crop_size_px: int
    faces: str = "dlib"
    """The detector that judges the results."""
    gate: GateSettings = field(default_factory=GateSettings)
    retarget: RetargetSettings = field(default_factory=RetargetSettings)
    neutrals: str | None = None
    """Fingerprint of the people's neutrals, which are kept in the root; None takes the drivers' points as they are."""
    output: OutputSettings = field(default_factory=OutputSettings)
    require_consent: bool = False
    """Refuses sources and drivers unless consent was given for their photos."""
    compute: Compute = field(default_factory=Compute)
    """Of the generator; the bytes are the same on one kind of device only."""

    @property
    def source_set(self) -> FaceTables:
        """The set whose people are shown: what is said of a source stands there."""
        return self.sets[0]

    @property
    def driver_set(self) -> FaceTables:
        """The set whose expressions are taken. A photo may be in both, and each may say something else of it."""
        return self.sets[-1]


def settings_of(about: Any) -> TransferSettings:
    """The settings that a table of `transfers` was made with, from what its manifest says about it."""
    kept: dict[str, Any] = dict(about["settings"])
    kept["model"] = RegisteredModel(**kept["model"], champion=False)
    kept["sets"] = tuple(FaceTables(**tables) for tables in kept["sets"])
    kept["gate"] = GateSettings(**kept["gate"])
    kept["retarget"] = RetargetSettings(**kept["retarget"])
    kept["output"] = OutputSettings(**kept["output"])
    kept["compute"] = Compute(**kept["compute"])
    return TransferSettings(**kept)


LINEAGE = "lineage_settings"
"""Key of what a manifest keeps of the settings as they were when its faces were made, where tables that these name have
been written anew since: they decide the ids of the faces."""


def lineage_of(about: Any, settings: TransferSettings) -> str:
    """The fingerprint of the settings that the faces of a table were made with, under the present code."""
    made_with = about.get(LINEAGE) or decisive(settings)
    return fingerprint({"code": CODE, "settings": made_with, "judge": detector_version(settings.faces)})


def settings_fingerprint(settings: TransferSettings) -> str:
    """Of all that decides a generated face besides its pair: settings, weights, tables, detector, code."""
    return fingerprint({"code": CODE, "settings": decisive(settings), "judge": detector_version(settings.faces)})


def decisive(settings: TransferSettings) -> dict[str, Any]:
    """The settings as a manifest keeps them, for `settings_of`."""
    kept = asdict(settings)
    del kept["model"]["champion"]  # an alias may move; the version's output does not
    return kept
