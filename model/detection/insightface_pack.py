"""Model packs of InsightFace: where they lie, what is in them, and their terms."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mien.model.detection.licences import WeightsLicence
from mien.model.devices import device_kind
from mien.model.errors import DetectorError, first_line

MODULES = ["detection", "landmark_2d_106", "recognition"]

TERMS = WeightsLicence(
    "as published by InsightFace: non-commercial research only, unless licensed from its makers", commercial=False
)
_CUDA = "CUDAExecutionProvider"
_log = logging.getLogger(__name__)


def version_of(files: Iterable[Path]) -> str:
    """Version of the library and hashes of model files."""
    import insightface

    hashes = [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in sorted(files)]
    return "-".join(["insightface", insightface.__version__, *hashes])


def pack_folder(pack: str) -> Path:
    """Where the models of a pack lie, which the library downloads if it is a name.

    Raises:
        DetectorError: no such pack, no way to download it, or a folder without models.
    """
    folder = Path(pack).expanduser()
    if not folder.is_dir():
        if folder.name != pack:
            raise DetectorError(f"no folder {pack}: give the folder of an InsightFace model pack, or a pack's name")
        folder = _downloaded(pack)
    # Some packs were zipped with their folder.
    folders = [folder, *sorted(inner for inner in folder.iterdir() if inner.is_dir())]
    found = next((inner for inner in folders if any(inner.glob("*.onnx"))), None)
    if found is None:
        raise DetectorError(f"no .onnx models in {folder}: put the files of an InsightFace model pack there")
    return found.resolve()


def _downloaded(pack: str) -> Path:
    """The folder the library keeps its packs in, after it has put this one there."""
    from insightface.utils.storage import ensure_available, model_zoo_download_url

    home = Path("~/.insightface/models").expanduser() / pack
    if home.is_dir():
        return home
    url = model_zoo_download_url(f"{pack}.zip")
    _log.warning("downloading the InsightFace model pack %s from %s", pack, url)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return Path(ensure_available("models", pack))
    except Exception as error:
        raise DetectorError(
            f"the model pack {pack!r} could not be downloaded ({type(error).__name__}): get {url} by hand, "
            f"unpack it and use insightface:FOLDER, or use another detector such as dlib"
        ) from error


def load_models(folder: Path, device: str) -> dict[str, Any]:
    """The models of a pack by task. ONNX Runtime runs them: on a CUDA device where its CUDA build is installed, else on
    the CPU.

    They take their threads from `OMP_NUM_THREADS`, as the other libraries do.

    Raises:
        DetectorError: a model cannot be read, or no detector with five points is among them.
    """
    import onnxruntime
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    try:
        # The library reports what it loads.
        with contextlib.redirect_stdout(io.StringIO()):
            analysis = FaceAnalysis(
                name=str(folder),
                allowed_modules=MODULES,
                sess_options=options,
                providers=_providers(device),
            )
            analysis.prepare(ctx_id=0)
    except Exception as error:
        reason = first_line(error) if str(error) else "no face detector among them"
        raise DetectorError(f"the models in {folder} could not be loaded: {reason}") from error
    if not getattr(analysis.det_model, "use_kps", False):
        raise DetectorError(f"the detector in {folder} gives no five points: use a pack with a *_kps detector")
    return dict(analysis.models)


def runs_on(device: str) -> bool:
    """Whether ONNX Runtime runs the models of packs on this device; else it does so on the CPU."""
    import onnxruntime

    return device_kind(device) == "cpu" or _CUDA in onnxruntime.get_available_providers()


def _providers(device: str) -> list[str | tuple[str, dict[str, int]]]:
    """What ONNX Runtime computes by."""
    if device_kind(device) == "cpu" or not runs_on(device):
        return ["CPUExecutionProvider"]
    return [(_CUDA, {"device_id": int(device.partition(":")[2] or 0)})]
