"""Functions around the functions of flows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def wrapped(function: Callable[P, R], around: Callable[..., R]) -> Callable[P, R]:
    """`around` with the name, the docstring, the signature and the annotations of the function.

    Prefect reads the annotations where the function seems to be defined, and there names of another module mean
    nothing: they are values.
    """
    signature = inspect.signature(function, eval_str=True)
    made: Any = wraps(function)(around)
    made.__signature__ = signature
    returned = {"return": signature.return_annotation}
    made.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()} | returned
    return made
