"""The demo: face_augmentation with the embedded defaults, on the AT&T (ORL) faces."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mien.flows.parameters import Minutes, RootUrl
from mien.flows.pipeline import Augmentation, face_augmentation
from mien.flows.result import FlowResult
from mien.storage import Root
from mien.tasks.tracking import tracking_uri

RUNS_FLOWS = True
IMAGES = "sample:orl"
SET = "demo"
# 3 + 3 of the 40 people are held out; with 70 faces each that makes 420.
HELD_OUT_FRACTION = 0.075
PER_IDENTITY = 70
# The splits are drawn by hashing names, so their sizes vary with the salt; this one holds out exactly 3 + 3.
SPLIT_SALT = "orl-32"


@dataclass(frozen=True)
class Demo(FlowResult):
    """What the pipeline left behind, and where it can be looked at."""

    root: str
    done: Augmentation
    registry: str
    """MLflow's tracking URI."""

    def lines(self) -> list[str]:
        tools, augmented = _tools(), self.done.augmented
        assert augmented.transfers is not None
        assert augmented.gallery is not None
        return [
            "",
            self.done.prepared.summary(),
            *self.done.trained.lines(),
            augmented.summary(),
            "",
            f"gallery   {augmented.gallery.uri}",
            f"          open it in a browser:  {tools}/python -m webbrowser -t {augmented.gallery.uri}",
            f"table     {augmented.transfers.uri}",
            f"          see its rows:          {tools}/mien show {self.root}/transfers/{augmented.set}",
            f"registry  {self.done.trained.model.uri} in {self.registry}",
            f"          browse it:             {tools}/mlflow ui --backend-store-uri {self.registry}",
        ]


def run_demo(*, root: RootUrl = "./data/demo", minutes: Minutes = 4.0) -> Demo:
    """Run the whole pipeline on the AT&T (ORL) faces; ends with a gallery of generated faces.

    Args:
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        minutes: How long to train the generator.
    """
    done = face_augmentation(
        images=[IMAGES],
        set=SET,
        root=root,
        crop_size=128,
        size=128,
        minutes=minutes,
        per_identity=PER_IDENTITY,
        val_fraction=HELD_OUT_FRACTION,
        test_fraction=HELD_OUT_FRACTION,
        split_salt=SPLIT_SALT,
        gallery=f"{root}/gallery",
        even_refused=True,  # a demo of a minute shows what came of it, and says that it is no champion
    )
    return Demo(root, done, tracking_uri(Root(root)))


def _tools() -> str:
    """Folder of the commands of this environment, as short as it can be written: it need not be on the path."""
    folder = Path(sys.executable).parent
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)
