"""Marks the root of a flow while it runs, so that `mien gc` deletes nothing that the flow is about to use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import ParamSpec, TypeVar

from mien.flows.wrapped import wrapped
from mien.storage import Root
from mien.storage.runs import job
from mien.tasks.errors import checking_arguments

P = ParamSpec("P")
R = TypeVar("R")


def at_work(flow: Callable[P, R]) -> Callable[P, R]:
    """The function of a flow with a parameter `root`, inside `storage.runs.job` over that root."""
    signature, what = inspect.signature(flow, eval_str=True), flow.__name__.replace("_", "-")

    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        if given.arguments.get("dry_run"):  # it writes nothing, not even a marker
            return flow(*args, **kwargs)
        with ExitStack() as marker:
            with checking_arguments():  # the first look at the root: its bucket may be missing
                marker.enter_context(job(Root(given.arguments["root"]), what))
            return flow(*args, **kwargs)

    return wrapped(flow, marked)
