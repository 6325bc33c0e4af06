"""The shapes in the annotations of a package are checked while its code runs.

While a module with these checks runs, jaxtyping looks for bytecode under a name of its own, for all that the module
imports too: torch and SciPy would be compiled anew in each process, which takes four seconds. Here only the modules of
the package have such bytecode.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from typing import Any

import jaxtyping

_BOOTSTRAP: Any = importlib._bootstrap_external  # type: ignore[attr-defined]
_USUAL_PATH = _BOOTSTRAP.cache_from_source


def check_shapes(package: str) -> None:
    """From now on the modules of `package` are imported with checks."""
    checking = jaxtyping.install_import_hook(package, "beartype.beartype").hook
    sys.meta_path[sys.meta_path.index(checking)] = _Finder(checking)


class _Finder(MetaPathFinder):
    def __init__(self, checking: Any) -> None:
        self._checking = checking

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
