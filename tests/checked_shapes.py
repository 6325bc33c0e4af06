"""The shapes in the annotations of a package are checked while its code runs.

While a module with these checks runs, jaxtyping looks for bytecode under a name of its own, for all that the module
imports too: torch and SciPy would be compiled anew in each process, which takes four seconds. Here only the modules of
the package have such bytecode.

The first calls of each function in each test are checked. A training calls the same functions some hundred times more,
and to check them all takes a fifth of its time.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import FunctionType
from typing import Any

import jaxtyping

_BOOTSTRAP: Any = importlib._bootstrap_external  # type: ignore[attr-defined]
_USUAL_PATH = _BOOTSTRAP.cache_from_source
CHECKED_CALLS = 5
"""Of each function in each test."""
_tests = 0


def check_shapes(package: str) -> None:
    """From now on the modules of `package` are imported with checks. The second time it does nothing."""
    if any(isinstance(finder, _Finder) and finder.package == package for finder in sys.meta_path):
        return
    jaxtyping.jaxtyped = _of_first_calls(jaxtyping.jaxtyped)
    checking = jaxtyping.install_import_hook(package, "beartype.beartype").hook
    sys.meta_path[sys.meta_path.index(checking)] = _Finder(package, checking)


def next_test() -> None:
    """The first calls are those that come now."""
    global _tests
    _tests += 1


def _of_first_calls(jaxtyped: Callable[..., Any]) -> Callable[..., Any]:
    """`jaxtyping.jaxtyped`, whose functions check their first calls alone; of classes all are checked."""

    def decorator(**how: Any) -> Callable[[Any], Any]:
        checks = jaxtyped(**how)

        def decorated(checked: Any) -> Any:
            return _first_calls(checked, checks(checked)) if isinstance(checked, FunctionType) else checks(checked)

        return decorated

    return decorator


def _first_calls(plain: FunctionType, checked: Callable[..., Any]) -> Callable[..., Any]:
    test, calls = -1, 0

    @functools.wraps(plain)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal test, calls
        if test != _tests:
            test, calls = _tests, 0
        if calls >= CHECKED_CALLS:
            return plain(*args, **kwargs)
        calls += 1
        return checked(*args, **kwargs)

    return called


class _Finder(MetaPathFinder):
    def __init__(self, package: str, checking: Any) -> None:
        self.package, self._checking = package, checking

    def find_spec(self, *asked: Any) -> ModuleSpec | None:
        spec = self._checking.find_spec(*asked)
        if spec is not None:
            _end_with_own_code(spec.loader)
        return spec


def _end_with_own_code(loader: SourceFileLoader) -> None:
    """Once the code of the module is there, paths of bytecode are the usual ones again."""
    own = loader.get_code

    def get_code(name: str) -> Any:
        code = own(name)
        _BOOTSTRAP.cache_from_source = _USUAL_PATH
        return code

    loader.get_code = get_code  # type: ignore[method-assign]
