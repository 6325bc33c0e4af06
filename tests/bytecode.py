"""Writes the bytecode that all test processes read, in two processes at once: `python -m tests.bytecode`.

Pytest rewrites the tests, so that an assertion that fails shows its parts, and the shapes of `model` are checked: both
are compiled in another way than for users. Test processes that start together would each do all of it, six seconds of
a core.
"""

from __future__ import annotations

import multiprocessing as mp
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec, module_from_spec
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

PROCESSES = 2


def write_bytecode(names: Iterable[str]) -> None:
    """Of these modules, as whatever imports modules in this process has them compiled. None of them runs.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    for name in names:
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"there is no module {name}")
        module = module_from_spec(spec)
        vars(module)["__builtins__"] = {}
        with suppress(ImportError):  # of its first import, since it has no builtins
            spec.loader.exec_module(module)


def _modules(folder: Path) -> list[str]:
    paths = (path.relative_to(REPOSITORY).with_suffix("") for path in sorted(folder.rglob("*.py")))
    return [".".join(path.parts) for path in paths if path.name != "__init__"]


class _InsteadOfTests:
    """Plugin of pytest, which has its way of importing tests by now, and that of tests/conftest.py."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool:
        tests = _modules(REPOSITORY / "tests")
        model = _modules(REPOSITORY / "mien" / "model")
        names = [name for name in (*tests, *model) if name not in sys.modules]
        with mp.get_context("fork").Pool(PROCESSES) as pool:
            pool.map(write_bytecode, [names[first::PROCESSES] for first in range(PROCESSES)])
        return True


if __name__ == "__main__":
    if sys.dont_write_bytecode:
        sys.exit("error: PYTHONDONTWRITEBYTECODE is set; unset it for this command")
    done = pytest.main(["-qq", "--no-summary", "-p", "no:cacheprovider"], [_InsteadOfTests()])
    sys.exit(0 if done is pytest.ExitCode.NO_TESTS_COLLECTED else done)
