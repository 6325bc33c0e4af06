"""The code version of a stage: a digest of its module and of every first-party module that this one imports.

The imports are followed in the parsed source, so no list has to be kept by hand, and nothing is imported. What decides
the digest is the syntax tree without docstrings: comments, docstrings and layout may change, code may not. Beside it
count the files that a module names and that lie next to it (`reference_face.json`), and the versions of the libraries
that compute pixels and numbers.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from mien.storage.fingerprints import fingerprint
from mien.storage.parsed_code import keep_parsed, parsed_code

NUMERIC_LIBRARIES = {
    "numpy": "numpy",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "torch": "torch",
    "onnxruntime": "onnxruntime",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "scipy": "scipy",
}
"""Import name and distribution. dlib and insightface are optional: the version of a detector names them."""

WITHOUT_CONTENT = (
    "mien.tasks.runtime",  # how work runs, not what it does
    "mien.tasks.errors",
    "mien.tasks.tracking",
    "mien.storage.root",  # bytes in, the same bytes out
    "mien.storage.sets",
    "mien.storage.artefacts",
    "mien.storage.code_version",
    "mien.storage.parsed_code",
    "mien.storage.rows",  # types alone
    "mien.storage.retries",  # how often is asked
    "mien.storage.leases",  # who makes a shard, not what is in it
    "mien.storage.unfinished",  # which rows are taken over: the same as would be made
    "mien.storage.secrets",  # what a message leaves out
)
"""Modules and packages that decide nothing of what a stage writes. They are not followed."""


@dataclass(frozen=True)
class _Module:
    name: str
    path: Path
    digest: str
    imports: tuple[tuple[str, str | None], ...]
    """Module and name, for `from module import name`; no name for `import module`."""
    libraries: frozenset[str]

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


def source_digest(*module_names: str) -> str:
    """Fingerprint of these modules, of the first-party modules that they import, directly or not, and of the major and
    minor versions of the numeric libraries that any of them uses.

    A package counts as its `__init__.py`. First-party is what lies in the same top-level package.

    Raises:
        ModuleNotFoundError: there is no such module, or it has no source file.
    """
    with _ONE_THREAD:
        return _digest(*module_names)


_ONE_THREAD = threading.RLock()
"""Threads that parse at once would do the same work several times, and meet a fault of Python 3.11's parser ("AST
constructor recursion depth mismatch")."""


@cache
def _digest(*module_names: str) -> str:
    modules: dict[str, _Module] = {}
    for name in module_names:
        _follow(_read(name), modules)
    keep_parsed()
    libraries = sorted(set().union(*(module.libraries for module in modules.values())))
    return fingerprint(
        {
            "modules": {name: module.digest for name, module in modules.items()},
            "libraries": {name: _major_minor(NUMERIC_LIBRARIES[name]) for name in libraries},
        }
    )


def followed_modules(*module_names: str) -> list[str]:
    """The names of the modules that decide `source_digest` of these, sorted."""
    modules: dict[str, _Module] = {}
    for name in module_names:
        _follow(_read(name), modules)
    return sorted(modules)


def _follow(module: _Module, seen: dict[str, _Module]) -> None:
    if module.name in seen:
        return
    seen[module.name] = module
    top = module.name.partition(".")[0]
    for imported, name in module.imports:
        if imported.partition(".")[0] != top:
            continue
        origin = _origin(imported, name)
        if not any(origin == skipped or origin.startswith(f"{skipped}.") for skipped in WITHOUT_CONTENT):
            _follow(_read(origin), seen)


def _origin(module: str, name: str | None) -> str:
    """The module that an import means: a submodule, or where a package has the name from."""
    if name is None:
        return module
    if not _read(module).is_package:
        return module
    if _exists(f"{module}.{name}"):
        return f"{module}.{name}"
    for imported, known in _read(module).imports:
        if known == name and imported != module:
            return _origin(imported, name)
    return module


@cache
def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the name above it is a module, not a package
        return False


@cache
def _read(module: str) -> _Module:
    spec = find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    path = Path(spec.origin or "")
    if not path.is_file() or path.suffix != ".py":
        raise ModuleNotFoundError(f"{module!r} has no source file", name=module)
    source = path.read_bytes()
    parsed = parsed_code(source)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imports = tuple((_absolute(dots, name, package), imported) for dots, name, imported in parsed.imports)
    libraries = frozenset(name for imported, _ in imports if (name := imported.partition(".")[0]) in NUMERIC_LIBRARIES)
    named = _files_named(set(parsed.words), path)
    beside = {name: hashlib.sha256((path.parent / name).read_bytes()).hexdigest() for name in named}
    return _Module(module, path, parsed.fingerprint(source, beside), imports, libraries)


def _absolute(dots: int, module: str, package: str) -> str:
    """The module that an import in this package names with so many dots before it."""
    above = package.split(".")[: len(package.split(".")) - dots + 1] if dots else []
    return ".".join([*above, *([module] if module else [])])


def _files_named(words: set[str], path: Path) -> list[str]:
    """Files beside the module that one of its strings names."""
    beside = {file.name for file in path.parent.iterdir() if file.is_file() and file.suffix not in (".py", ".pyc")}
    return sorted(words & beside)


def _major_minor(distribution: str) -> str | None:
    try:
        return ".".join(version(distribution).split(".")[:2])
    except PackageNotFoundError:
        return None
