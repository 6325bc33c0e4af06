"""Which faults pass by themselves, and asking again with growing pauses."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from mien.storage.errors import TransientError

T = TypeVar("T")

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Between attempts: the last one is made after about eight seconds."""
MAX_EXHAUSTED = 3
"""Questions to one server that stayed without an answer: from then on each is asked once, until one is answered."""

_PASSING = {
    getattr(errno, name)
    for name in (
        *("EIO", "EBUSY", "EAGAIN", "EINTR", "ESTALE", "ENOMEM", "EMFILE", "ENFILE", "EPIPE", "EREMOTEIO"),
        *("ETIMEDOUT", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "EHOSTUNREACH", "EHOSTDOWN"),
        *("ENETUNREACH", "ENETDOWN", "ENETRESET", "ENOTCONN", "ESHUTDOWN"),
    )
    if hasattr(errno, name)
}
_PASSING_NAMES = {
    *("ClientConnectionError", "ClientConnectorError", "ClientOSError", "ClientPayloadError", "ConnectTimeoutError"),
    *("ConnectionClosedError", "EndpointConnectionError", "FSTimeoutError", "HTTPClientError", "IncompleteRead"),
    *("IncompleteReadError", "ProxyConnectionError", "ReadTimeoutError", "ResponseStreamingError"),
    *("ServerDisconnectedError", "ServerTimeoutError", "TimeoutError", "RemoteDisconnected", "BadStatusLine"),
}
"""Of libraries that are loaded for some protocols only."""
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Of HTTP."""

_exhausted: Counter[str] = Counter()
_lock = threading.Lock()


def is_transient(error: BaseException) -> bool:
    """Whether the same question may be answered a moment later."""
    if isinstance(error, TransientError | ConnectionError | TimeoutError | MemoryError):
        return True
    if isinstance(error, OSError) and error.errno in _PASSING:
        return True
    return any(kind.__name__ in _PASSING_NAMES for kind in type(error).__mro__) or _status(error) in PASSING_STATUSES


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status", None)
    response = getattr(error, "response", None)
    if status is None and isinstance(response, dict):  # botocore's
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def retried(ask: Callable[[], T], whom: str, max_again: int | None = None) -> T:
    """The result of `ask`, which is called again after each TransientError.

    Args:
        ask: Raises TransientError for what may pass.
        whom: The server or folder that is asked. Where it has left several questions without an answer, one attempt has
            to do: a server that is away must not cost eight seconds for each of 100,000 photos.
        max_again: How often at most; as often as there are pauses if empty.

    Raises:
        TransientError: no attempt was answered.
    """
    pauses = PAUSES_S[:max_again] if _exhausted[whom] < MAX_EXHAUSTED else ()
    for pause_s in pauses:
        try:
            return _answered(ask, whom)
        except TransientError as error:
            if error.is_exhausted:  # whoever `ask` called has asked often enough
                raise
            time.sleep(pause_s)
    try:
        return _answered(ask, whom)
    except TransientError as error:
        if not error.is_exhausted:
            error.is_exhausted = True
            with _lock:
                _exhausted[whom] += 1
        raise


def _answered(ask: Callable[[], T], whom: str) -> T:
    result = ask()
    if _exhausted[whom]:
        with _lock:
            del _exhausted[whom]
    return result
