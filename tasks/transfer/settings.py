"""What decides generated faces, and the fingerprint of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
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
    size_px: int | None = None
    """Side of the faces; None is the generator's own, as tables of earlier versions were made."""


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
    label_check: bool = False
    """Rejects a face that is nearer to the source photo's expression than to the driver's label."""
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
    return _settings(about["settings"])


def older_settings(about: Any) -> dict[str, TransferSettings]:
    """The settings of the rows of a table that older generators made, by their fingerprint."""
    return {name: _settings(settings) for name, settings in (about.get(OLDER) or {}).items()}


def settings_of_row(about: Any, made_with: str) -> TransferSettings:
    """The settings of a row of a table, by its column `settings`. The faces are those of the present tables."""
    present = settings_of(about)
    older = older_settings(about).get(made_with)
    return present if older is None else replace(older, sets=present.sets)


def _settings(kept_as: Any) -> TransferSettings:
    kept: dict[str, Any] = dict(kept_as)
    kept["model"] = RegisteredModel(**kept["model"], champion=False)
    kept["sets"] = tuple(FaceTables(**tables) for tables in kept["sets"])
    kept["gate"] = GateSettings(**kept["gate"])
    kept["retarget"] = RetargetSettings.from_mapping(kept["retarget"])
    kept["output"] = OutputSettings(**kept["output"])
    kept["compute"] = Compute(**kept["compute"])
    return TransferSettings(**kept)


MADE_WITH, OLDER = "made_with", "older"
"""Keys of what the manifest of `transfers` says of its rows: the fingerprint of the settings; and of rows that another
generator made, the settings by their fingerprint."""


def settings_fingerprint(settings: TransferSettings) -> str:
    """Of what decides a generated face besides its pair, the two faces and their people's neutrals: generator, judge,
    limits, form, code. It does not name the tables that the faces lie in: these change with each new photo."""
    kept = decisive(settings)
    del kept["sets"], kept["neutrals"]
    return fingerprint({"code": CODE, "settings": kept, "judge": detector_version(settings.faces)})


def differ_in_generator_only(settings: TransferSettings, other: TransferSettings) -> bool:
    """Whether a face of one is what the other asks for, by another generator."""
    asked = settings_fingerprint(settings)
    return settings_fingerprint(other) != asked == settings_fingerprint(replace(other, model=settings.model))


def decisive(settings: TransferSettings) -> dict[str, Any]:
    """The settings as a manifest keeps them, for `settings_of`."""
    kept = asdict(settings)
    del kept["model"]["champion"]  # an alias may move; the version's output does not
    return kept


def output_id(pair_id: str, settings: str, inputs: str | None, neutrals: str | None) -> str:
    """The id of a generated face. It follows from what decides the picture, and stays while all of this stays."""
    return fingerprint([pair_id, settings, inputs, neutrals])
