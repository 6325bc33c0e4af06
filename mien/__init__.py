"""Expression transfer as a batch data pipeline: face photos in, the same people with new expressions out.

    import mien

    mien.prepare(images=["photos/"], set="team")
    mien.train(sets=["team"], minutes=60)
    mien.augment(identities="team", expressions="team", per_identity=20)
    face = mien.load("models:/mien-generator@champion").transfer("anna.jpg", "smile.jpg")
    faces = mien.open("./data", "team").faces.to_pandas()

Importing the package loads nothing: each of these names is looked up when it is used. `__init__.pyi` has their types.
"""

from __future__ import annotations

__version__ = "0.2.0"

_OFFERED = {
    "prepare": "mien.flows.prepare:prepare_faces",
    "train": "mien.flows.train:train_generator",
    "augment": "mien.flows.augment:augment_faces",
    "load": "mien.flows.python.generator:load",
    "open": "mien.flows.python.sets:open_set",
}


def __getattr__(name: str) -> object:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module
    from os import path

    if not path.isdir(path.join(path.dirname(__file__), "flows")):
        raise ImportError(
            f"mien.{name} is not here: this is the part of mien that a registered generator carries ({__file__}). "
            "Install mien, and import it before a generator is loaded"
        )
    module, _, attribute = _OFFERED[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED])
