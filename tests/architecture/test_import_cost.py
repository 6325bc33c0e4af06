"""What an import brings with it: seconds of waiting before anything is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW_LOADED = (
    "import sys; print(*sorted(name for name in sys.modules if '.' not in name or name.startswith('mien.flows')))"
)


def loaded_by(code: str) -> set[str]:
    """Top-level modules, and those of `mien.flows`, that a fresh process has after this code."""
    command = [sys.executable, "-c", f"{code}\n{SHOW_LOADED}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("flow", ["prepare", "verify", "report", "gallery"])
def test_flows_without_a_generator_load_neither_torch_nor_mlflow(flow: str) -> None:
    loaded = loaded_by(f"import mien.flows.{flow}")
    assert f"mien.flows.{flow}" in loaded
    assert not loaded & {"torch", "mlflow", "sklearn", "scipy", "skimage"}


def test_a_transfer_job_loads_neither_clustering_nor_image_metrics() -> None:
    """Both are imported where they are used: they take seconds, and a job with labels uses neither."""
    assert not loaded_by("import mien.flows.augment") & {"sklearn", "skimage"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["no-such-command"]])
def test_the_list_of_commands_loads_no_flow(arguments: list[str]) -> None:
    loaded = loaded_by(f"from mien.flows.cli.app import main\nmain({arguments!r})")
    flows = {name for name in loaded if name.startswith("mien.flows.") and not name.startswith("mien.flows.cli")}
    assert flows == set()
    assert not loaded & {"prefect", "torch", "mlflow", "pyarrow", "numpy", "cv2"}


def test_a_command_loads_its_own_flow_only() -> None:
    loaded = loaded_by("from mien.flows.cli.app import main\nmain(['verify', '--help'])")
    common = ("parameters", "result", "run_report", "scrubbed_flow", "wrapped")
    known = {f"mien.flows.{name}" for name in ("verify", *common)}
    assert {
        name for name in loaded if name.startswith("mien.flows.") and not name.startswith("mien.flows.cli")
    } == known
