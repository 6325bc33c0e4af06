"""Marks the root of a flow while it runs, so that `mien gc` deletes nothing that the flow is about to use; and puts the
device of its networks, its rank and its executor in force."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import ParamSpec, TypeVar

from mien.flows.wrapped import wrapped
from mien.model.devices import computing_on
from mien.storage import Root
from mien.storage.runs import job
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.executors import EXECUTOR, check_executor, executing
from mien.tasks.runtime.ranks import chosen_rank, working_as

P = ParamSpec("P")
R = TypeVar("R")


def at_work(flow: Callable[P, R]) -> Callable[P, R]:
    """The function of a flow with a parameter `root`, inside `storage.runs.job` over that root; of one with a parameter
    `device`, whose networks compute there; of one with `rank` and `world_size`, as that rank; of one with `executor`
    and `ray_address`, with its workers there."""
    signature, what = inspect.signature(flow, eval_str=True), flow.__name__.replace("_", "-")

    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        with ExitStack() as block:
            with checking_arguments():  # the first look at the device and the root: its bucket may be missing
                if "device" in given.arguments:
                    block.enter_context(computing_on(given.arguments["device"]))
                if "rank" in given.arguments:
                    rank = chosen_rank(given.arguments["rank"], given.arguments["world_size"])
                    block.enter_context(working_as(rank))
                root, executor = Root(given.arguments["root"]), given.arguments.get("executor", EXECUTOR)
                address = given.arguments.get("ray_address")
                check_executor(executor, address, root)
                if not given.arguments.get("dry_run"):  # which writes nothing, not even a marker
                    marker = block.enter_context(job(root, what))
                    block.enter_context(executing(executor, address, root, marker.path))
            return flow(*args, **kwargs)

    return wrapped(flow, marked)
