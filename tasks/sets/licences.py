"""Terms of the weights that sets and generators depend on, as their manifests and configurations keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.model.detection.licences import APACHE, CC0, WeightsLicence, as_line, check_commercial
from mien.model.errors import LicenceError
from mien.model.graphs.dlib_weights import EMBEDDING
from mien.model.graphs.mediapipe_files import REFINED_MESH
from mien.storage import Root, read_manifest
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables

TRAINING = {EMBEDDING: CC0, REFINED_MESH.name: APACHE}
"""Of what training itself asks, beside the sets: the embedder of the identity term, the mesh of the landmark term."""


def set_licences(root: Root, tables: FaceTables) -> dict[str, WeightsLicence] | None:
    """Terms of the weights that found a set's faces; None where it was prepared before they were kept."""
    about: Any = read_manifest(root, "faces", tables.faces).about
    return stored_licences(about.get("weights"))


def training_licences(root: Root, sets: Sequence[FaceTables]) -> dict[str, WeightsLicence]:
    """Terms of all weights that a generator trained on these sets depends on."""
    out = dict(TRAINING)
    for tables in sets:
        out |= set_licences(root, tables) or {
            f"the weights of {tables.name}": WeightsLicence("unknown: prepare it again", commercial=False)
        }
    return out


def as_json(licences: Mapping[str, WeightsLicence]) -> dict[str, Any]:
    """As the configuration of a generator keeps them."""
    return {name: {"terms": each.terms, "commercial": each.commercial} for name, each in licences.items()}


def stored_licences(stored: Mapping[str, Any] | None) -> dict[str, WeightsLicence] | None:
    """Terms as a manifest or a configuration keeps them."""
    return None if stored is None else {name: WeightsLicence(**each) for name, each in stored.items()}


def check_sets(root: Root, sets: Sequence[FaceTables]) -> None:
    """Raises UsageError where faces of a set were found with weights that exclude commercial use."""
    for tables in sets:
        licences = set_licences(root, tables)
        if licences is None:
            raise UsageError(f"the set {tables.name} does not say what its weights allow: prepare it again")
        check_terms(f"the faces of {tables.name}", licences)


def check_terms(what: str, licences: Mapping[str, WeightsLicence]) -> None:
    """Raises UsageError where one of the weights excludes commercial use; `what` depends on them."""
    try:
        check_commercial(what, licences)
    except LicenceError as error:
        raise UsageError(str(error)) from error


def licence_lines(licences: Mapping[str, WeightsLicence]) -> list[str]:
    """A line for each, for people."""
    return [
        f"{as_line({name: each})} (commercial use: {'yes' if each.commercial else 'no'})"
        for name, each in sorted(licences.items())
    ]
