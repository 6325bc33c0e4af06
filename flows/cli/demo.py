"""The demo: face_augmentation with the embedded defaults, on the AT&T (ORL) faces."""

from __future__ import annotations

import sys
from pathlib import Path

from mien.flows import augment, prepare, train
from mien.flows.pipeline import face_augmentation
from mien.storage import Root
from mien.tasks.tracking import tracking_uri

IMAGES = "sample:orl"
NAME = "demo"
# 3 + 3 of the 40 people are held out; with 70 faces each that makes 420.
HELD_OUT_FRACTION = 0.075
PER_IDENTITY = 70
# The splits are drawn by hashing names, so their sizes vary with the salt; this one holds out exactly 3 + 3.
SPLIT_SALT = "orl-32"


def run_demo(root: str, minutes: float) -> list[str]:
    """Runs the pipeline; returns the lines that tell where its results are and what opens them."""
    done = face_augmentation(
        [IMAGES],
        NAME,
        root,
        crop_size=128,
        size=128,
        minutes=minutes,
        per_identity=PER_IDENTITY,
        val_fraction=HELD_OUT_FRACTION,
        test_fraction=HELD_OUT_FRACTION,
        split_salt=SPLIT_SALT,
        gallery=f"{root}/gallery",
    )
    place, tools = Root(root), _tools()
    assert done.augmented.transfers is not None
    assert done.augmented.gallery is not None
    return [
        "",
        prepare.outcome(place, done.prepared),
        *train.outcome(done.trained),
        augment.outcome(place, done.augmented),
        "",
        f"gallery   {done.augmented.gallery.uri}",
        f"          open it in a browser:  {tools}/python -m webbrowser -t {done.augmented.gallery.uri}",
        f"table     {done.augmented.transfers.uri}",
        f"          see its rows:          {tools}/mien show {root}/transfers/{done.augmented.name}",
        f"registry  {done.trained.model.uri} in {tracking_uri(place)}",
        f"          browse it:             {tools}/mlflow ui --backend-store-uri {tracking_uri(place)}",
    ]


def _tools() -> str:
    """Folder of the commands of this environment, as short as it can be written: it need not be on the path."""
    folder = Path(sys.executable).parent
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)
