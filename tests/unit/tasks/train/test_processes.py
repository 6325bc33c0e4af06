"""A training by several processes, as `mien train --devices` starts them, on drawn faces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from mien.model.errors import TrainingError
from mien.model.networks.config import GeneratorConfig
from mien.model.training.checkpoints import load_checkpoint
from mien.model.training.fit import fit
from mien.model.training.recipes import RECIPES
from mien.model.training.settings import TrainSettings
from mien.storage import Root
from mien.tasks.errors import RunError, UsageError
from mien.tasks.train.faces import load_faces
from mien.tasks.train.processes import OwnProcess, Work, kind_of_training, processes, rank_of_torchrun, training_devices
from mien.tasks.train.work_folder import resumed_trainer
from tests.drawn_set import SIDE_PX, drawn_set
from tests.paths import REPOSITORY

SETTINGS = replace(
    RECIPES["patent"],
    generator=GeneratorConfig(kind="residual", keeps_source=False, size_px=SIDE_PX, width=8, blocks=0),
    discriminator_width=4,
    batch_size=4,
    steps=6,
    pretrain_steps=1,
    validation_pairs=2,
    checkpoint_every_s=0.0,
)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Listener:
    """May do something once after so many updates."""

    def __init__(self, after: int = 0, does: object = None) -> None:
        self.updates: list[int] = []
        self._after, self._does = after, does

    def losses(self, step: int, values: dict[str, float]) -> None:
        self.updates.append(step)
        if len(self.updates) == self._after and callable(self._does):
            self._does()

    def metrics(self, step: int, values: dict[str, float]) -> None: ...

    def grid(self, step: int, sheet: np.ndarray) -> None: ...

    def checkpoint(self, step: int) -> None: ...


def members() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "mien.tasks.train.member" in each.cmdline()]


def trained(root: Root, folder: Path, listener: Listener, devices: int, settings: TrainSettings = SETTINGS) -> str:
    sets = [drawn_set(root)]
    faces, held_out = (load_faces(root, sets, split, SIDE_PX) for split in ("train", "val"))
    with processes(devices, Work.of(root, sets, settings)) as ours:
        trainer = resumed_trainer(settings, faces, folder, None, ours)
        fit(trainer, held_out, listener, folder)
    return ours.description


def test_a_member_that_is_killed_ends_all_with_one_line_and_the_training_goes_on(root: Root, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"

    def kill() -> None:
        (member,) = members()
        member.send_signal(signal.SIGKILL)

    with pytest.raises(RunError) as raised:
        trained(root, folder, Listener(4, kill), 2)
    assert str(raised.value) == (
        "process 2 of 2 of the training was killed (SIGKILL; out of memory?); all have ended: run the same command "
        "again, it goes on from the checkpoint"
    )
    assert members() == []
    assert not torch.distributed.is_initialized()
    checkpoint = load_checkpoint(folder)
    assert checkpoint is not None
    assert checkpoint[1]["step"] == 3
    again = Listener()
    assert trained(root, folder, again, 2) == "2 × cpu"
    assert again.updates == [4, 5, 6]
    assert members() == []


def test_a_member_that_cannot_begin_ends_all_with_its_own_words(root: Root, tmp_path: Path) -> None:
    sets = [drawn_set(root)]
    faces = load_faces(root, sets, "train", SIDE_PX)
    missing = Work(f"{root.url}/elsewhere", tuple(sets), SETTINGS)
    said = r"process 2 of 2 of the training has ended \(.*elsewhere.*\); all have ended"
    with pytest.raises(RunError, match=said), processes(2, missing) as ours:
        resumed_trainer(SETTINGS, faces, tmp_path, None, ours)
    assert members() == []


def test_members_end_when_the_first_process_is_killed(root: Root) -> None:
    drawn_set(root)
    script = (
        "import sys, time; from mien.storage import Root; from mien.tasks.train.processes import *\n"
        "from tests.unit.tasks.train.test_processes import SETTINGS\n"
        "if __name__ == '__main__':\n"
        "  with processes(3, Work(sys.argv[1], (), SETTINGS)): time.sleep(600)"
    )
    first = subprocess.Popen([sys.executable, "-c", script, root.url], cwd=REPOSITORY)
    leading = psutil.Process(first.pid)
    started = time.monotonic()
    while len(found := leading.children()) < 2 and time.monotonic() - started < 120:
        time.sleep(0.1)
    assert len(found) == 2
    first.kill()
    first.wait()
    _, alive = psutil.wait_procs(found, timeout=60)
    assert alive == []


def test_an_error_of_the_training_ends_all(root: Root, tmp_path: Path) -> None:
    def fail() -> None:
        raise TrainingError("no numbers")

    with pytest.raises(TrainingError, match="no numbers"):
        trained(root, tmp_path, Listener(2, fail), 2)
    assert members() == []


def test_one_device_is_this_process(root: Root) -> None:
    with processes(1, Work.of(root, [], SETTINGS)) as ours:
        assert ours == OwnProcess("auto", None, "1 × cpu")
    assert members() == []


def test_work_goes_as_json(root: Root) -> None:
    for settings in (SETTINGS, replace(TrainSettings(), minutes=3.5, steps=None)):
        work = Work.of(root, [drawn_set(root)], settings)
        assert Work.from_json(work.as_json()) == work


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (training_devices(3), kind_of_training(3)) == (("cpu",) * 3, "cpu")
    monkeypatch.setattr("mien.tasks.train.processes.chosen_devices", lambda asked: ("cuda:0", "cuda:1"))
    assert (training_devices(2), kind_of_training(1)) == (("cuda:0", "cuda:1"), "cuda")
    with pytest.raises(UsageError, match="there are 2 CUDA devices here, not 3: use --devices 2 or fewer"):
        training_devices(3)


def test_torchrun_says_which_process_this_is() -> None:
    said = {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "here", "MASTER_PORT": "1"}
    assert rank_of_torchrun(said) == 3
    assert rank_of_torchrun({**said, "RANK": "0"}) == 0
    assert rank_of_torchrun({"RANK": "3"}) is None


TORCHRUN = """
import os, signal, sys
from pathlib import Path
from mien.flows.train import in_place
from mien.storage import Root
from tests.unit.tasks.train.test_processes import Listener, trained

kills = sys.argv[2] == "kill" and os.environ["RANK"] == "0"
if in_place() is None:
    folder = Path(sys.argv[1])
    listener = Listener(4, lambda: os.kill(os.getpid(), signal.SIGKILL)) if kills else Listener()
    print("description", trained(Root(str(folder / "root")), folder / "checkpoints", listener, 1), listener.updates)
"""


@pytest.mark.long
def test_torchrun_may_start_the_processes_and_a_kill_ends_all(root: Root, tmp_path: Path) -> None:
    drawn_set(root)
    script = tmp_path / "script.py"
    script.write_text(TORCHRUN)

    def run(what: str) -> subprocess.CompletedProcess[str]:
        command = [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            str(script),
            str(tmp_path),
            what,
        ]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}  # a script has the modules beside it alone
        return subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    assert run("kill").returncode != 0
    checkpoint = load_checkpoint(tmp_path / "checkpoints")
    assert checkpoint is not None
    assert checkpoint[1]["step"] == 2
    done = run("go on")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "description 2 × cpu [3, 4, 5, 6]"
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(script) in (each.info["cmdline"] or ())]
