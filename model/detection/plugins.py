"""Classes of a team's own, named as `module:Class`."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from mien.model.detection.allowed_classes import check_allowed
from mien.model.errors import DetectorError, first_line

T = TypeVar("T")


def is_class_path(spec: str) -> bool:
    """Whether this is written as the path of a class: `package.module:Class`."""
    module, _, name = spec.partition(":")
    return all(part.isidentifier() for part in [*module.split("."), name])


def check_module(spec: str) -> None:
    """Raises DetectorError unless the class is allowed and the module is there, for worker processes as well. The
    module is not run; of one in a package, the package is."""
    check_allowed(spec)
    module = spec.partition(":")[0]
    if module == "__main__":
        raise DetectorError(f"{spec} cannot be loaded by worker processes: put the class into a module of its own file")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)  # a console script has not got it; spawned workers take over the path
    try:
        found = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        found = None
    if found is None:
        raise DetectorError(f"there is no module {module!r} for {spec}: run where it lies, or install it")
    if not (found.origin and Path(found.origin).is_file()):
        raise DetectorError(f"{spec} cannot be loaded by worker processes: {module} has no file")


def load_class(spec: str, protocol: type[T]) -> T:
    """An instance of the class, made without arguments.

    Raises:
        DetectorError: the module cannot be imported, has no such class, or the class lacks part of the protocol or
            cannot be made.
    """
    check_module(spec)
    module, _, name = spec.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name, None)
        if not inspect.isclass(kind):
            raise DetectorError(f"{module} has no class {name!r}")
        made: Any = kind()
    except DetectorError:
        raise
    except Exception as error:  # the class is not ours: it may raise anything
        raise DetectorError(f"{spec} cannot be loaded ({type(error).__name__}: {first_line(error)})") from error
    if missing := [part for part in _parts(protocol) if not _has(made, part)]:
        raise DetectorError(f"{spec} is no detector, it lacks {', '.join(missing)}: docs/detectors.md shows one")
    return made


def _parts(protocol: type[Any]) -> list[str]:
    return sorted(name for name in vars(protocol) if not name.startswith("_"))


def _has(made: object, part: str) -> bool:
    """Without running properties, which may load weights."""
    return inspect.getattr_static(made, part, None) is not None


def source_hash(spec: str) -> str:
    """Of the file that the class is in."""
    found = find_spec(spec.partition(":")[0])
    assert found is not None
    assert found.origin is not None
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()[:12]
