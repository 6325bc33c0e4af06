"""A root that a person is all over: two prepared sets, a trained generator, a generated set, pages and exports.

Photos are drawn squares, which the tests' own detector takes for faces, so that nothing but the tables is tested.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.flow_calls import UNJUDGED, quickly_evaluated

OWN = "tests.own_detector:DarkSquares"
PERSON = "Quirinia Öz"
"""No other text of a root has this name."""
PEOPLE = {PERSON: 0, "ben": 1, "carla": 2, "dan": 3}
EACH = 4


def draw_photos(folder: Path, people: dict[str, int] = PEOPLE, first: int = 0) -> None:
    """Dark squares with a pattern of their own, in a folder for each person."""
    for name, seed in people.items():
        (folder / name).mkdir(parents=True)
        for number in range(first, first + EACH):
            random = np.random.default_rng([seed, number])
            picture = np.full((120, 160, 3), 255, np.uint8)
            pattern = cv2.resize(random.integers(0, 90, (9, 9, 3), np.uint8), (80, 80), interpolation=cv2.INTER_NEAREST)
            picture[20:100, 40:120] = pattern
            data = cv2.imencode(".png", picture)[1].tobytes()
            (folder / name / f"{number}.png").write_bytes(data)


def prepare(root: Path, photos: Path, name: str):
    from mien.flows.prepare import prepare_faces

    return prepare_faces(
        [str(photos)],
        set=name,
        root=str(root),
        faces=OWN,
        crop_size=64,
        val_fraction=0.3,
        test_fraction=0.0,
        split_salt="forget-1",
        workers=1,
        check_identities=name == "second",
    )


def fill(root: Path, photos: Path, outside: Path) -> None:
    """Everything that a root holds of its people."""
    from mien.flows.augment import augment_faces
    from mien.flows.export import export_faces
    from mien.flows.gallery import write_gallery
    from mien.flows.report import write_report
    from mien.flows.train import train_generator

    draw_photos(photos / "first")
    draw_photos(photos / "second", {PERSON: 0, "eva": 5, "fred": 6}, first=EACH)
    prepare(root, photos / "first", "first")
    prepare(root, photos / "second", "second")
    with quickly_evaluated():
        train_generator(sets=["first"], root=str(root), steps=2, generator="motion", size=64, workers=1)
    model = "models:/mien-generator/1"
    for sources, drivers in (("first", "second"), ("second", "first")):
        augment_faces(
            identities=sources,
            expressions=drivers,
            model=model,
            root=str(root),
            per_identity=2,
            candidates=2,
            sources=4,
            keep_rejected=True,
            workers=1,
            settings=UNJUDGED,
        )
    write_report(set="first", root=str(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mien.tasks.pages.gallery.MAX_ROWS_WITHIN", 0)  # its pictures lie beside the page
        write_gallery(set="first-by-second", root=str(root), out=str(outside / "page"))
        write_gallery(set="second-by-first", root=str(root), out=str(root / "pages"))
    export_faces(set="first-by-second", root=str(root), out=str(outside / "export"), rejected=True, workers=1)
    export_faces(set="second-by-first", root=str(root), out=str(root / "exported"), rejected=True, format="webdataset")
