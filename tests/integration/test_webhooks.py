"""MLflow's webhooks, as docs/promotion.md describes them: a change of the champion reaches another service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from deployments.servers import free_port, mlflow_server, running
from mien.storage import Root
from mien.tasks.generator.registered import MODEL_NAME
from mien.tasks.tracking.champion import promote
from mien.tasks.tracking.connection import connect

SECRET = "a long random text"
LOCAL = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "https,http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
PATIENCE_S = 60

Delivery = tuple[dict[str, str], bytes]


@contextmanager
def another_service() -> Iterator[tuple[str, queue.Queue[Delivery]]]:
    """Its address, and what is posted to it."""
    posted: queue.Queue[Delivery] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/mien", posted
    finally:
        server.shutdown()
        server.server_close()


def received(posted: queue.Queue[Delivery], entity: str) -> dict[str, Any]:
    """The data of the next event of this kind; its signature holds."""
    while True:
        headers, body = posted.get(timeout=PATIENCE_S)
        signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}".encode()
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
        assert headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(digest).decode()}"
        event = json.loads(body)
        if event["entity"] == entity:
            return event["data"]


def test_another_service_hears_who_is_champion_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_python: str
) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [quick_python, *mlflow_server(port, tmp_path / "server.db", tmp_path / "artifacts")[1:]]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    with (
        another_service() as (address, posted),
        running(command, tmp_path / "mlflow.log", LOCAL, answers=f"{url}/health"),
    ):
        client = MlflowClient(url, url)
        client.create_webhook(
            name="champion",
            url=address,
            events=["model_version_alias.created", "model_version_tag.set"],
            secret=SECRET,
        )
        client.create_registered_model(MODEL_NAME)
        client.create_model_version(MODEL_NAME, source="s3://bucket/generator")
        root = Root(str(tmp_path / "root"))
        connect(root)
        promote(root, "1", "the first good one")
        assert received(posted, "model_version_alias") == {"name": MODEL_NAME, "alias": "champion", "version": "1"}
        tag = received(posted, "model_version_tag")
        assert tag["key"].startswith("mien.champion.")
        assert json.loads(tag["value"])["why"] == "the first good one"
