"""What an import brings with it: seconds of waiting before anything is said."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import mien
from tests.paths import REPOSITORY

SHOW_LOADED = (
    "import sys; print(*sorted(name for name in sys.modules if '.' not in name or name.startswith('mien.flows')))"
)

JOBS = "import mien.flows.prepare, mien.flows.augment"


@cache
def loaded_by(code: str) -> frozenset[str]:
    """Top-level modules, and those of `mien.flows`, that a fresh process has after this code."""
    command = [sys.executable, "-c", f"{code}\n{SHOW_LOADED}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return frozenset(done.stdout.splitlines()[-1].split())


def test_flows_without_a_generator_load_neither_torch_nor_mlflow() -> None:
    flows = [f"mien.flows.{flow}" for flow in ("prepare", "verify", "report", "gallery")]
    loaded = loaded_by("\n".join(f"import {flow}" for flow in flows))
    assert loaded >= set(flows)
    assert not loaded & {"torch", "mlflow", "sklearn", "scipy", "skimage", "pandas"}


def test_the_flows_that_may_run_on_a_cluster_do_not_load_what_connects_to_one() -> None:
    assert "ray" not in loaded_by(JOBS)
    assert "ray" not in loaded_by("import mien.tasks.runtime.node_worker"), "a worker process needs none of it"


def test_a_transfer_job_loads_neither_clustering_nor_image_metrics() -> None:
    """Both are imported where they are used: they take seconds, and a job with labels uses neither."""
    assert not loaded_by(JOBS) & {"sklearn", "skimage"}


def test_a_further_training_process_loads_only_what_it_computes_with() -> None:
    loaded = loaded_by("import mien.tasks.train.member")
    assert "torch" in loaded
    assert not loaded & {"prefect", "mlflow", "scipy", "skimage", "sklearn", "pandas"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["no-such-command"]])
def test_the_list_of_commands_loads_no_flow(arguments: list[str]) -> None:
    loaded = loaded_by(f"from mien.flows.cli.app import main\nmain({arguments!r})")
    flows = {name for name in loaded if name.startswith("mien.flows.") and not name.startswith("mien.flows.cli")}
    assert flows == set()
    assert not loaded & {"prefect", "torch", "mlflow", "pyarrow", "numpy", "cv2"}


def test_a_command_loads_its_own_flow_only() -> None:
    loaded = loaded_by("from mien.flows.cli.app import main\nmain(['verify', '--help'])")
    common = ("common_texts", "parameters", "result", "run_report", "scrubbed_flow", "wrapped")
    known = {f"mien.flows.{name}" for name in ("verify", *common)}
    assert {
        name for name in loaded if name.startswith("mien.flows.") and not name.startswith("mien.flows.cli")
    } == known


def test_the_package_alone_loads_nothing_of_it() -> None:
    loaded = loaded_by("import mien\nassert {'load', 'open', 'prepare', 'train', 'augment'} <= set(dir(mien))")
    assert not loaded & {"prefect", "torch", "mlflow", "pyarrow", "numpy", "cv2", "pandas"}
    assert not {name for name in loaded if name.startswith("mien.")}


def test_reading_a_set_loads_neither_torch_nor_prefect_nor_mlflow() -> None:
    assert not loaded_by("import mien\nmien.open") & {"prefect", "torch", "mlflow"}


def test_a_generator_is_loaded_without_prefect() -> None:
    loaded = loaded_by("import mien\nmien.load")
    assert "torch" in loaded
    assert "prefect" not in loaded


def test_the_stub_names_what_the_package_offers() -> None:
    stub = ast.parse((REPOSITORY / "mien/__init__.pyi").read_text())
    named = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert named == mien._OFFERED
    assert all(callable(getattr(mien, name)) for name in named)


def test_the_part_that_a_registered_generator_carries_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "mien").mkdir()
    shutil.copy(REPOSITORY / "mien/__init__.py", tmp_path / "mien")
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport mien\n"
    for use in ("mien.load", "from mien import load"):
        done = subprocess.run(
            [sys.executable, "-c", code + use], capture_output=True, text=True, timeout=60, check=False
        )
        assert "the part of mien that a registered generator carries" in done.stderr.splitlines()[-1]
    loaded_by(f"{code}assert not hasattr(mien, 'nothing')")
