"""A web server for tests: files from a dictionary, and whatever else a test wants answered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request(BaseHTTPRequestHandler):
    """One request; the answers below are what tests compose."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked[f"{self.command} {path}"] += 1
        self.server.seen.append((self.path, dict(self.headers)))
        answer = self.server.answers.get(path)
        if answer is None:
            self.answer(404)
        elif isinstance(answer, bytes):
            self.file(answer)
        else:
            answer(self)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def file(self, data: bytes) -> None:
        wanted = self.headers.get("Range")
        if not self.server.ranges or wanted is None or self.command == "HEAD":
            self.answer(
                200, {"ETag": f'"{len(data)}"', **({"Accept-Ranges": "bytes"} if self.server.ranges else {})}, data
            )
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1 if last else None]
        self.answer(206, {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"}, part)

    def log_message(self, format: str, *args: object) -> None:
        pass


Answer = bytes | Callable[[Request], None]


class Server(ThreadingHTTPServer):
    """Counts what it is asked."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Answer], ranges: bool) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answers, self.ranges = answers, ranges
        self.asked: Counter[str] = Counter()
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def web(answers: dict[str, Answer], ranges: bool = False) -> Iterator[Server]:
    """A server on loopback while the block runs."""
    server = Server(answers, ranges)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def after(failures: int, fail: Callable[[Request], None], data: bytes) -> Callable[[Request], None]:
    """Fails so many times, then gives the file. HEAD always answers."""
    left = [failures]

    def answer(request: Request) -> None:
        if request.command == "GET" and left[0]:
            left[0] -= 1
            fail(request)
        else:
            request.file(data)

    return answer


def unavailable(request: Request) -> None:
    request.answer(503)


def cut_off(request: Request) -> None:
    """Says that more will come than comes: of a file of 3,000,000 bytes a thousand."""
    start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
    request.send_response(206 if "Range" in request.headers else 200)
    request.send_header("Content-Length", str(3_000_000 - start))
    request.end_headers()
    request.wfile.write(bytes(1000))
    request.close_connection = True


def reset(request: Request) -> None:
    request.close_connection = True
    request.connection.close()


def redirect(target: str) -> Callable[[Request], None]:
    return lambda request: request.answer(302, {"Location": target})
