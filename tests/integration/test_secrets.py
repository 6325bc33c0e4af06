"""Secrets in addresses and the environment: none comes to lie in a root, in Prefect's database, or at the terminal."""

from __future__ import annotations

import csv
import functools
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from deployments.servers import free_port, prefect_server, running
from mien.storage.sources.samples import sample_folder
from tests.prefect_database import put_database

MARK = "PLANTED"


@pytest.fixture
def photos_url(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.pgm").write_bytes((sample_folder("orl") / "s1" / f"{number}.pgm").read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environment(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, quick_python: str
) -> Iterator[dict[str, str]]:
    """Of the commands: secrets to be kept, and one Prefect server whose database lies among what is searched."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "AWS_"))}
    port = free_port()
    home = kept | {"PREFECT_HOME": str(put_database(tmp_path_factory, tmp_path / "kept" / "prefect"))}
    given = home | {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "AWS_SECRET_ACCESS_KEY": f"{MARK}awssecret",
        "MLFLOW_TRACKING_URI": f"http://user:{MARK}mlflow@127.0.0.1:{free_port()}",
    }
    command = [quick_python, *prefect_server(port)[1:]]
    with running(command, tmp_path / "kept" / "prefect.log", home, f"http://127.0.0.1:{port}/api/health"):
        yield given


def held(path: Path) -> Iterator[str]:
    """Whatever a file says, readable: of Parquet and SQLite each value."""
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pylist())
    elif path.suffix == ".db":
        with sqlite3.connect(path) as database:  # its journal is read with it
            for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
                yield repr(database.execute(f'select * from "{table}"').fetchall())
    else:
        yield path.read_bytes().decode(errors="replace")


def test_a_planted_secret_appears_nowhere(
    photos_url: str, environment: dict[str, str], quick_python: str, tmp_path: Path
) -> None:
    root, listed = tmp_path / "kept" / "root", tmp_path / "list.csv"
    signature = f"?X-Amz-Credential={MARK}credential&X-Amz-Signature={MARK}signature"
    with listed.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["uri", "identity"])
        for name in ("1.pgm", "gone.pgm"):
            rows.writerow([f"http://user:{MARK}web@{photos_url}/{name}{signature}", "anna"])
    alone = f"http://user:{MARK}web@{photos_url}/2.pgm{signature}"
    commands = (
        ["doctor", "--root", root],
        [
            "prepare",
            listed,
            alone,
            "--allow",
            f"http://{photos_url}/",
            "--set",
            "web",
            "--root",
            root,
            "--workers",
            "1",
        ],
        ["report", "--set", "web", "--root", root],
        ["show", f"{root}/images/web"],
        ["augment", "--identities", "web", "--expressions", "web", "--root", root],
    )
    told = ""
    for command in commands:
        done = subprocess.run(
            [quick_python, "-m", "mien.flows.cli.app", *map(str, command)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        told += done.stdout + done.stderr
    assert "web: 3 photos (1 unreadable), 2 faces usable" in told
    assert told.count("does not answer") == 2  # the registry, of doctor and augment
    assert "Name or service not known" not in told
    assert MARK not in told
    files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert any(path.name == "prefect.db" for path in files)
    assert [path.name for path in files if any(MARK in text for text in held(path))] == []
