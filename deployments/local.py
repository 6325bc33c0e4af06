"""`make up` and `make down`: Prefect server, MLflow server and a worker on loopback, for someone who wants to look.

What runs is noted in `.run/servers.json`; `down` ends exactly these processes. Both servers keep their data in
`./data/servers`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from deployments.servers import PROJECT, ServerError, end, mlflow_server, prefect_server, start, wait_for

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


def _start(name: str, command: list[str]) -> subprocess.Popen[bytes]:
    return start(command, RUN / f"{name}.log", _environment())


def _note(pids: dict[str, int]) -> None:
    NOTE.write_text(json.dumps(pids))


def _wait_for(url: str, process: subprocess.Popen[bytes], name: str) -> None:
    try:
        wait_for(url, process, RUN / f"{name}.log")
    except ServerError as error:
        down()
        raise SystemExit(f"error: {error}") from None


def up() -> None:
    """Starts what is not running, deploys the flows and starts a worker."""
    if NOTE.exists():
        raise SystemExit("error: already up (or not ended well): make down first")
    for folder in (RUN, DATA / "prefect", DATA / "mlflow"):
        folder.mkdir(parents=True, exist_ok=True)
    prefect = _start("prefect", prefect_server(PREFECT_PORT))
    _note(pids := {"prefect": prefect.pid})
    mlflow = _start("mlflow", mlflow_server(MLFLOW_PORT, DATA / "mlflow" / "mlflow.db", DATA / "mlflow" / "artifacts"))
    _note(pids := pids | {"mlflow": mlflow.pid})
    _wait_for(f"{PREFECT_URL}/api/health", prefect, "prefect")
    _wait_for(f"{MLFLOW_URL}/health", mlflow, "mlflow")
    _run("prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite")
    _run("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
    worker = _start("worker", [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL])
    _note(pids | {"worker": worker.pid})
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
        end(pid, partial(_is_gone, pid))
        print(f"ended {name}")
    NOTE.unlink()


def _is_gone(group: int) -> bool:
    with suppress(ChildProcessError):  # started by another `make up`, as a rule
        os.waitpid(group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1]]()
