"""The connection to a Ray cluster: one that is there, or one of this machine alone. Imported where it is asked for."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess  # nosec B404
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mien.tasks.errors import UsageError
from mien.tasks.runtime.hosts import Hosts, available_cores
from mien.tasks.runtime.node_worker import Seen

AUTO, ALONE = "auto", "local"
"""Addresses of the cluster that this machine is a node of, and of one that is made for this process."""
_REACHED_S, _ANSWERED_S = 5.0, 30.0
"""For an address to take a connection, and for what is there to say that it is Ray, which itself tries for minutes."""
_OBJECTS_BYTES = 100 * 2**20
"""Memory for objects of a cluster of this machine: pictures and tensors do not pass through it."""
WITHOUT_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}
OF_ONE_MACHINE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
"""Environment of a cluster of one machine. Ray takes 127.0.0.1 for its address, on every system: whoever reaches its
ports may run code. And its workers are no nicer than other processes; else whatever runs beside them comes first."""


@contextmanager
def ray_nodes(address: str | None, seen: Seen) -> Iterator[Hosts]:
    """The nodes of a cluster, while the block runs. Where this process is connected to one already, it is that.

    Args:
        address: `HOST:PORT`, or `auto` for the cluster that this machine is a node of; None or `local` for one that is
            made of this machine alone, and ends with the block.
        seen: What the nodes have to see.

    Raises:
        UsageError: the cluster does not answer, or does not fit this process.
    """
    alone = address in (None, ALONE)
    for name, value in (WITHOUT_STATISTICS | (OF_ONE_MACHINE if alone else {})).items():  # Ray reads it when imported
        os.environ.setdefault(name, value)
    import ray

    from mien.tasks.runtime.ray_nodes import RayNodes

    if ray.is_initialized():
        yield RayNodes(seen)
        return
    with _own_signals():
        if alone:
            ray.init(
                ALONE,
                num_cpus=available_cores(),
                include_dashboard=False,
                object_store_memory=_OBJECTS_BYTES,
                logging_level=logging.WARNING,
            )
        else:
            _connect(str(address))
    try:
        yield RayNodes(seen)
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    import ray

    if address != AUTO:
        _check_answers(address)
    try:
        ray.init(address, logging_level=logging.WARNING)
    except ConnectionError as error:
        raise UsageError(
            "no Ray cluster runs on this machine: start one with ray start --head, join one with ray start --address "
            "HOST:PORT, or leave --ray-address out"
        ) from error
    except (RuntimeError, ValueError, OSError) as error:  # another version of Ray or Python; not a node of it
        text = " ".join(str(error).split())
        raise UsageError(f"the Ray cluster at {address} does not take this process: {text}") from error


def _check_answers(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{address!r} is no address of a Ray cluster: write auto or HOST:PORT, such as head:6379")
    ask = "see ray status on its head node, or leave --ray-address out for a cluster of this machine alone"
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHED_S).close()
    except OSError as error:
        raise UsageError(f"no Ray cluster answers at {address} ({error.strerror or error}): {ask}") from error
    look = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(look, capture_output=True, timeout=_ANSWERED_S, check=False)  # nosec B603 # no shell
        if done.returncode == 0:
            return
    except subprocess.TimeoutExpired:
        pass
    raise UsageError(f"what answers at {address} is no Ray cluster, or one of another version: {ask}")


@contextmanager
def _own_signals() -> Iterator[None]:
    """Signals are met as before after the block: Ray puts a handler of its own in the place of that for SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
