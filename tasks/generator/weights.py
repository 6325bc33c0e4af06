"""A registered generator as content of the root: `{root}/models/{sha256 of its weights}/`.

Workers read it from there, so a job goes on when MLflow does not answer or the version is deleted under it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mien.model.device import Compute
from mien.model.errors import SettingsError, WeightsError
from mien.model.inference.exported_generator import CONFIG, ExportedGenerator
from mien.model.networks.config import GeneratorConfig
from mien.storage import MissingError, Root
from mien.storage.artefacts import MODELS, json_artefact, load, read, warn_damaged
from mien.tasks.errors import UsageError
from mien.tasks.generator.registered import MODEL_NAME, RegisteredModel, short_name
from mien.tasks.sets.licences import check_terms, stored_licences

__all__ = [
    "MODEL_NAME",
    "RegisteredModel",
    "check_generator",
    "config_of",
    "keep_model",
    "load_model",
    "loaded_anew",
    "provenance_of",
    "short_name",
    "sources_of",
]

_CONFIG = json_artefact(MODELS, dict[str, Any])


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


def load_model(root: Root, sha256: str, compute: Compute | None = None) -> ExportedGenerator:
    """The generator with these weights, loaded once per process and device; in float32 on the CPU unless told."""
    compute = compute or Compute()
    return _loaded(root, sha256, compute, str(compute.torch_device))


@lru_cache(maxsize=4)  # an evaluation has some side by side
def _loaded(root: Root, sha256: str, compute: Compute, _device: str) -> ExportedGenerator:
    return loaded_anew(root, sha256, compute)


def loaded_anew(root: Root, sha256: str, compute: Compute) -> ExportedGenerator:
    """The same, read from the root whatever the process has."""
    stored = MODELS.path(sha256)
    local = root.local_path(stored)
    if local is not None:
        return ExportedGenerator.load(local, sha256, compute)
    with TemporaryDirectory() as folder:
        for name in root.list(stored):
            (Path(folder) / name).write_bytes(root.read_bytes(f"{stored}/{name}"))
        return ExportedGenerator.load(Path(folder), sha256, compute)


def sources_of(root: Root, registered: RegisteredModel, asked: int) -> int:
    """How many photos of a person a generator is to be given: those asked for, or one where it has learnt from one."""
    return asked if load_model(root, registered.sha256).combines else 1


def provenance_of(root: Root, sha256: str) -> dict[str, Any]:
    """What a generator kept in the root says it was trained on and with, read without its weights."""
    return dict(read(root, _CONFIG, f"{sha256}/{CONFIG}").get("provenance", {}))


def config_of(root: Root, sha256: str) -> GeneratorConfig:
    """The shape of a generator kept in the root, read without its weights.

    Raises:
        UsageError: this version of the code has no such generator.
    """
    try:
        return GeneratorConfig(**read(root, _CONFIG, f"{sha256}/{CONFIG}")["generator"])
    except (KeyError, TypeError, SettingsError) as error:
        raise UsageError(f"the generator {sha256[:12]} does not fit this version of the code: train it anew") from error


def check_generator(root: Root, registered: RegisteredModel) -> None:
    """Raises UsageError where a generator kept in the root depends on weights that exclude commercial use."""
    licences = stored_licences(provenance_of(root, registered.sha256).get("weights"))
    if licences is None:
        raise UsageError(f"{registered.uri} does not say what the weights behind it allow: train it anew")
    check_terms(registered.uri, licences)
