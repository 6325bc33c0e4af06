"""Which registered versions the generators in `models/` are, so that a job can go on without the registry.

    models/known.json    each version: SHA-256 of its weights, its run, whether it was the champion, and the registry

It is a copy of what a registry said when a version was fetched, and is made anew by the next fetch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from mien.storage import MissingError, Root
from mien.storage.artefacts import KNOWN, json_artefact, keep, load
from mien.tasks.generator.registered import MODEL_NAME, RegisteredModel

_CONFIG, _WEIGHTS, _SHAPE_MODEL = "config.json", "generator.safetensors", "shape_model.safetensors"


@dataclass(frozen=True)
class KnownGenerator:
    """A registered version as it was when it was fetched."""

    uri: str
    sha256: str
    run_id: str
    champion: bool
    registry: str
    """Where it was fetched from; `embedded` is the database of the root itself, wherever that lies."""
    order: int
    """Greater than that of every version that was fetched before."""

    def registered(self) -> RegisteredModel:
        """As the registry would give it."""
        return RegisteredModel(self.uri, self.run_id, self.sha256, self.champion)


_KNOWN = json_artefact(KNOWN, list[KnownGenerator])


def remember_generator(root: Root, model: RegisteredModel, registry: str) -> None:
    """Keeps what the registry says of a version."""
    known = known_generators(root)
    name = model.uri.rpartition("/")[0]
    same = [each for each in known if each.uri == model.uri and each.registry == registry]
    if same and same[0].registered() == model and (not model.champion or same[0] == known[-1]):
        return
    others: list[KnownGenerator] = []
    for each in known:
        if each.uri == model.uri and each.registry == registry:
            continue
        # A name has one champion.
        passed_on = model.champion and each.registry == registry and each.uri.rpartition("/")[0] == name
        champion = each.champion and not passed_on
        others.append(KnownGenerator(each.uri, each.sha256, each.run_id, champion, each.registry, each.order))
    order = max((each.order for each in known), default=0) + 1
    added = KnownGenerator(model.uri, model.sha256, model.run_id, model.champion, registry, order)
    keep(root, _KNOWN, "", [*others, added])


def known_generators(root: Root) -> list[KnownGenerator]:
    """All versions that were fetched, the last fetched one last. A damaged file is told in one line and counts as none.

    Raises:
        StorageError: the root cannot be read.
    """
    return sorted(load(root, _KNOWN, "") or [], key=lambda each: each.order)


def pinned_generator(root: Root, uri: str, registry: str | None) -> RegisteredModel | None:
    """The version `models:/NAME/NUMBER` if it was fetched from this registry (None: from any) and lies in the root."""
    for known in reversed(known_generators(root)):
        if known.uri == uri and registry in (None, known.registry) and is_kept(root, known.sha256):
            return known.registered()
    return None


def newest_champion(root: Root, name: str = MODEL_NAME) -> RegisteredModel | None:
    """The version that was the champion of a name when it was fetched last, if it lies in the root."""
    for known in reversed(known_generators(root)):
        if known.champion and known.uri.startswith(f"models:/{name}/") and is_kept(root, known.sha256):
            return known.registered()
    return None


def kept_champion(root: Root) -> list[str]:
    """SHA-256 of the weights of champions, which are not collected though no table names them."""
    return [known.sha256 for known in known_generators(root) if known.champion]


def is_kept(root: Root, sha256: str) -> bool:
    """Whether a generator lies in the root, every file as it was written."""
    if not sha256:
        return False
    folder = f"models/{sha256}"
    try:
        config: Any = json.loads(root.read_bytes(f"{folder}/{_CONFIG}"))
        shapes = config["shape_model_sha256"]
        good = config["weights_sha256"] == sha256 == _sha256(root, f"{folder}/{_WEIGHTS}")
        return good and (shapes is None or shapes == _sha256(root, f"{folder}/{_SHAPE_MODEL}"))
    except (MissingError, ValueError, KeyError, TypeError):
        return False


def _sha256(root: Root, path: str) -> str:
    return hashlib.sha256(root.read_bytes(path)).hexdigest()
