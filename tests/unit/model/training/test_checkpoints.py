"""A checkpoint is whole or not there; a kill while one is written leaves the former one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.model.errors import WeightsError
from mien.model.training.checkpoints import TENSORS, load_checkpoint, save_checkpoint

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import torch
from mien.model.training import checkpoints
checkpoints._flush = lambda path: os.kill(os.getpid(), signal.SIGKILL)
checkpoints.save_checkpoint(Path(sys.argv[1]), 2, {"w": torch.ones(3)}, {"step": 2})
"""


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    tensors = {"a.weight": torch.randn(3, 4), "a.step": torch.tensor(7.0)}
    rest = {"step": 3, "elapsed_s": 1.25, "random": random.bit_generator.state}
    save_checkpoint(tmp_path, 3, tensors, rest)
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded[1] == rest
    assert {name: value.tolist() for name, value in loaded[0].items()} == {n: v.tolist() for n, v in tensors.items()}


def test_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "nowhere") is None


def test_only_the_newest_is_kept(tmp_path: Path) -> None:
    for updates in (9, 10, 11):
        save_checkpoint(tmp_path, updates, {"w": torch.full((2,), updates)}, {"step": updates})
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded[1] == {"step": 11}
    assert len(list(tmp_path.iterdir())) == 1


def test_killed_while_writing_the_former_one_is_found(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"w": torch.zeros(3)}, {"step": 1})
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert done.returncode == -signal.SIGKILL, done.stderr
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded[1] == {"step": 1}
    save_checkpoint(tmp_path, 2, {"w": torch.ones(3)}, {"step": 2})
    assert len(list(tmp_path.iterdir())) == 1  # what the killed process left is gone


def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, 1, {"w": torch.zeros(3)}, {"step": 1})
    (path / TENSORS).write_bytes(b"garbage")
    with pytest.raises(WeightsError, match="delete it to start the training anew"):
        load_checkpoint(tmp_path)
