"""Files on web servers: asked for within what the run was given, also after redirects, in bounded time.

Python's own client is used, since the address that a name leads to has to be looked at before anything is sent there.
"""

from __future__ import annotations

import atexit
import base64
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, unquote, urljoin, urlsplit

from mien.storage.errors import MissingError, StorageError, TransientError
from mien.storage.retries import PASSING_STATUSES, is_transient
from mien.storage.secrets import public_url
from mien.storage.sources.grants import policy_for, whole_url
from mien.storage.sources.policy import SourcePolicy, origin

TIMEOUT_S = 30.0
"""For a connection, and for the next bytes of an answer."""
MAX_REDIRECTS = 5
MAX_IDLE = 32

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = "/%:@!$&'()*+,;=~-._"


def is_http(uri: str) -> bool:
    """Whether this is a web address."""
    return uri[:8].lower().startswith(("http://", "https://"))


@dataclass
class Answer:
    """An answer whose body is still to be read."""

    response: http.client.HTTPResponse
    connection: _Http
    url: str
    """After redirects."""

    def header(self, name: str) -> str | None:
        """A header of the answer."""
        return self.response.getheader(name)

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end.

        Raises:
            TransientError: the connection breaks, or ends before the length that was announced.
        """
        with _passing(self.url):
            data = self.response.read(size)
        if not data and size and self.response.length:
            raise TransientError(f"{public_url(self.url)} broke off with {self.response.length} bytes to come")
        return data

    def close(self) -> None:
        """Ends the connection, or keeps it for the next question where the body was read to its end."""
        if self.response.isclosed() and not self.response.will_close:
            _idle.keep(_key(self.url), self.connection)
        else:
            self.connection.close()


@contextmanager
def asked(uri: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
    """The answer of a web server, after redirects.

    Raises:
        MissingError: there is no such file.
        TransientError: the server does not answer, or says that it cannot at the moment.
        OutsideError: the address, or one that it redirects to, is outside of what the run was given.
        StorageError: the server refuses.
    """
    answer = ask(uri, method, headers)
    try:
        yield answer
    finally:
        answer.close()


def ask(uri: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    """As `asked`; the caller closes the answer."""
    policy = policy_for(uri)
    first = url = whole_url(uri)
    for _ in range(MAX_REDIRECTS + 1):
        answer = _ask_once(url, method, {**(headers or {}), **_credentials(url, first)}, policy)
        status = answer.response.status
        if status not in _REDIRECTS:
            return _checked(answer, uri)
        target = answer.header("Location")
        answer.connection.close()
        if not target:
            raise StorageError(f"{uri} answers {status} without saying where to: correct the URL")
        url = urljoin(url, target)
        if not is_http(url):
            raise StorageError(f"{uri} redirects to {public_url(url)}: only web addresses are followed")
        policy.check(public_url(url))
    raise StorageError(f"{uri} redirects more than {MAX_REDIRECTS} times: correct the URL")


def _checked(answer: Answer, uri: str) -> Answer:
    status, reason = answer.response.status, " ".join((answer.response.reason or "").split())[:80]
    if status < 400:
        return answer
    answer.connection.close()
    if status in (404, 410):
        raise MissingError(f"{uri} does not exist: correct the path or URL")
    if status in PASSING_STATUSES:
        raise TransientError(f"{uri} answers {status} {reason}: the server cannot give it at the moment")
    refused = f"access to {uri} was refused ({status} {reason}): check the credentials or the signature"
    raise HttpError(refused if status in (401, 403) else f"{uri} answers {status} {reason}: correct the URL", status)


class HttpError(StorageError):
    """Another answer than the file, with its number."""

    def __init__(self, message: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def _ask_once(url: str, method: str, headers: Mapping[str, str], policy: SourcePolicy) -> Answer:
    parts = urlsplit(url)
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE + '?')}" if parts.query else "")
    sent = {"Accept-Encoding": "identity", "User-Agent": "mien", **headers}
    kept = _idle.take(_key(url))
    if kept is not None:
        kept.asked_url, kept.policy = url, policy
        try:
            return _sent(kept, url, method, target, sent)
        except TransientError:
            kept.close()  # it was idle for too long: a new one shows whether the server answers
    return _sent(_connection(url, policy), url, method, target, sent)


def _sent(connection: _Http, url: str, method: str, target: str, headers: Mapping[str, str]) -> Answer:
    try:
        with _passing(url):
            connection.request(method, target, headers=dict(headers))
            return Answer(connection.getresponse(), connection, url)
    except BaseException:
        connection.close()
        raise


@contextmanager
def _passing(url: str) -> Iterator[None]:
    """Faults of the network as TransientError, others as StorageError: in one line, and without secrets."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        text = f"{public_url(url)} does not answer ({type(error).__name__}: {' '.join(str(error).split())})"
        passing = is_transient(error) or (isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN)
        raise (TransientError if passing else StorageError)(f"{text}: check the address and the network") from None


def _connection(url: str, policy: SourcePolicy) -> _Http:
    parts = urlsplit(url)
    try:
        host, port = (parts.hostname or "").encode("idna").decode() or "", parts.port
    except (UnicodeError, ValueError):
        host, port = "", None
    if not host:
        raise StorageError(f"{public_url(url)} names no host: correct the URL")
    kind = _Https if parts.scheme.lower() == "https" else _Http
    return kind(host, port, url, policy)


class _Http(http.client.HTTPConnection):
    """A connection to an address that has been looked at."""

    def __init__(self, host: str, port: int | None, url: str, policy: SourcePolicy) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self.asked_url, self.policy = url, policy

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port, public_url(self.asked_url), self.policy)


class _Https(_Http):
    """The same, encrypted."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        self.sock = _tls().wrap_socket(self.sock, server_hostname=self.host)


def _connected(host: str, port: int, url: str, policy: SourcePolicy) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        policy.check_address(url, str(address[0]))
    failed: OSError = ConnectionError("no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(address)  # the address that was looked at, not the name again
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Idle:
    """Connections that wait for the next question."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, _Http]] = []

    def take(self, key: str) -> _Http | None:
        """One to this server."""
        with self._lock:
            found = next((pair for pair in reversed(self._waiting) if pair[0] == key), None)
            if found is not None:
                self._waiting.remove(found)
        return None if found is None else found[1]

    def keep(self, key: str, connection: _Http) -> None:
        """For the next question; the oldest one goes where there are many."""
        with self._lock:
            self._waiting.append((key, connection))
            oldest = self._waiting.pop(0)[1] if len(self._waiting) > MAX_IDLE else None
        if oldest is not None:
            oldest.close()

    def close(self) -> None:
        """Ends all."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for _, connection in waiting:
            connection.close()


_idle = _Idle()
atexit.register(_idle.close)  # an interpreter that shows ResourceWarnings would name each


def _key(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


def _credentials(url: str, first: str) -> dict[str, str]:
    """User and password of an address, for its own host only."""
    user, at, _ = urlsplit(first).netloc.rpartition("@")
    if not at or origin(url) != origin(first):
        return {}
    return {"Authorization": f"Basic {base64.b64encode(unquote(user).encode()).decode()}"}
