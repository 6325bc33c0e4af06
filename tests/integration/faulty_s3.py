"""A proxy on loopback in front of an S3 server that does what networks and stores do on a bad night.

Faults that pass: a share of the requests is answered 503 or 500, loses its connection before or after the store has
done what was asked, or has its answer sent in drips or cut short. Faults that stay: every request is refused because
the credentials have expired.
"""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASSING = ("503", "500", "reset", "reset after", "slow", "truncated")
_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message>'
    "<RequestId>1</RequestId></Error>"
)
_DRIPS = 8


class FaultyS3:
    """Where the proxy listens, and what it does wrong."""

    def __init__(self, server: str, seed: int = 0) -> None:
        self.target = urlsplit(server).netloc
        self.share = 0.0
        """Of requests that meet a passing fault."""
        self.expired = False
        """Whether the credentials have expired."""
        self.expire_after: int | None = None
        """Written objects under `transfers/shards/` after which they do."""
        self.done: Counter[str] = Counter()
        """Requests by what was done to them."""
        self.url = ""
        self._random, self._lock = random.Random(seed), threading.Lock()

    def next_fault(self, method: str, path: str) -> str:
        """What happens to the next request; "" for nothing."""
        with self._lock:
            if self.expire_after is not None and method == "PUT" and "/transfers/shards/" in path:
                self.expire_after -= 1
                self.expired = self.expired or self.expire_after < 0
            fault = "expired" if self.expired else ""
            if not fault and self._random.random() < self.share:
                fault = self._random.choice(PASSING)
            self.done[fault] += 1
            return fault

    def heal(self) -> None:
        """All is well again."""
        self.share, self.expired, self.expire_after = 0.0, False, None


@contextmanager
def faulty_s3(server: str) -> Iterator[FaultyS3]:
    """The proxy in front of a server, on a free port, while the block runs."""
    faults = FaultyS3(server)

    class Handler(_Handler):
        proxy = faults

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    faults.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyS3

    def _handle(self) -> None:
        body = self._read_body()
        fault = self.proxy.next_fault(self.command, self.path)
        if fault == "reset":
            self._reset()
        elif fault == "expired":
            self._refuse(400, "ExpiredToken", "The provided token has expired.")
        elif fault in ("500", "503"):
            self._refuse(int(fault), "InternalError" if fault == "500" else "SlowDown", "Please try again.")
        else:
            self._forward(body, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815  # so the library calls them

    def _read_body(self) -> bytes:
        if "100-continue" in self.headers.get("Expect", ""):
            self.send_response_only(100)
            self.end_headers()
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _forward(self, body: bytes, fault: str) -> None:
        store = http.client.HTTPConnection(self.proxy.target, timeout=60)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "expect")}
        kept["Content-Length"] = str(len(body))
        store.request(self.command, self.path, body, kept)
        answer = store.getresponse()
        data = answer.read()
        store.close()
        if fault == "reset after":
            self._reset()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        of_head = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", of_head or str(len(data)))
        self.end_headers()
        if fault == "truncated" and data:
            self.wfile.write(data[: len(data) // 2])
            self._reset()
        elif fault == "slow":
            step = len(data) // _DRIPS + 1
            for start in range(0, len(data), step):
                self.wfile.write(data[start : start + step])
                self.wfile.flush()
                time.sleep(0.1)
        else:
            self.wfile.write(data)

    def _refuse(self, status: int, code: str, message: str) -> None:
        data = b"" if self.command == "HEAD" else _ERROR.format(code=code, message=message).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def handle(self) -> None:
        """A client that has gone, or that was sent away, is no error here."""
        with suppress(ConnectionError, ValueError, OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the counts tell."""
