"""A night's job from end to end: a deployment on S3, killed twice on the way, then verified.

python -m benchmarks.overnight --faces FOLDER [--per-identity 20] [--identities actors] [--expressions london]
                               [--prepared ROOT] [--registry URI] [--minutes 2] [--pattern PATTERN]

FOLDER holds a folder of photos for each of the two sets, with a folder for each person. On loopback: an S3 server
(moto), a Prefect server, a work pool with the project's deployments and a worker. The sets are prepared on S3 (or
copied there from a local root, `--prepared`), a generator is trained for some minutes (or taken from `--registry`).
The run of `augment-faces/local` is killed (SIGKILL) after a third of its shards, started again, and after two thirds
its worker and all that it runs are killed, as if the machine had gone; a new worker and a third run end it. Then
`mien verify` must find nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import psutil

from benchmarks.servers import S3_KEYS, prefect_api, s3_server
from deployments.processes import Started
from deployments.servers import PROJECT, running

BUCKET = "s3://mien-overnight"
TABLES = ("images", "faces", "heatmaps", "sets", "quality")
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def mien(*arguments: object) -> str:
    """Runs the command line; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "mien.flows.cli.app", *map(str, arguments)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"mien {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


@dataclass
class Night:
    """A job of a deployment, and how to ask Prefect for it."""

    api: str
    deployment: str
    """flow/name."""
    parameters: dict[str, Any]
    scratch: Path

    def start(self) -> str:
        """A new run of the deployment; its id."""
        deployment = self._ask("GET", f"/deployments/name/{self.deployment}")["id"]
        return self._ask("POST", f"/deployments/{deployment}/create_flow_run", {"parameters": self.parameters})["id"]

    def state(self, run: str) -> str:
        """Of a run."""
        return self._ask("GET", f"/flow_runs/{run}")["state"]["type"]

    def artifact(self, run: str, key: str) -> str:
        """The Markdown that a run left under a key that begins so."""
        found = self._ask("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
        (text,) = [each["data"] for each in found if each["key"] and each["key"].startswith(key)]
        return text

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.api + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())

    @contextmanager
    def worker(self) -> Iterator[Started]:
        """A worker of the pool."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "mien", "--name", f"{time.time()}"]
        with running(command, self.scratch / "worker.log") as process:
            yield process


def shards() -> int:
    """Shards of generated faces that lie in the bucket."""
    store = fsspec.filesystem("s3", use_listings_cache=False)
    try:
        return len(store.ls(f"{BUCKET}/root/transfers/shards"))
    except FileNotFoundError:
        return 0


def wait(night: Night, run: str, wanted: int | None) -> int:
    """Until so many shards are there (None: until the run has ended); how many there are."""
    while True:
        state, there = night.state(run), shards()
        if wanted is not None and there >= wanted:
            return there
        if state in ENDED:
            if wanted is None and state == "COMPLETED":
                return there
            raise SystemExit(f"the run ended as {state} with {there} shards: see {night.scratch / 'worker.log'}")
        time.sleep(0.5)


def kill_run(worker: Started) -> int:
    """Kills the processes that the worker runs flows in; their worker processes end with them."""
    runs = psutil.Process(worker.pid).children()
    for process in runs:
        process.kill()
    return len(runs)


def kill_machine(worker: Started) -> int:
    """Kills the worker and everything below it at once."""
    everything = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    for process in everything:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(everything)


def prepare(asked: argparse.Namespace, root: str) -> None:
    """Both sets on S3."""
    if asked.prepared:
        store = fsspec.filesystem("s3")
        for table in TABLES:
            if (Path(asked.prepared) / table).is_dir():
                store.put(f"{asked.prepared}/{table}", f"{root}/{table}", recursive=True)
        return
    for name in dict.fromkeys((asked.identities, asked.expressions)):
        pattern = ["--pattern", asked.pattern] if asked.pattern else []
        print(mien("prepare", f"{asked.faces}/{name}", "--set", name, "--root", root, "--crop-size", 128, *pattern))


def run_night(night: Night, workers: ExitStack, total: int) -> None:
    """The job with its two kills."""
    began_s = time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s  {what}", flush=True)

    worker = workers.enter_context(night.worker())
    run = night.start()
    there = wait(night, run, max(1, total // 3))
    told(f"{there} shards: killed {kill_run(worker)} process that ran the flow")
    run = night.start()
    there = wait(night, run, max(2, 2 * total // 3))
    told(f"{there} shards: killed the worker and all below it, {kill_machine(worker)} processes")
    workers.enter_context(night.worker())
    run = night.start()
    there = wait(night, run, None)
    told(f"{there} shards: the third run ended as {night.state(run)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", help="folder with a folder of photos for each set")
    parser.add_argument("--identities", default="actors")
    parser.add_argument("--expressions", default="london")
    parser.add_argument("--per-identity", type=int, default=20)
    parser.add_argument("--pattern", help="of the photos' paths, as in mien prepare")
    parser.add_argument("--prepared", help="local root that has both sets")
    parser.add_argument("--registry", help="MLflow that has the generator")
    parser.add_argument("--model", default="models:/mien-generator@champion")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--splits", nargs="*", default=[], help="only people of these splits")
    asked = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if not (asked.faces or asked.prepared):
        parser.error("give --faces or --prepared")
    scratch = Path(tempfile.mkdtemp(prefix="mien-overnight-"))
    with ExitStack() as servers:
        os.environ |= S3_KEYS | {
            "AWS_ENDPOINT_URL": servers.enter_context(s3_server(scratch)),
            "MLFLOW_TRACKING_URI": asked.registry or f"sqlite:///{scratch}/mlflow.db",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PREFECT_HOME": str(scratch / "home"),
            "PYTHONPATH": str(PROJECT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        fsspec.filesystem("s3").mkdir(BUCKET)
        root = f"{BUCKET}/root"
        os.environ["PREFECT_API_URL"] = api = servers.enter_context(prefect_api(scratch))
        prepare(asked, root)
        if not asked.registry:
            print(mien("train", "--set", asked.identities, "--root", root, "--minutes", asked.minutes))
        for command in (
            ("work-pool", "create", "mien", "--type", "process"),
            ("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "prefect", *command], cwd=PROJECT, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"prefect {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        name = f"{asked.identities}-by-{asked.expressions}"
        job = {
            "identities": asked.identities,
            "expressions": asked.expressions,
            "root": root,
            "model": asked.model,
            "per_identity": asked.per_identity,
            "identity_splits": asked.splits,
        }
        options = [f"--{key}={value}" for key, value in (("per-identity", asked.per_identity), ("root", root))]
        options += [f"--identity-split={split}" for split in asked.splits]
        plan = mien(
            "augment", "--identities", asked.identities, "--expressions", asked.expressions, "--dry-run", *options
        )
        print(plan)
        planned = int(plan.split(" faces would be generated")[0].rsplit(" ", 1)[-1])
        night = Night(api, "augment-faces/local", job, scratch)
        run_night(night, servers, -(-planned // 64))
        print(mien("verify", "--root", root, "--set", name))
        print(mien("ls", "--root", root))


if __name__ == "__main__":
    main()
