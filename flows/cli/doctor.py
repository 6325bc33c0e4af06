"""What a machine has for this pipeline: one finding a line, and whether anything that is needed is missing."""

from __future__ import annotations

import os
import platform
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import psutil
import torch
from prefect.settings import PREFECT_API_URL

from mien.flows.cli.doctor_machine import cuda, disks, s3, versions
from mien.flows.cli.finding import Finding
from mien.flows.common_texts import with_common_texts
from mien.flows.parameters import ROOT, Detector, RootUrl
from mien.model.detection.choice import chosen_detector
from mien.model.detection.licences import WeightsLicence
from mien.model.detection.load import load_detector
from mien.model.device import pick_device, uses_bfloat16
from mien.model.errors import ModelError
from mien.model.graphs.dlib_weights import EMBEDDING, LANDMARKS, weight_file
from mien.model.graphs.mediapipe_files import INSTALL, is_installed
from mien.storage import Root, StorageError
from mien.storage.secrets import public_url
from mien.tasks.errors import RunError, UsageError
from mien.tasks.runtime.workers import available_cores
from mien.tasks.sets.licences import licence_lines
from mien.tasks.tracking import check_connection, tracking_uri

_PYTHONS = ((3, 11), (3, 13))
_PATIENCE_S = 5.0
_PACKS = Path("~/.insightface/models")
_UP = "which make up starts"
_MLFLOW_SERVER = f"several machines need a server (MLFLOW_TRACKING_URI), {_UP}"


class Diagnosis:
    """The findings as lines. Each is made while its line is read: a server may take seconds not to answer."""

    def __init__(self, root: Root, faces: str) -> None:
        self._root, self._faces = root, faces
        self._failed = False

    def lines(self) -> Iterator[str]:
        for finding in examine(self._root, self._faces):
            self._failed = self._failed or (finding.needed and not finding.ok)
            yield finding.line()

    @property
    def ok(self) -> bool:
        """Whether nothing that is needed has failed; known when the lines have been read."""
        return not self._failed


@with_common_texts
def diagnose(*, root: RootUrl = ROOT, faces: Detector = "auto") -> Diagnosis:
    """Check what this machine has: libraries, weights, servers, root, disks; exit code 1 if something needed fails.

    Args:
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        faces: {detectors} auto is mediapipe where its files are installed, else dlib.
    """
    return Diagnosis(Root(root), chosen_detector(faces))


def examine(root: Root, faces: str) -> Iterator[Finding]:
    """Findings on this machine, for a root and a detector, as they are made."""
    yield _python()
    yield from versions()
    yield _torch()
    yield cuda()
    yield Finding(
        "machine", True, f"{available_cores()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB of memory"
    )
    yield from disks(root)
    yield from _detector(faces)
    if faces != "mediapipe":
        yield _mediapipe()
    if faces != "dlib":
        yield _dlib()
    yield _insightface(needed=faces.startswith("insightface"))
    yield _checked("root", lambda: _root(root))
    yield s3(root)
    yield _checked("MLflow", lambda: _mlflow(root))
    yield _checked("Prefect", _prefect)


def _python() -> Finding:
    ok = _PYTHONS[0] <= tuple(map(int, platform.python_version_tuple()[:2])) <= _PYTHONS[1]
    advice = "" if ok else f": use {' to '.join(f'{major}.{minor}' for major, minor in _PYTHONS)}"
    return Finding("Python", ok, platform.python_version() + advice)


def _torch() -> Finding:
    device = pick_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"no GPU, {torch.get_num_threads()} threads"
    bf16 = "trains in bfloat16" if uses_bfloat16("auto", device) else "trains in float32 (no bfloat16 here)"
    return Finding("torch", True, f"{torch.__version__} on {device.type} ({name}); {bf16}")


def _detector(faces: str) -> Iterator[Finding]:
    try:
        detector = load_detector(faces)
        licences: Mapping[str, WeightsLicence] = detector.weights_licences
        yield Finding("faces", True, f"{faces}: {detector.version}")
    except ModelError as error:
        yield Finding("faces", False, str(error))
        return
    yield from (Finding("weights", True, line) for line in licence_lines(licences))


def _mediapipe() -> Finding:
    if is_installed():
        return Finding("mediapipe", True, "its files are there", needed=False)
    return Finding("mediapipe", False, INSTALL, needed=False)


def _dlib() -> Finding:
    try:
        for name in (LANDMARKS, EMBEDDING):
            weight_file(name)
    except ModelError as error:
        return Finding("dlib", False, str(error), needed=False)
    return Finding("dlib", True, "its weights are there", needed=False)


def _insightface(needed: bool) -> Finding:
    try:
        library = f"library {version('insightface')}"
    except PackageNotFoundError:
        return Finding("insightface", False, "not installed: pip install insightface", needed)
    folder = _PACKS.expanduser()
    packs = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if packs:
        return Finding("insightface", True, f"{library}; model packs: {', '.join(packs)}", needed=False)
    advice = f"{library}; no model pack in {_PACKS}: the first use downloads one, or name a folder (insightface:FOLDER)"
    return Finding("insightface", False, advice, needed=False)


def _checked(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except (StorageError, RunError, UsageError) as error:
        return Finding(what, False, str(error))


def _root(root: Root) -> str:
    """Writes, reads and deletes a small file."""
    path, data = f"doctor-{uuid4().hex}", os.urandom(16)
    root.write_bytes(path, data)
    try:
        if root.read_bytes(path) != data:
            raise RunError(f"{root.url} gives back other bytes than were written: choose another --root")
    finally:
        root.delete(path)
    return f"{root.url} can be written and read"


def _mlflow(root: Root) -> str:
    uri = tracking_uri(root)
    if uri.startswith(("http://", "https://")):
        return _answer(uri, "MLFLOW_TRACKING_URI")
    if uri.startswith("sqlite:///") and not _is_there(Path(uri.removeprefix("sqlite:///"))):
        return f"no server: {public_url(uri)}, which the first training makes; {_MLFLOW_SERVER}"
    check_connection(root)
    return f"{public_url(uri)} answers; {_MLFLOW_SERVER}"


def _is_there(database: Path) -> bool:
    try:
        return database.exists()
    except OSError as error:
        raise RunError(f"{database} cannot be looked at ({error.strerror}): whose is the folder?") from error


def _prefect() -> str:
    url = PREFECT_API_URL.value()
    if url:
        return _answer(url, "PREFECT_API_URL")
    return (
        "no PREFECT_API_URL: each command runs it in its own process; schedules and deployments need a server, " + _UP
    )


def _answer(url: str, variable: str) -> str:
    """Whether a server answers; once, since the clients of both try for minutes."""
    shown = public_url(url)
    try:
        # The address is the user's own, from the environment.
        with urllib.request.urlopen(_with_login(f"{url.rstrip('/')}/health"), timeout=_PATIENCE_S):  # nosec B310
            return f"{shown} answers"
    except urllib.error.HTTPError as error:
        return f"{shown} answers (status {error.code})"
    except (OSError, ValueError) as error:
        raise RunError(f"{shown} does not answer ({error}): start it, or set or unset {variable}") from error


def _with_login(url: str) -> urllib.request.Request:
    """The request for an address that may hold user and password, which urllib would take for the host."""
    parts = urlsplit(url)
    request = urllib.request.Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
    return request
