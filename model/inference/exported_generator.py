"""The trained generator as it is stored, registered and used for transfer.

{folder}/generator.safetensors     the weights
         shape_model.safetensors   the linear model of face shapes, for retargeting; may be absent
         config.json               what rebuilds the generator, how its inputs were aligned and rendered, what it was
                                   trained on, and the SHA-256 of the other files
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mien.model.device import Compute
from mien.model.errors import SettingsError, WeightsError
from mien.model.expression.shape_model import ShapeModel
from mien.model.images.tensors import from_uint8, to_uint8
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.keypoints import KeypointInfo, heatmaps_to_float
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.landmarks.schemes import LandmarkScheme
from mien.model.networks.base import Sources
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import Generator, build_generator

WEIGHTS, SHAPE_MODEL, CONFIG = "generator.safetensors", "shape_model.safetensors", "config.json"
_DAMAGED = "train it anew or fetch it again from the registry"


@dataclass(frozen=True)
class ExportedGenerator:
    """A generator ready for use: the same inputs in the same batch give the same pixels."""

    generator: Generator
    alignment: AlignmentSettings
    """How photos are to be aligned for it."""
    heatmap_spec: HeatmapSpec
    """How keypoints are to be rendered for it."""
    provenance: Mapping[str, Any]
    """What it was trained on and with; JSON."""
    sha256: str | None = None
    """Of the weights file; None before it is saved."""
    shape_model: ShapeModel | None = None
    """Fitted to the training faces, for retargeting; None for generators stored without one."""
    shape_model_sha256: str | None = None
    compute: Compute = field(default_factory=Compute)
    scheme: LandmarkScheme | None = None
    """Of the landmarks that the heatmaps of its training were drawn from; None for generators stored without it."""

    @property
    def size_px(self) -> int:
        """Side of what it looks at, and of the motion and layer that it makes; its images may have any."""
        return self.generator.config.size_px

    @property
    def combines(self) -> bool:
        """Whether it is to be given several photos of a person: its kind looks at them, and its training had several.

        A generator that only ever saw one photo puts out the mean of several, which is soft.
        """
        trained = self.provenance.get("settings")
        return self.generator.COMBINES and (trained is None or trained.get("max_sources", 1) > 1)

    @property
    def trained_with(self) -> str:
        """The detector that found the training faces; generators that do not say so were trained with dlib."""
        return str(self.provenance.get("faces") or "dlib")

    def save(self, folder: Path) -> ExportedGenerator:
        """Writes weights and config into a folder; returns what `load` reads from it."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu().contiguous() for name, value in self.generator.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        if self.shape_model is not None:
            self.shape_model.save(folder / SHAPE_MODEL)
        config = {
            "weights_sha256": _sha256(folder / WEIGHTS),
            "shape_model_sha256": None if self.shape_model is None else _sha256(folder / SHAPE_MODEL),
            # With the width written out: the default of a kind may change, these weights do not.
            "generator": {**asdict(self.generator.config), "width": self.generator.config.channels},
            "alignment": asdict(self.alignment),
            "heatmaps": asdict(self.heatmap_spec),
            "landmark_scheme": self.scheme,
            "provenance": dict(self.provenance),
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True))
        return ExportedGenerator.load(folder)

    @staticmethod
    def load(folder: Path, sha256: str | None = None, compute: Compute | None = None) -> ExportedGenerator:
        """Reads what `save` wrote; `sha256` is the hash that the weights must have, if the caller knows it.

        Raises:
            WeightsError: a file is missing or damaged, or the weights are not the ones that were saved.
            DeviceError: there is no such device.
        """
        compute = compute or Compute()
        compute.check()
        config, found = _read_config(folder / CONFIG), _sha256(folder / WEIGHTS)
        if found != config.get("weights_sha256") or found != (sha256 or found):
            raise WeightsError(f"the weights in {folder} are not the ones that were saved there: {_DAMAGED}")
        shape_model = _load_shape_model(folder, of_shapes := config.get("shape_model_sha256"))
        try:
            generator = build_generator(GeneratorConfig(**config["generator"]))
            generator.load_state_dict(generator.upgraded(load_file(folder / WEIGHTS)))
            alignment, spec = AlignmentSettings(**config["alignment"]), HeatmapSpec.from_mapping(config["heatmaps"])
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError, SettingsError) as error:
            raise WeightsError(f"the model in {folder} does not fit this version of the code: {_DAMAGED}") from error
        # A tenth faster on a CPU, and what bfloat16 needs on a GPU.
        generator.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # not in torch's overloads
        generator.to(compute.torch_device).eval().requires_grad_(False)
        about, scheme = config.get("provenance", {}), config.get("landmark_scheme")
        return ExportedGenerator(generator, alignment, spec, about, found, shape_model, of_shapes, compute, scheme)

    def generate(
        self,
        sources: UInt8[np.ndarray, "batch sources side side 3"],
        source_heatmaps: UInt8[np.ndarray, "batch sources parts heatmap_side heatmap_side"],
        target_heatmaps: UInt8[np.ndarray, "batch parts heatmap_side heatmap_side"],
        source_points: Float[np.ndarray, "batch sources 68 2"],
        target_points: Float[np.ndarray, "batch 68 2"],
        present: Bool[np.ndarray, "batch sources"] | None = None,
        side_px: int | None = None,
    ) -> UInt8[np.ndarray, "batch size size 3"]:
        """The people of aligned photos of any size with the expressions of the targets.

        Args:
            sources: Photos of the person of each row, the one that is to be followed in all else first.
            source_heatmaps: Of each source, as the cache has them.
            target_heatmaps: What is asked for.
            source_points: The 68 common landmarks of each source, in [-1, 1] over the crop.
            target_points: What is asked for.
            present: False for sources that only fill up a row; all are there if None.
            side_px: Of the images; that of the sources if None.
        """
        device = next(self.generator.parameters()).device
        there = np.ones(sources.shape[:2], bool) if present is None else present
        photos = from_uint8(_tensor(np.moveaxis(sources, -1, 2), device).flatten(0, 1))
        given = Sources(
            photos.unflatten(0, there.shape),
            heatmaps_to_float(_tensor(source_heatmaps, device).flatten(0, 1)).unflatten(0, there.shape),
            _tensor(source_points, device).float(),
            _tensor(there, device),
        )
        target = KeypointInfo(
            heatmaps_to_float(_tensor(target_heatmaps, device)), _tensor(target_points, device).float()
        )
        half = self.compute.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            return to_uint8(self.generator(given, target, side_px or sources.shape[2]).image)


def _load_shape_model(folder: Path, sha256: str | None) -> ShapeModel | None:
    if sha256 is None:
        return None
    if _sha256(folder / SHAPE_MODEL) != sha256:
        raise WeightsError(f"the shape model in {folder} is not the one that was saved there: {_DAMAGED}")
    return ShapeModel.load(folder / SHAPE_MODEL)


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise WeightsError(f"{path} cannot be read ({error}): {_DAMAGED}") from error


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error}): {_DAMAGED}") from error
