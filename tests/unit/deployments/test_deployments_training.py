"""The script that starts one training on several machines, with programs in the place of Slurm's and torch's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

SCRIPT = REPOSITORY / "deployments" / "slurm-train.sh"


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("nodes", "node", "gpus"), [("2", "1", "8"), (None, None, None)])
def test_each_machine_starts_its_processes_with_the_command_as_it_stands(
    tmp_path: Path, nodes: str | None, node: str | None, gpus: str | None
) -> None:
    _program(tmp_path, "srun", 'shift; exec "$@"')
    _program(tmp_path, "torchrun", 'printf "%s\\n" "$@"')
    slurm = {"SLURM_NNODES": nodes, "SLURM_NODEID": node, "SLURM_GPUS_ON_NODE": gpus}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "MASTER"))}
    environment |= {name: value for name, value in slurm.items() if value} | {"MASTER_ADDR": "first"}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    command = ["mien", "train", "--set", "photos of us", "--minutes", "5"]
    said = subprocess.run(["bash", str(SCRIPT), *command], env=environment, capture_output=True, text=True, check=True)
    own = ["--nnodes", nodes or "1", "--node-rank", node or "0", "--nproc-per-node", gpus or "1"]
    meeting = ["--master-addr", "first", "--master-port", "29500", "--no-python"]
    assert said.stdout.splitlines() == [*own, *meeting, *command]
