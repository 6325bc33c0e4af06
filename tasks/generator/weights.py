"""A registered generator as content of the root: `{root}/models/{sha256 of its weights}/`.

Workers read it from there, so a job goes on when MLflow does not answer or the version is deleted under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.model.device import Compute
from mien.model.errors import WeightsError
from mien.model.inference.exported_generator import CONFIG, ExportedGenerator
from mien.storage import MissingError, Root
from mien.storage.artefacts import MODELS, json_artefact, load, read, warn_damaged
from mien.tasks.errors import UsageError
from mien.tasks.sets.licences import check_terms, stored_licences

MODEL_NAME = "mien-generator"

_CONFIG = json_artefact(MODELS, dict[str, Any])


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a registered generator."""

    uri: str
    """`models:/name/version`, never an alias."""
    run_id: str
    sha256: str
    """Of the weights file."""
    champion: bool


def keep_model(root: Root, folder: Path, sha256: str | None = None) -> str:
    """Copies an application model into the root; returns the hash of its weights, which must be `sha256` if given.

    A copy that is there is compared, and replaced where it was damaged.
    """
    found = ExportedGenerator.load(folder, sha256=sha256).sha256
    if found is None:
        raise WeightsError(f"{folder} holds no saved model: train it anew")
    for path in sorted(folder.iterdir()):
        if path.is_file():
            _keep_file(root, f"{found}/{path.name}", path.read_bytes())
    return found


def _keep_file(root: Root, name: str, data: bytes) -> None:
    path = MODELS.path(name)
    try:
        kept = root.read_bytes(path)
    except MissingError:
        kept = data
        root.write_bytes(path, data)
    if kept == data:
        return
    # Two trainings may come to the same weights, so a configuration that tells of another run is none that is damaged.
    if not name.endswith(f"/{CONFIG}"):
        warn_damaged(f"{root.uri(path)} is damaged (not the file that was saved)", MODELS)
    elif (config := load(root, _CONFIG, name)) is not None and config.get("weights_sha256") != name.partition("/")[0]:
        warn_damaged(f"{root.uri(path)} is damaged (of other weights)", MODELS)
    root.write_bytes(path, data)


def short_name(uri: str) -> str:
    """`v3` of `models:/mien-generator/3`; the whole of any other name: `other-v3`."""
    name, _, version = uri.removeprefix("models:/").rpartition("/")
    return f"v{version}" if name == MODEL_NAME else f"{name}-v{version}"


@lru_cache(maxsize=4)  # an evaluation has some side by side
def load_model(root: Root, sha256: str, compute: Compute | None = None) -> ExportedGenerator:
    """The generator with these weights, loaded once per process."""
    stored = MODELS.path(sha256)
    local = root.local_path(stored)
    if local is not None:
        return ExportedGenerator.load(local, sha256, compute)
    with TemporaryDirectory() as folder:
        for name in root.list(stored):
            (Path(folder) / name).write_bytes(root.read_bytes(f"{stored}/{name}"))
        return ExportedGenerator.load(Path(folder), sha256, compute)


def check_generator(root: Root, registered: RegisteredModel) -> None:
    """Raises UsageError where a generator kept in the root depends on weights that exclude commercial use."""
    config = read(root, _CONFIG, f"{registered.sha256}/{CONFIG}")
    licences = stored_licences(config.get("provenance", {}).get("weights"))
    if licences is None:
        raise UsageError(f"{registered.uri} does not say what the weights behind it allow: train it anew")
    check_terms(registered.uri, licences)
