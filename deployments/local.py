"""`make up` and `make down`: Prefect server, MLflow server and a worker on loopback, for someone who wants to look.

What runs is noted in `.run/servers.json`; `down` ends exactly these processes. Both servers keep their data in
`./data/servers`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RUN = PROJECT / ".run"
NOTE = RUN / "servers.json"
DATA = PROJECT / "data" / "servers"
PREFECT_PORT = int(os.environ.get("MIEN_PREFECT_PORT", "4200"))
MLFLOW_PORT = int(os.environ.get("MIEN_MLFLOW_PORT", "5000"))
PREFECT_URL = f"http://127.0.0.1:{PREFECT_PORT}"
MLFLOW_URL = f"http://127.0.0.1:{MLFLOW_PORT}"
POOL = "mien"


def _environment() -> dict[str, str]:
    return os.environ | {
        "PREFECT_API_URL": f"{PREFECT_URL}/api",
        "PREFECT_HOME": str(DATA / "prefect"),
        "MLFLOW_TRACKING_URI": MLFLOW_URL,
        # Else the server starts eight processes more, for jobs that evaluate language models.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _start(name: str, *command: str) -> int:
    with (RUN / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return process.pid


def _note(pids: dict[str, int]) -> None:
    NOTE.write_text(json.dumps(pids))


def _wait_for(url: str, log: str, limit_s: float = 120) -> None:
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    down()
    raise SystemExit(f"error: {url} did not answer within {limit_s:.0f} s: see {RUN / log}")


def up() -> None:
    """Starts what is not running, deploys the flows and starts a worker."""
    if NOTE.exists():
        raise SystemExit("error: already up (or not ended well): make down first")
    for folder in (RUN, DATA / "prefect", DATA / "mlflow"):
        folder.mkdir(parents=True, exist_ok=True)
    pids = {
        "prefect": _start("prefect", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(PREFECT_PORT))
    }
    _note(pids)
    store = f"sqlite:///{DATA / 'mlflow' / 'mlflow.db'}"
    pids["mlflow"] = _start(
        "mlflow", "mlflow", "server", "--host", "127.0.0.1", "--port", str(MLFLOW_PORT), "--workers", "1",
        "--backend-store-uri", store, "--artifacts-destination", str(DATA / "mlflow" / "artifacts"),
    )  # fmt: skip
    _note(pids)
    _wait_for(f"{PREFECT_URL}/api/health", "prefect.log")
    _wait_for(f"{MLFLOW_URL}/health", "mlflow.log")
    _run("prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite")
    _run("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
    pids["worker"] = _start("worker", "prefect", "worker", "start", "--pool", POOL)
    _note(pids)
    print(_HELP)


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=PROJECT, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        down()
        raise SystemExit(f"error: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")


_HELP = f"""Prefect   {PREFECT_URL}
MLflow    {MLFLOW_URL}
worker    pool {POOL!r}; logs in {RUN}

To use them from this terminal:
  export PREFECT_API_URL={PREFECT_URL}/api MLFLOW_TRACKING_URI={MLFLOW_URL}
  {Path(sys.executable).parent}/prefect deployment run prepare-faces/local
make down ends them."""


def down() -> None:
    """Ends what `up` started."""
    if not NOTE.exists():
        print("nothing to end")
        return
    for name, pid in reversed(json.loads(NOTE.read_text()).items()):
        _end(pid)
        print(f"ended {name}")
    NOTE.unlink()


def _end(pid: int, patience_s: float = 15) -> None:
    """Asks the process group to end, then insists."""
    try:
        os.killpg(pid, signal.SIGTERM)
        for _ in range(int(patience_s * 10)):
            os.killpg(pid, 0)
            time.sleep(0.1)
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1]]()
