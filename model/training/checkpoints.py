"""Checkpoints of a training: safetensors for tensors, JSON for the rest, nothing pickled.

    {folder}/updates-00000400/tensors.safetensors
                              state.json

A checkpoint is written into a hidden folder and renamed, so a folder of that name is complete. Older checkpoints are
removed afterwards. A kill at any moment leaves the former checkpoint or the new one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mien.model.errors import WeightsError

TENSORS, STATE = "tensors.safetensors", "state.json"
_PREFIX = "updates-"


def save_checkpoint(folder: Path, updates: int, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> Path:
    """Writes the checkpoint of the state after so many updates and removes older ones; returns the folder.

    A checkpoint that exists is the same: a training that resumed from it can only come to later ones.
    """
    path = folder / f"{_PREFIX}{updates:08d}"
    if path.exists():
        return path
    hidden = folder / f".{path.name}.{os.getpid()}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, hidden / TENSORS)
    (hidden / STATE).write_text(json.dumps(rest, indent=1))
    for written in (*hidden.iterdir(), hidden):
        _flush(written)
    hidden.rename(path)
    _flush(folder)
    _remove_all_but(path)
    return path


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and the rest of the newest checkpoint; None where there is none.

    Raises:
        WeightsError: it cannot be read.
    """
    newest = max(_checkpoints(folder), default=None)
    if newest is None:
        return None
    try:
        return load_file(newest / TENSORS), json.loads((newest / STATE).read_text())
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise WeightsError(
            f"the checkpoint {newest} is damaged ({error}): delete it to start the training anew"
        ) from error


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"))


def _remove_all_but(kept: Path) -> None:
    for path in (*_checkpoints(kept.parent), *kept.parent.glob(f".{_PREFIX}*")):
        if path != kept:
            shutil.rmtree(path, ignore_errors=True)


def _flush(path: Path) -> None:
    """Asks the system to put a file or folder on disk before anything that comes after it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
