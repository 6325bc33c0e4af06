"""What `mien doctor` finds of the machine itself: versions of packages, space on disks, S3, CUDA."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import torch
from packaging.requirements import Requirement

from mien import __version__
from mien.flows.cli.finding import Finding
from mien.storage import Root

MIN_FREE_GIB = 1.0
"""Of the disks of root and temporary folder: MLflow and torch write what they send to temporary files first."""
_SHOWN = (
    "prefect",
    "mlflow",
    "torch",
    "onnxruntime",
    "opencv-python",
    "pyarrow",
    "numpy",
    "s3fs",
    "sqlalchemy",
    "fastapi",
)
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables of which each names credentials, or where they are. Only whether they are set is looked at."""


def versions() -> Iterator[Finding]:
    """The packages that matter, then each that is not of the version that this project needs."""
    shown = ", ".join(f"{name} {_installed(name) or 'missing'}" for name in _SHOWN)
    yield Finding("versions", True, f"mien {__version__}; {shown}")
    try:
        required = requires("mien") or []
    except PackageNotFoundError:
        yield Finding("versions", False, "mien is not installed as a package: pip install --editable .", needed=False)
        return
    yield from (Finding("versions", False, line) for line in unmet(required))


def unmet(required: Iterable[str]) -> Iterator[str]:
    """What to do about each requirement that the installed packages do not meet; extras are not asked for."""
    for requirement in map(Requirement, required):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = _installed(requirement.name)
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            has = "is not installed" if found is None else f"{found} is installed"
            named = f"{requirement.name}{requirement.specifier}"
            yield f"{named} is needed, and {requirement.name} {has}: pip install '{named}'"


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def disks(root: Root, min_free_gib: float = MIN_FREE_GIB) -> Iterator[Finding]:
    """Space for the root (of a remote one, for what is kept in `./data`) and for temporary files."""
    folder = root.local_path("") or Path("data").resolve()
    yield _space("disk", folder, "choose another --root", min_free_gib)
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        yield Finding("temporary", False, f"no folder for temporary files can be written ({error}): set TMPDIR")
        return
    yield _space("temporary", temporary, "set TMPDIR to another folder", min_free_gib)


def _space(what: str, folder: Path, advice: str, min_free_gib: float) -> Finding:
    there = next((path for path in (folder, *folder.parents) if os.path.isdir(path)), Path("/"))
    try:
        usage = shutil.disk_usage(there)
    except OSError as error:
        return Finding(what, False, f"{folder} cannot be looked at ({error.strerror}): {advice}")
    free_gib = usage.free / 2**30
    summary = f"{free_gib:.1f} of {usage.total / 2**30:.1f} GiB free at {folder}"
    if free_gib < min_free_gib:
        return Finding(what, False, f"{summary}: free {min_free_gib:.0f} GiB, or {advice}")
    return Finding(what, True, summary)


def s3(root: Root, environment: Mapping[str, str] = os.environ) -> Finding:
    """Whether S3 could be used, without asking it: a root on S3 is written to by another check."""
    needed = root.url.startswith(("s3://", "s3a://"))
    library = _installed("s3fs")
    if library is None:
        return Finding("S3", False, "s3fs is not installed: pip install s3fs", needed)
    endpoint = "an endpoint of your own" if environment.get("AWS_ENDPOINT_URL") else "AWS"
    source = next((name for name in _CREDENTIALS if environment.get(name)), None) or _credentials_file(environment)
    if source:
        return Finding("S3", True, f"s3fs {library}; {endpoint}, credentials by {source}", needed=False)
    advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, unless this machine has a role"
    return Finding("S3", False, f"s3fs {library}; no credentials for {endpoint}: {advice}", needed=False)


def _credentials_file(environment: Mapping[str, str]) -> str | None:
    home = environment.get("HOME", "")
    name = environment.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials"
    return name if os.path.isfile(name) else None


def cuda() -> Finding:
    """What is missing to use a GPU."""
    if torch.cuda.is_available():
        import onnxruntime  # it complains of a home that cannot be written

        there = f"{torch.version.cuda} for torch, {torch.cuda.device_count()} GPUs"
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            there += "; insightface's models run on the CPU unless onnxruntime-gpu is installed in onnxruntime's stead"
        return Finding("CUDA", True, there, needed=False)
    if torch.version.cuda is None:
        advice = "to use a GPU, install a build with CUDA (pytorch.org names it for your driver)"
        return Finding("CUDA", False, f"torch {torch.__version__} is built without CUDA: {advice}", needed=False)
    advice = "if the machine has one, nvidia-smi says whether its driver works"
    return Finding(
        "CUDA", False, f"torch is built for CUDA {torch.version.cuda} and sees no GPU: {advice}", needed=False
    )
