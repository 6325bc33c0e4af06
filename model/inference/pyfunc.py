"""The registered generator as MLflow's `pyfunc` serves it: a table of photos in, a table of generated faces out.

MLflow calls `_load_pyfunc` of this module with the folder of an exported generator; nothing is unpickled.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mien.model.detection.load import load_ready_detector
from mien.model.device import Compute
from mien.model.devices import CPU, computing_on, device_in_force
from mien.model.errors import ImageError, ModelError, SettingsError, first_line
from mien.model.expression.retargeting import RetargetSettings
from mien.model.expression.strength_range import check_strength
from mien.model.images.provenance import encode_image
from mien.model.inference.aligned_crops import AlignedCrops
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.given_pictures import GivenPictures
from mien.model.inference.photo_pair import PhotoFace, PhotoPairs, check_sources

FACES, PATHS, DEVICE = "faces", "paths", "device"
"""Keys of the model's configuration: the detector, the folders below which paths are read, what both networks compute
on."""

MEASURES = ("identity_similarity", "driver_similarity", "expression_error", "sharpness_ratio", "detector_score")
COLUMNS = ("image", *MEASURES, "accepted", "reason", "note")
_REMEMBERED = 16
"""Photos whose face is kept while a table is worked through: a source stands in many rows."""
_log = logging.getLogger(__name__)


class GeneratedFaces(pd.DataFrame):
    """The answer: a row for each row asked for.

    MLflow's server writes what `to_dict` gives as JSON, which has no NaN: what was not measured is null there.
    """

    def to_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As of any table, with None for what is missing."""
        plain = pd.DataFrame(self).astype(object)
        return plain.where(plain.notna(), None).to_dict(*args, **kwargs)


class ServedGenerator:
    """What `mlflow.pyfunc.load_model("models:/mien-generator@champion")` wraps."""

    def __init__(self, pairs: PhotoPairs, pictures: GivenPictures) -> None:
        self._pairs, self._pictures = pairs, pictures
        self._one_at_a_time = threading.Lock()  # a server calls from several threads, and detectors have a state

    def predict(self, model_input: Any, params: Any = None) -> GeneratedFaces:
        """Gives the person of each source the expression of its driver.

        Args:
            model_input: A DataFrame with the columns `source` and `driver`: photos as bytes (JPEG, PNG and the other
                formats that are read), as text in base64, or as paths below the folders of the model's configuration.
                A cell of `source` may be a list of up to eight photos of one person: the first is followed in all else,
                and one that seems to show somebody else is left out. `strength` (0.5 to 1.5) multiplies the driver's
                displacement from its neutral, `head_pose` (0 to 1) is the share of the driver's head pose; both are 1
                where they are left out. The largest face of a photo counts.
            params: Not used.

        Returns:
            A DataFrame of as many rows with the same index: `image`, a PNG that says that it is generated, as large as
            the crops that the generator learned from; the measures of the gate; `accepted`; `reason`, which says why a
            face is not accepted, or why there is none; and `note`, on photos that were left out. A row whose photos
            cannot be used has no image, and spoils no other row. Over HTTP the image is base64, in lines, and what is
            missing is null.
        """
        table = pd.DataFrame(model_input)
        if lacking := [side for side in ("source", "driver") if side not in table.columns]:
            raise ModelError(f"the table has no column {lacking[0]}: give source and driver, a photo each")
        face = lru_cache(_REMEMBERED)(self._face)
        rows = [self._answer(row, face) for row in table.to_dict(orient="records")]
        columns = {
            name: pd.Series([row[name] for row in rows], table.index, _dtype(name), name=name) for name in COLUMNS
        }
        return GeneratedFaces(columns, index=table.index)

    def _answer(self, row: Mapping[Any, Any], face: Callable[[bytes], PhotoFace | None]) -> dict[str, Any]:
        try:
            with self._one_at_a_time:
                return self._transferred(row, face)
        except ModelError as error:
            return _without_image(first_line(error))
        except Exception as error:  # of libraries, on one odd picture: the others are wanted nevertheless
            _log.exception("a pair could not be transferred")
            return _without_image(f"it could not be transferred ({type(error).__name__}: {first_line(error)})")

    def _transferred(self, row: Mapping[Any, Any], face: Callable[[bytes], PhotoFace | None]) -> dict[str, Any]:
        how = RetargetSettings(head_pose=_number(row, "head_pose"))
        check_strength(strength := _number(row, "strength"))
        sources = list(row["source"]) if isinstance(row["source"], list | tuple | np.ndarray) else [row["source"]]
        check_sources(len(sources))
        names = ["source", *(f"source {number}" for number in range(2, len(sources) + 1))]
        found: list[PhotoFace] = []
        for name, cell in zip([*names, "driver"], [*sources, row["driver"]], strict=True):
            try:
                shown = face(self._pictures.read(cell))
            except ImageError as error:
                return _without_image(f"{name}: {first_line(error)}")
            if shown is None:
                return _without_image(f"{name}: no face found: use a photo with one clearly visible face")
            found.append(shown)
        person, left_out = self._pairs.one_person(found[:-1], names)
        made = self._pairs.transfer(person, found[-1], how, strength)
        judged = made.judgement
        provenance = {"weights": self._pairs.generator.sha256 or ""}
        return {
            "image": encode_image(made.image, "png", provenance),
            **{name: getattr(judged, name) for name in MEASURES},
            "accepted": judged.reason is None,
            "reason": judged.reason,
            "note": "; ".join(left_out) or None,
        }

    def _face(self, data: bytes) -> PhotoFace | None:
        return self._pairs.face_in(data)


def _number(row: Mapping[Any, Any], name: str) -> float:
    """A setting of the row; 1 where it is left out.

    Raises:
        SettingsError: it is no number.
    """
    value = row.get(name)
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return 1.0
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise SettingsError(f"{name} is {value!r:.60}: give a number")
    return float(value)


def _without_image(reason: str) -> dict[str, Any]:
    return {"image": None, **dict.fromkeys(MEASURES), "accepted": False, "reason": reason, "note": None}


def _dtype(name: str) -> Any:
    return np.float64 if name in MEASURES else bool if name == "accepted" else object


def _load_pyfunc(  # pyright: ignore[reportUnusedFunction]  # MLflow looks for this name
    path: str, model_config: Mapping[str, Any] | None = None
) -> ServedGenerator | AlignedCrops:
    """The served generator in a folder.

    Args:
        path: Of an exported generator.
        model_config: `faces`, the detector; `paths`, the folders below which paths are read, with colons between
            them; `device`, as --device of the commands takes it, of which the first counts: the CPU if it is not
            said. Who loads the model gives it; no request reaches it. Versions from before 0.3 have none.

    Raises:
        WeightsError, DetectorError: weights are missing or damaged, or the detector is not installed.
        DeviceError: there is no such device.
        ModelError: a folder of `paths` is none.
    """
    if model_config is None:
        return AlignedCrops(ExportedGenerator.load(Path(path)))
    given = dict(model_config)
    with computing_on(str(given.get(DEVICE) or CPU)):
        generator = ExportedGenerator.load(Path(path), compute=Compute.chosen("float32", device_in_force()))
        detector = load_ready_detector(str(given.get(FACES) or generator.trained_with))
    pictures = GivenPictures.below(str(given.get(PATHS) or ""))
    return ServedGenerator(PhotoPairs(generator, detector), pictures)
