"""What decides generated faces, and the fingerprint of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from model.devices import Compute
from model.faces import detector_version
from model.judging import GateSettings
from model.provenance import ImageFormat
from model.retargeting import RetargetSettings
from storage import fingerprint, source_digest
from tasks.faces import FaceTables
from tasks.models import RegisteredModel

CODE = source_digest(
    "tasks.transfer_rows",
    "tasks.transfer_settings",
    "tasks.faces",
    "tasks.generation",
    "tasks.retargeting",
    "model.application",
    "model.devices",
    "model.head_pose",
    "model.heatmaps",
    "model.judging",
    "model.networks",
    "model.neutral",
    "model.places",
    "model.provenance",
    "model.quality",
    "model.retargeting",
    "model.shape_model",
    "model.similarity",
    "model.face_motion",
    "model.openings",
    "model.spline",
    "storage.schemas",
)


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
    """Where the faces of the plan are found."""
    crop_size_px: int
    faces: str = "dlib"
    """The detector that judges the results."""
    gate: GateSettings = field(default_factory=GateSettings)
    retarget: RetargetSettings = field(default_factory=RetargetSettings)
    neutrals: str | None = None
    """Fingerprint of the people's neutrals, which are kept in the root; None takes the drivers' points as they are."""
    output: OutputSettings = field(default_factory=OutputSettings)
    require_consent: bool = False
    """Refuses sources whose photo came without a word on consent."""
    compute: Compute = field(default_factory=Compute)
    """Of the generator; the bytes are the same on one kind of device only."""


def settings_of(about: Any) -> TransferSettings:
    """The settings that a table of `transfers` was made with, from what its manifest says about it."""
    told: dict[str, Any] = dict(about["settings"])
    told["model"] = RegisteredModel(**told["model"], champion=False)
    told["sets"] = tuple(FaceTables(**tables) for tables in told["sets"])
    told["gate"] = GateSettings(**told["gate"])
    told["retarget"] = RetargetSettings(**told["retarget"])
    told["output"] = OutputSettings(**told["output"])
    told["compute"] = Compute(**told["compute"])
    return TransferSettings(**told)


def settings_fingerprint(settings: TransferSettings) -> str:
    """Of all that decides a generated face besides its pair: settings, weights, tables, detector, code."""
    return fingerprint({"code": CODE, "settings": decisive(settings), "judge": detector_version(settings.faces)})


def decisive(settings: TransferSettings) -> dict[str, Any]:
    """The settings as a manifest keeps them, for `settings_of`."""
    told = asdict(settings)
    del told["model"]["champion"]  # an alias may move; the version's output does not
    return told
