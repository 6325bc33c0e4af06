"""`make up` and `make down`: Prefect server, MLflow server and a worker on loopback, for someone who wants to look.

Whoever can call these servers can run commands as their user: a deployment may have a shell command among its steps.
So both ask for a login, answer to the names of loopback alone, and take no request of another page's. `down` ends
exactly what `up` started, by pid and start time. Both servers keep their data in `./data/servers`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from deployments.logins import USER, Logins, logins, write_private
from deployments.processes import Started, end, read_note, start, write_note
from deployments.servers import PROJECT, ServerError, mlflow_server, wait_for

RUN = Path(os.environ.get("MIEN_RUN", PROJECT / ".run"))
NOTE = RUN / "servers.json"
CLIENT = RUN / "environment.sh"
DATA = Path(os.environ.get("MIEN_SERVERS", PROJECT / "data" / "servers"))
DEMO = Path(os.environ.get("MIEN_DEMO", PROJECT / "data" / "demo"))
"""The root of `make demo`."""
PREFECT_PORT = int(os.environ.get("MIEN_PREFECT_PORT", "4200"))
MLFLOW_PORT = int(os.environ.get("MIEN_MLFLOW_PORT", "5000"))
PREFECT_URL = f"http://127.0.0.1:{PREFECT_PORT}"
MLFLOW_URL = f"http://127.0.0.1:{MLFLOW_PORT}"
POOL = "mien"

_HOSTS = ",".join(f"{host}:{MLFLOW_PORT}" for host in ("127.0.0.1", "localhost"))


def _client(login: Logins) -> dict[str, str]:
    return {
        "PREFECT_API_URL": f"{PREFECT_URL}/api",
        "MLFLOW_TRACKING_URI": MLFLOW_URL,
        **login.environment(),
    }


def _environment(login: Logins) -> dict[str, str]:
    bin_folder = Path(sys.executable).parent
    return (
        os.environ
        | _client(login)
        | {
            "PREFECT_HOME": str(DATA / "prefect"),
            # Else the server starts eight processes more, for jobs that evaluate language models.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        }
    )


def _prefect_environment(login: Logins) -> dict[str, str]:
    return {
        "PREFECT_SERVER_API_AUTH_STRING": login.prefect_auth,
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"{PREFECT_URL},http://localhost:{PREFECT_PORT}",
    }


def _mlflow_environment(login: Logins) -> dict[str, str]:
    accounts = DATA / "mlflow" / "accounts.ini"
    write_private(
        accounts,
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{DATA / 'mlflow' / 'accounts.db'}\n"
        f"admin_username = {USER}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "grant_default_workspace_access = false\n",
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(accounts),
        "MLFLOW_AUTH_ADMIN_PASSWORD": login.mlflow,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": login.mlflow,
    }


def _wait_for(url: str, server: Started) -> None:
    try:
        wait_for(url, server, RUN / f"{server.name}.log")
    except ServerError as error:
        down()
        raise SystemExit(f"error: {error}") from None


def up() -> None:
    """Starts what is not running, deploys the flows and starts a worker."""
    if any(process.process() for process in _noted()):
        raise SystemExit("error: already up: make down first")
    for folder in (RUN, DATA, DATA / "prefect", DATA / "mlflow"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # logs, logins and faces of people
    login = logins(DATA / "logins.json")
    environment = _environment(login)
    running: list[Started] = []

    def begin(name: str, *command: str, extra: dict[str, str] | None = None) -> Started:
        running.append(start(name, command, environment | (extra or {}), PROJECT, RUN / f"{name}.log"))
        write_note(NOTE, running)
        return running[-1]

    prefect = begin(
        "prefect",
        sys.executable,
        "-m",
        "deployments.prefect_server",
        str(PREFECT_PORT),
        extra=_prefect_environment(login),
    )
    mlflow = begin(
        "mlflow",
        *mlflow_server(
            MLFLOW_PORT, DATA / "mlflow" / "mlflow.db", DATA / "mlflow" / "artifacts",
            "--app-name", "basic-auth", "--allowed-hosts", _HOSTS, "--cors-allowed-origins", MLFLOW_URL,
        ),
        extra=_mlflow_environment(login),
    )  # fmt: skip
    _wait_for(f"{PREFECT_URL}/api/health", prefect)
    _wait_for(f"{MLFLOW_URL}/health", mlflow)
    _run(environment, "prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite")
    _run(environment, "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
    if (DEMO / "mlflow.db").exists():
        _run(environment, sys.executable, "-m", "deployments.demo_model", str(DEMO))
    begin("worker", "prefect", "worker", "start", "--pool", POOL)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in _client(login).items()]
    write_private(CLIENT, "\n".join(exports) + "\n")
    print(_help(login))


def _run(environment: dict[str, str], *command: str) -> None:
    done = subprocess.run(  # nosec B603 # our own commands, as lists
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        down()
        raise SystemExit(f"error: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _help(login: Logins) -> str:
    return f"""Prefect   {PREFECT_URL}    login  {login.prefect_auth}
MLflow    {MLFLOW_URL}    user   {USER}    password  {login.mlflow}
worker    pool {POOL!r}; logs in {RUN}

The logins are kept in {DATA / "logins.json"}, which only you can read. To use the servers from this terminal:
  source {CLIENT}
  {Path(sys.executable).parent}/prefect deployment run prepare-faces/local
{demo_lines(DEMO)}make down ends them."""


def demo_lines(root: Path) -> str:
    """Where the demo's root and model are; nothing where there was no demo."""
    if not (root / "mlflow.db").exists():
        return ""
    tools = Path(sys.executable).parent
    return f"""
The model of make demo is on the MLflow server, too; its root is not on any server:
  {tools}/mien ls --root {shlex.quote(str(root))}
"""


def _noted() -> list[Started]:
    try:
        return read_note(NOTE)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error


def down() -> None:
    """Ends what `up` started, and nothing else."""
    noted = _noted()
    if not noted:
        print("nothing to end")
    for started in reversed(noted):
        ended = end(started)
        print(f"ended {started.name}" if ended else f"{started.name} had ended before")
    NOTE.unlink(missing_ok=True)
    CLIENT.unlink(missing_ok=True)


if __name__ == "__main__":
    {"up": up, "down": down}[sys.argv[1]]()
