"""A week of nights on real servers: photos arrive, a person withdraws, an upload is corrupt, generators come and go.

python -m benchmarks.week [--nights 7] [--steps 100] [--seed 0]

On loopback: S3 (moto, over the wire), Prefect on Postgres, MLflow, a work pool with the project's deployments and a
worker. Photos of the AT&T (ORL) faces are uploaded to S3 day by day; each night is a run of `nightly/local`. A run of
each night is killed (SIGKILL) at a random moment and started again. During the week a person withdraws (`mien forget`),
a training that is worse and one that is better end (`mien train`), and the last night makes all faces anew (`remake`).

After each night every figure of its report is computed again, from the Parquet files of the tables alone. At the end
`mien verify` must find nothing, in both sets.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec

from benchmarks.overnight import ENDED, Night, kill_run, mien
from benchmarks.servers import S3_KEYS, mlflow_registry, postgres, prefect_api, s3_server
from benchmarks.week_figures import Figures, check_report
from deployments.processes import Started
from deployments.servers import PROJECT
from mien.storage import Root
from mien.storage.sources.samples import sample_folder

BUCKET = "s3://mien-week"
INBOX, ROOT = f"{BUCKET}/inbox", f"{BUCKET}/root"
SET, MADE = "team", "team-augmented"
SPLITS = {"val_fraction": 0.2, "test_fraction": 0.1, "split_salt": "week"}
JOB = {
    "images": [INBOX],
    "set": SET,
    "root": ROOT,
    "crop_size": 64,
    "per_identity": 4,
    "model": "models:/mien-generator@champion",
    **SPLITS,
}
FIRST_PEOPLE, FIRST_PHOTOS = 12, 5


@dataclass
class Week:
    """What goes on."""

    night: Night
    worker: Started
    steps: int
    chance: random.Random
    begun_s: float = field(default_factory=time.monotonic)
    uploaded: set[str] = field(default_factory=set)

    def say(self, what: str) -> None:
        """A line with the time."""
        print(f"{time.monotonic() - self.begun_s:6.0f} s  {what}", flush=True)

    # --- What happens by day ---------------------------------------------------------------------------------------

    def upload(self, person: int, photos: Sequence[int]) -> None:
        """Photos of a person arrive."""
        for photo in photos:
            data = (sample_folder("orl") / f"s{person}" / f"{photo}.pgm").read_bytes()
            self.put(f"s{person}/{photo}.pgm", data)

    def put(self, name: str, data: bytes) -> None:
        """A file arrives."""
        fsspec.filesystem("s3").pipe_file(f"{INBOX}/{name}", data)
        self.uploaded.add(name)

    def monday(self) -> None:
        """Nothing more than what the first generator was trained on."""

    def tuesday(self) -> None:
        """A new person, and one photo more of a known one."""
        self.upload(FIRST_PEOPLE + 1, range(1, 5))
        self.upload(1, [6])

    def wednesday(self) -> None:
        """A photo that breaks off, one that is none, and a good one."""
        whole = (sample_folder("orl") / "s3" / "6.pgm").read_bytes()
        self.put("s3/broken.pgm", whole[: len(whole) // 3])
        self.put("s3/notes.jpg", b"no picture at all")
        self.upload(4, [6])

    def thursday(self) -> None:
        """A person withdraws; the photos stay in the inbox."""
        self.say(last_line(mien("forget", "--person", "s2", "--root", ROOT, "--yes")))

    def friday(self) -> None:
        """A training of a few steps: worse, so the champion stays."""
        self.train(4, seed=1, champion=False)
        self.upload(5, [6])

    def saturday(self) -> None:
        """A longer training: better, so it becomes the champion. The faces of the former one stay."""
        self.train(3 * self.steps, seed=2, champion=True)
        self.upload(6, [6])

    def sunday(self) -> None:
        """All faces are made anew by the new champion."""

    def train(self, steps: int, seed: int, champion: bool) -> None:
        """Trains and registers; the outcome must be as it should. So few steps beat no warp: only champions count."""
        rules = self.night.scratch / "promotion.toml"
        rules.write_text("[promotion]\nmin_updates = 1\nbaselines = []\n")
        options = ("--steps", steps, "--size", 64, "--seed", seed, "--settings", rules)
        told = mien("train", "--set", SET, "--root", ROOT, *options)
        self.say(last_line(told))
        if ("and is the champion" in told) is not champion:
            raise SystemExit(f"a training of {steps} steps {'did not become' if champion else 'became'} the champion")

    # --- The nights ------------------------------------------------------------------------------------------------

    def run_night(self, **more: Any) -> str:
        """A run that is killed, and one that ends; or one that is over before its kill. The id of the last."""
        self.night.parameters = JOB | more
        run = self.night.start()
        self._until(run, lambda state: state == "RUNNING" or state in ENDED)
        time.sleep(self.chance.uniform(2, 15))
        if (state := self.night.state(run)) in ENDED:
            self.say(f"the run was over before its kill: {state}")
        else:
            self.say(f"killed {kill_run(self.worker)} process that ran the flow")
            self._until(run, lambda state: state in ENDED)
            run = self.night.start()
            state = self._until(run, lambda state: state in ENDED)
        if state != "COMPLETED":
            raise SystemExit(f"the night ended as {state}: see {self.night.scratch / 'worker.log'}")
        return run

    def _until(self, run: str, reached: Callable[[str], bool]) -> str:
        while not reached(state := self.night.state(run)):
            time.sleep(0.5)
        return state


def last_line(told: str) -> str:
    """Of what a command printed."""
    return told.strip().splitlines()[-1]


DAYS = (
    Week.monday, Week.tuesday, Week.wednesday, Week.thursday, Week.friday, Week.saturday, Week.sunday,
)  # fmt: skip


def first_generator(week: Week) -> None:
    """What there is before the first night: photos of some people, and a generator trained on them."""
    for person in range(1, FIRST_PEOPLE + 1):
        week.upload(person, range(1, FIRST_PHOTOS + 1))
    splits = [f"--{name.replace('_', '-')}={value}" for name, value in SPLITS.items()]
    mien("prepare", INBOX, "--set", SET, "--root", ROOT, "--crop-size", 64, *splits)
    week.train(week.steps, seed=0, champion=True)


def live(week: Week, nights: int) -> None:
    """The days and nights; each report is checked against the tables."""
    before: Figures | None = None
    for day in DAYS[:nights]:
        week.say(f"{day.__name__}: {(day.__doc__ or '').splitlines()[0]}")
        day(week)
        run = week.run_night(**({"remake": True} if day is Week.sunday else {}))
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        after = Figures.of(Root(ROOT), SET, MADE)
        week.say(check_report(week.night.artifact(run, "night"), before, after))
        before = after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, default=len(DAYS))
    parser.add_argument(
        "--steps", type=int, default=100, help="of the first training; the better one has three times as many"
    )
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # pyright: ignore[reportAttributeAccessIssue]
    scratch = Path(tempfile.mkdtemp(prefix="mien-week-"))
    with ExitStack() as servers:
        os.environ |= S3_KEYS | {
            "AWS_ENDPOINT_URL": servers.enter_context(s3_server(scratch)),
            "MLFLOW_TRACKING_URI": servers.enter_context(mlflow_registry(scratch)),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_HOME": str(scratch / "home"),
            "PYTHONPATH": str(PROJECT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        fsspec.filesystem("s3").mkdir(BUCKET)
        api = servers.enter_context(prefect_api(scratch, servers.enter_context(postgres())))
        os.environ["PREFECT_API_URL"] = api
        for command in (
            ("work-pool", "create", "mien", "--type", "process"),
            ("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"),
        ):
            subprocess.run([sys.executable, "-m", "prefect", *command], cwd=PROJECT, capture_output=True, check=True)
        night = Night(api, "nightly/local", {}, scratch)
        week = Week(night, servers.enter_context(night.worker()), asked.steps, random.Random(asked.seed))
        first_generator(week)
        live(week, asked.nights)
        for name in (SET, MADE):
            week.say(last_line(mien("verify", "--root", ROOT, "--set", name)))
        print(mien("ls", "--root", ROOT))
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
