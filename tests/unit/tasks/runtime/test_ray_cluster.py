"""Addresses at which there is no Ray cluster: one line, soon. Real ones: tests/integration/test_ray.py."""

from __future__ import annotations

import signal
import socket

import pytest

from mien.tasks.errors import UsageError
from mien.tasks.runtime import ray_cluster
from mien.tasks.runtime.ray_cluster import _check_answers, _own_signals


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "127.0.0.1:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="write auto or HOST:PORT"):
        _check_answers(address)


def test_an_address_at_which_nobody_listens_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(UsageError, match=r"^no Ray cluster answers at [\d.:]+ \(Connection refused\): see ray"):
            _check_answers(f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_server_that_is_no_cluster_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_ANSWERED_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UsageError, match="is no Ray cluster"):
        _check_answers(f"127.0.0.1:{silent.getsockname()[1]}")


def test_a_host_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no Ray cluster answers at no-such-host\.invalid:6379"):
        _check_answers("no-such-host.invalid:6379")


def test_signals_are_met_as_before() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with _own_signals():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is former
