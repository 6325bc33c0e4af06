"""What lies beside the tables of a root: results that are kept so that no run makes them twice.

None of it is needed to read the tables, and all of it can be made again. So a file that is damaged is no error: it is
logged in one line and counts as missing, and its maker makes the content again. `KINDS` is the whole list;
`docs/tables.md` shows it to readers.

    content = load_or_make(root, NEUTRALS_OF_PEOPLE, name, make=lambda: ...)

A kind says where its files lie; an artefact adds how their content is written and checked. The room of `tasks` that
makes the content declares the artefact, since the types of the content are there.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from mien.storage.errors import DamagedError, MissingError
from mien.storage.json_shapes import from_json
from mien.storage.root import Root, printable

T = TypeVar("T")

_log = logging.getLogger("mien.storage")


@dataclass(frozen=True)
class Kind:
    """One kind of artefact."""

    pattern: str
    """Path below the root; `{}` stands for the name."""
    holds: str
    made_by: str
    """What makes a file that is missing or damaged."""

    def path(self, name: str) -> str:
        """Where the file of this name lies."""
        return self.pattern.format(name)


GATES = Kind("gates/{}.json", "calibrated limits of the gate, by set", "mien calibrate")
NEUTRALS = Kind("neutrals/{}.npz", "neutral landmarks of the people of a job", "a transfer job or an evaluation")
MODELS = Kind("models/{}", "generators that jobs have used, by the hash of their weights", "a transfer job")
KNOWN = Kind("models/known.json", "which registered versions these are", "the next job that asks the registry")
COMPARED = Kind("compared/{}.json", "what comparing all faces of a set found", "mien prepare")
FRAMES = Kind("frames/{}.json", "which frames of a video are used", "mien prepare")
CONTENTS = Kind("contents/{}.json", "tables of contents of archives", "mien prepare")
COSTS = Kind("costs/{}.json", "what the last job took", "the next transfer job")
NIGHTS = Kind("nights/{}.json", "the tables that the last night reported on, by generated set", "the next night")
CHECKPOINTS = Kind("checkpoints/{}/updates-*/", "states of a training; always local", "the training")
RUNS = Kind("checkpoints/{}/run.json", "the MLflow run of a training; always local", "the training")
FINISHED = Kind("checkpoints/{}/finished.json", "what came of a training; always local", "the training")
UNFINISHED = Kind("unfinished/{}.json", "which shards have rows whose source did not answer", "mien prepare")
REHASHED = Kind("rehashed/{}.json", "photos that changed without a mark in the listing", "mien prepare --verify-bytes")
EXPERIMENTS = Kind("experiments/{}.json", "what an arm of an experiment came to", "mien experiment")
EMBEDDERS = Kind("experiments/{}.npz", "embedders that experiments trained to report with", "mien experiment")

KINDS = (
    GATES, NEUTRALS, MODELS, KNOWN, COMPARED, FRAMES, CONTENTS, COSTS, NIGHTS, CHECKPOINTS, RUNS, FINISHED, UNFINISHED,
    REHASHED, EXPERIMENTS, EMBEDDERS,
)  # fmt: skip
"""What of a root is neither a table nor a set and can be made again."""

EXPORT_INDEX = Kind("mien-export.json", "which export lies here; written last", "mien export")
EXPORT_BEGUN = Kind(".parts/about.json", "which export is being written", "mien export")
EXPORT_PARTS = Kind(".parts/{}.json", "parts of an export that are written", "mien export")
"""These lie in the folder of an export, not in a root."""


@dataclass(frozen=True)
class Artefact(Generic[T]):
    """A kind with the way its content is written."""

    kind: Kind
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    """Raises ValueError where the bytes are not what `encode` gives."""


def json_artefact(kind: Kind, shape: type[T]) -> Artefact[T]:
    """Content of this shape (see `from_json`) as a JSON file that a person can read."""

    def encode(content: T) -> bytes:
        return json.dumps(content, default=_fields, indent=1).encode()

    def decode(data: bytes) -> T:
        try:
            return from_json(shape, json.loads(data))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    return Artefact(kind, encode, decode)


def _fields(value: Any) -> dict[str, Any]:
    return asdict(value)


def npz_artefact(
    kind: Kind, write: Callable[[T], Mapping[str, np.ndarray]], read: Callable[[Mapping[str, np.ndarray]], T]
) -> Artefact[T]:
    """Content as named arrays; `read` raises ValueError or KeyError where they do not go together."""

    def encode(content: T) -> bytes:
        file = io.BytesIO()
        np.savez(file, **write(content))  # pyright: ignore[reportArgumentType]
        return file.getvalue()

    def decode(data: bytes) -> T:
        try:
            with np.load(io.BytesIO(data)) as content:
                return read({name: content[name] for name in content.files})
        except Exception as error:  # of damaged bytes zipfile and numpy raise whatever they meet first
            raise ValueError(f"no arrays ({type(error).__name__})") from error

    return Artefact(kind, encode, decode)


def read(root: Root, artefact: Artefact[T], name: str) -> T:
    """The content of this name.

    Raises:
        MissingError: there is none.
        DamagedError: it cannot be used.
        StorageError: the root cannot be read.
    """
    path = artefact.kind.path(name)
    try:
        return artefact.decode(root.read_bytes(path))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(printable(f"{root.uri(path)} is damaged ({error})")) from error


def load(root: Root, artefact: Artefact[T], name: str) -> T | None:
    """The content of this name; None where there is none. A damaged file is logged and counts as none.

    Raises:
        StorageError: the root cannot be read.
    """
    try:
        return read(root, artefact, name)
    except MissingError:
        return None
    except DamagedError as error:
        warn_damaged(str(error), artefact.kind)
        return None


def keep(root: Root, artefact: Artefact[T], name: str, content: T) -> None:
    """Writes the content, whole or not at all, instead of what has this name.

    Raises:
        StorageError: the root cannot be written.
    """
    root.write_bytes(artefact.kind.path(name), artefact.encode(content))


def load_or_make(root: Root, artefact: Artefact[T], name: str, make: Callable[[], T]) -> T:
    """The content of this name; where there is none or it is damaged, what `make` gives, which is then kept.

    Raises:
        StorageError: the root cannot be read or written.
    """
    found = load(root, artefact, name)
    if found is not None:
        return found
    made = make()
    keep(root, artefact, name, made)
    return made


def warn_damaged(what: str, kind: Kind) -> None:
    """Logs in one line that a file is made again."""
    _log.warning("%s: %s makes it again", what, kind.made_by)
