"""A transfer job that something fails under, and what an unbroken one makes of the same root."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.open_gate import OPEN_GATE
from benchmarks.small_job import MODEL, NAME, SHARD_PAIRS, register_generator
from tests.integration import flow_calls
from tests.paths import REPOSITORY
from tests.small_root import draw_photos

PER_IDENTITY = 5
DETECTOR = "tests.own_detector:Overlooking"
"""Some of the generated faces are rejected and replaced: the job has several rounds."""
RESULT = ("pairs/", "transfers/")
USUAL = ("-m", "mien.flows.cli.app")


def in_shards_of(pairs: int) -> tuple[str, ...]:
    """The command line as a program whose jobs have shards of at least so many pairs."""
    return (
        "-c",
        f"""
import sys
import mien.tasks.plan.rounds
from mien.flows.cli.app import main
if __name__ == "__main__":
    mien.tasks.plan.rounds.MIN_SHARD_PAIRS = {pairs}
    sys.exit(main())
""",
    )


"""The command line, with shards as usual, and with shards as small as those of the unbroken job."""


@dataclass(frozen=True)
class Job:
    """A prepared root, the registry of its generator, and what an unbroken job makes of them."""

    root: Path
    registry: Path
    unbroken: Path
    """The root of the unbroken job."""
    settings: Path
    """File with settings under which the faces are accepted."""
    whole: dict[str, str]
    """What it holds of the job: sha256 by path."""

    def fresh(self, folder: Path) -> Path:
        """A copy of the prepared root."""
        return Path(shutil.copytree(self.root, folder))

    def command(
        self, root: Path | str, *options: object, program: tuple[str, ...] = USUAL, python: str = sys.executable
    ) -> list[str]:
        """The job on a root, as a user starts it; to run in `environment`."""
        job = ("augment", "--root", root, "--identities", NAME, "--expressions", NAME, "--model", MODEL)
        return [python, *program, *map(str, (*job, "--workers", 1, "--settings", self.settings, *options))]

    def environment(self, **more: str) -> dict[str, str]:
        """Of a command of its own, with the Prefect API of the tests."""
        from prefect.settings import PREFECT_API_URL

        return (
            os.environ
            | {
                "PREFECT_API_URL": str(PREFECT_API_URL.value()),
                "MLFLOW_TRACKING_URI": f"sqlite:///{self.registry}",
                "PYTHONPATH": str(REPOSITORY),
            }
            | more
        )


def make_job(folder: Path) -> Job:
    """Prepares a root of drawn photos, registers a generator and runs the job on a copy of the root."""
    root, unbroken = folder / "prepared", folder / "unbroken"
    with pytest.MonkeyPatch.context() as patch:
        use_registry(patch, folder)
        draw_photos(folder / "photos", people=4, each=2)
        nobody: dict[str, Any] = {"val_fraction": 0.0, "test_fraction": 0.0, "workers": 1}
        flow_calls.prepare([folder / "photos"], NAME, root, faces=DETECTOR, **nobody)
        register_generator(str(root), folder / "generator")
        shutil.copytree(root, unbroken)
        augment(unbroken)
    settings = folder / "settings.toml"
    settings.write_text("\n".join(["[gate]", *(f"{name} = {limit}" for name, limit in OPEN_GATE.items())]))
    return Job(root, folder / "mlflow.db", unbroken, settings, digests(unbroken))


def use_registry(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """MLflow keeps its database in this folder, and its artefacts in the folder that is the present one."""
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    patch.chdir(folder)


def augment(root: Path | str, shard_pairs: int = SHARD_PAIRS, **settings: Any) -> Any:
    """The job, in small shards."""
    import mien.tasks.plan.rounds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mien.tasks.plan.rounds, "MIN_SHARD_PAIRS", shard_pairs)
        return flow_calls.augment(NAME, root, **{"model": MODEL, "per_identity": PER_IDENTITY, "workers": 1} | settings)


def digests(root: Path) -> dict[str, str]:
    """sha256 by path of what a root holds of the job."""
    paths = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    named = {path.relative_to(root).as_posix(): path for path in paths}
    return {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in named.items() if n.startswith(RESULT)}


def disk_kib(folder: Path) -> int:
    """Space that the files of a folder take, in blocks of 4 KiB."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


def check_whole(root: Path) -> None:
    """Verifies the generated set."""
    verified = flow_calls.verify(f"{NAME}-by-{NAME}", root)
    assert verified.faults == ()
    assert "whole" in verified.lines()[-1]


class once_a_shard_is_there:  # noqa: N801  # reads as a clause
    """Does something while the block runs, as soon as a generated shard lies in the root."""

    def __init__(self, root: Path, act: Callable[[], None]) -> None:
        self._root, self._act = root, act
        self._done, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            if any((self._root / "transfers" / "shards").glob("*.parquet")):
                self._act()
                self._done.set()
                return
            time.sleep(0.01)

    def __enter__(self) -> threading.Event:
        self._thread.start()
        return self._done

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
