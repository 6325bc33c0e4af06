"""Which executor a run has: processes of this machine, or workers on a Ray cluster. Ray itself is not imported here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.runtime.hosts import working_on

ExecutorKind = Literal["local", "ray"]
EXECUTOR: ExecutorKind = "local"
"""Where nothing else is asked for."""
INSTALL = "--executor ray needs Ray: pip install 'mien[ray]'"
ADDRESS = "RAY_ADDRESS"
"""What Ray takes an address from, too."""


def check_executor(executor: ExecutorKind, address: str | None, root: Root) -> None:
    """Raises UsageError if this cannot be right. Whether a cluster answers is another matter."""
    if executor == "local":
        if address is not None:
            raise UsageError("--ray-address belongs to --executor ray: give both, or neither")
        return
    if find_spec("ray") is None:
        raise UsageError(INSTALL)
    if address is not None and "://" in address:
        raise UsageError(f"{address}: start the command on a node of the cluster, with --ray-address auto or HOST:PORT")
    if "memory" in root.filesystem.protocol:
        raise UsageError(
            f"{root.url} is in the memory of one process: with --executor ray take a root that all nodes reach, such "
            "as s3://bucket/prefix or a folder that they share"
        )


@contextmanager
def executing(executor: ExecutorKind, address: str | None, root: Root, marker: str) -> Iterator[None]:
    """While the block runs, worker pools that are made have their processes where the executor says.

    Args:
        executor: Of the run.
        address: Of a Ray cluster; None for the one that the environment names, else one of this machine alone.
        root: Of the run.
        marker: A file in it that is there while the run is: a node that does not see it sees another root.

    Raises:
        UsageError: the cluster does not answer, or the argument cannot be right.
    """
    check_executor(executor, address, root)
    if executor == "local":
        yield
        return
    from mien.tasks.runtime.node_worker import Seen
    from mien.tasks.runtime.ray_cluster import ray_nodes

    with ray_nodes(address or os.environ.get(ADDRESS), Seen(root.url, marker, os.getcwd())) as nodes, working_on(nodes):
        yield
