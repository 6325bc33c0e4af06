"""The services of compose.yaml as processes on loopback: its commands and environments, at ports that are free here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments.servers import free_port, running
from tests.paths import REPOSITORY

_SERVICES = yaml.safe_load((REPOSITORY / "deployments/compose.yaml").read_text())
_PROGRAMS = {"mien": "mien.flows.cli.app", "prefect": "prefect", "mlflow": "mlflow"}
_CONTAINER_PORTS = {"prefect": 4200, "mlflow": 5000, "postgres": 5432, "storage": 9000}


@dataclass(frozen=True)
class Composed:
    """How the services are reached here, and what stands in `.env`."""

    ports: Mapping[str, int]
    """By service."""
    secrets: Mapping[str, str]
    folder: Path
    """Stands for the volumes that are mounted at /data."""
    python: str

    def command(self, service: str) -> list[str]:
        program, *arguments = map(self._here, self._of(service, "command"))
        return [self.python, "-m", _PROGRAMS[program], *arguments]

    def environment(self, service: str) -> dict[str, str]:
        """Of the service alone: nothing of this process's that speaks of servers."""
        of_tests = ("PREFECT_", "MLFLOW_", "AWS_", "MIEN_")
        bare = {name: value for name, value in os.environ.items() if not name.startswith(of_tests)}
        given = {name: self._here(value) for name, value in self._of(service, "environment").items()}
        return bare | {"PYTHONPATH": str(REPOSITORY), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"} | given

    def databases(self) -> list[str]:
        """The statements that Postgres runs on its first start."""
        content = _SERVICES["configs"]["databases"]["content"]
        return [line for line in content.splitlines() if line.strip()]

    @contextmanager
    def runs(self, service: str, answers: str | None = None) -> Iterator[None]:
        """The service runs while the block does; waits until the path `answers`, if one is given."""
        folder = self.folder / service
        folder.mkdir()
        url = f"http://127.0.0.1:{self.ports[service]}{answers}" if answers else None
        with running(self.command(service), folder / f"{service}.log", self.environment(service), url):
            yield

    def run(self, service: str, *arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """A service that ends, or a Python program of ours as that service; `without` one of its variables."""
        command = [self.python, *arguments] if arguments else self.command(service)
        environment = {name: value for name, value in self.environment(service).items() if name != without}
        return subprocess.run(
            command,
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip

    def _of(self, service: str, what: str) -> Any:
        return _SERVICES["services"][service][what]

    def _here(self, text: str) -> str:
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: self.secrets[found[1]], text)
        for service, port in _CONTAINER_PORTS.items():
            text = re.sub(rf"\b({service}|localhost|127\.0\.0\.1):{port}\b", f"127.0.0.1:{self.ports[service]}", text)
            text = str(self.ports[service]) if text == str(port) else text
        return text.replace("0.0.0.0", "127.0.0.1").replace("/data/", f"{self.folder}/")


def postgres_programs() -> Path | None:
    """The folder of Postgres' programs; None where it is not installed. Debian leaves them out of the path."""
    on_path = shutil.which("pg_ctl")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return Path(on_path).resolve().parent if on_path else found[-1].parent if found else None


@contextmanager
def postgres(programs: Path, composed: Composed) -> Iterator[None]:
    """A Postgres of its own, with the user and the databases of compose.yaml, while the block runs."""
    # Postgres refuses to run as root, and its user cannot look into the folders of the tests.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    port, user = composed.ports["postgres"], "mien"
    with tempfile.TemporaryDirectory(prefix="mien-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        password = folder / "password"
        password.write_text(composed.secrets["POSTGRES_PASSWORD"])
        if as_user:
            for path in (folder, password):
                shutil.chown(path, "postgres", "postgres")

        def call(program: str, *arguments: object) -> None:
            command = [*as_user, str(programs / program), *map(str, arguments)]
            done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        data = folder / "data"
        # As the image does: a login by password from the network, and a superuser of that name.
        call("initdb", "--pgdata", data, "--username", user, "--pwfile", password, "--auth=scram-sha-256")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        call("pg_ctl", "--pgdata", data, "--log", folder / "log", "--wait", "--options", options, "start")
        try:
            for statement in composed.databases():
                query(composed, "postgres", statement)
            yield
        finally:
            call("pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")


def query(composed: Composed, database: str, statement: str) -> list[tuple[Any, ...]]:
    """What a statement gives, by the driver that MLflow uses."""
    import psycopg2

    address = {"host": "127.0.0.1", "port": composed.ports["postgres"], "user": "mien", "dbname": database}
    connection = psycopg2.connect(password=composed.secrets["POSTGRES_PASSWORD"], **address)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def free_ports(storage: int) -> dict[str, int]:
    """A free port for each server that is to be started; that of the storage is given."""
    return {name: free_port() for name in _CONTAINER_PORTS} | {"storage": storage}
