"""The same photos in two sets, under other names and labels: each side of a transfer is as its own set has it."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.small_job import MODEL, NAME, register_generator
from mien import storage
from tests.integration.flow_calls import UNJUDGED, generated, table_rows, verify, write_pairs
from tests.integration.person_to_forget import EACH, OWN, draw_photos

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

PLAIN, LABELLED = NAME, "labelled"
PEOPLE = ("ann", "bob", "cid")
LABELLED_AS = {"ann": "P-1", "bob": "P-2", "cid": "P-3"}
MOODS = ("calm", "glad", "sad", "wild")


def prepare(root: Path, listed: Path, name: str) -> Any:
    from mien.flows.prepare import prepare_faces

    return prepare_faces(
        [str(listed)], set=name, root=str(root), faces=OWN, crop_size=64, val_fraction=0, test_fraction=0, workers=1
    )


def write_list(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, prefect_server: None, shared_workers: None) -> Iterator[Path]:
    """Three people's photos as two sets, and a generator."""
    folder = tmp_path_factory.mktemp("two")
    draw_photos(folder / "photos", {name: number for number, name in enumerate(PEOPLE)})
    files = [(name, n, str(folder / "photos" / name / f"{n}.png")) for name in PEOPLE for n in range(EACH)]
    plain = [{"uri": uri, "identity": name, "licence": "CC-BY-4.0"} for name, _, uri in files]
    labelled = [
        {
            "uri": uri,
            "identity": LABELLED_AS[name],
            "expression": MOODS[n],
            "licence": "MIT",
            "consent": "signed 2026-01-01",
        }
        for name, n, uri in files
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.chdir(folder)
        prepare(folder / "root", write_list(folder / "plain.csv", plain), PLAIN)
        prepare(folder / "root", write_list(folder / "labelled.csv", labelled), LABELLED)
        register_generator(str(folder / "root"), folder / "generator")
        for sources, drivers in ((PLAIN, LABELLED), (LABELLED, PLAIN)):
            augment(folder / "root", sources, drivers)
        yield folder / "root"


def augment(root: Path, sources: str, drivers: str, **options: Any) -> Any:
    from mien.flows.augment import augment_faces

    return augment_faces(
        **{"identities": sources, "expressions": drivers, "model": MODEL, "root": str(root)}
        | {"per_identity": 4, "candidates": 4, "keep_rejected": True, "workers": 1, "settings": UNJUDGED}
        | options
    )


def faces(root: Path, name: str) -> dict[str, dict[str, Any]]:
    return {row["face_id"]: row for row in table_rows(root, "faces", name)}


@pytest.mark.parametrize(("sources", "drivers"), [(PLAIN, LABELLED), (LABELLED, PLAIN)])
def test_a_generated_face_has_the_labels_and_terms_of_the_right_set(root: Path, sources: str, drivers: str) -> None:
    made, own, taken = generated(root, f"{sources}-by-{drivers}"), faces(root, sources), faces(root, drivers)
    assert own.keys() == taken.keys()
    assert len(made) == len(PEOPLE) * 4
    terms = {PLAIN: ("CC-BY-4.0", None), LABELLED: ("MIT", "given 2026-01-01")}
    for row in made:
        source, driver = own[row["identity_face_id"]], taken[row["expression_face_id"]]
        assert (row["identity"], row["split"]) == (source["identity"], source["split"])
        assert row["expression"] == driver["expression"]
        assert (row["licence"], row["consent"]) == terms[sources]
    assert {row["expression"] for row in made} == ({None} if drivers == PLAIN else set(MOODS))


def test_nobody_drives_the_same_person_under_another_name(root: Path) -> None:
    own, taken = faces(root, PLAIN), faces(root, LABELLED)
    for row in generated(root, f"{PLAIN}-by-{LABELLED}"):
        source, driver = own[row["identity_face_id"]], taken[row["expression_face_id"]]
        assert LABELLED_AS[source["identity"]] != driver["identity"]


def first_row(page: Path) -> dict[str, str | None]:
    """What a gallery has on its first row: the data that the page reads."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)
    given: Any = json.loads(data)

    def text(column: Any, index: int) -> str | None:
        return column["values"][numbers(column["codes"])[index]]

    def numbers(packed: Any) -> list[int]:
        return np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["type"])).tolist()

    rows = given["rows"]
    of = {name: numbers(rows[name])[0] for name in ("source", "driver")}
    return {
        "person": text(rows["labels"]["identity"], 0),
        "expression": text(rows["labels"]["expression"], 0),
        "driver": text((given["drivers"] or given["sources"])["person"], of["driver"]),
    }


@pytest.mark.parametrize("name", [f"{PLAIN}-by-{LABELLED}", f"{LABELLED}-by-{PLAIN}"])
def test_what_is_read_later_agrees(root: Path, name: str, tmp_path: Path) -> None:
    from mien.flows.export import export_faces
    from mien.flows.reproduce import reproduce_face

    checked = verify(name, root)
    assert checked.ok, checked.lines()
    row = generated(root, name)[0]
    assert reproduce_face(output_id=row["output_id"], root=str(root), set=name).ok
    export_faces(set=name, root=str(root), out=str(tmp_path / "out"), rejected=True, workers=1)
    with (tmp_path / "out" / "index.csv").open(newline="") as file:
        exported = {line["output_id"]: line for line in csv.DictReader(file)}
    assert exported[row["output_id"]]["identity"] == row["identity"]
    assert (exported[row["output_id"]]["expression"] or None) == row["expression"]
    driver = faces(root, name.partition("-by-")[2])[row["expression_face_id"]]
    shown = first_row(root / "galleries" / name / "index.html")
    assert (shown["person"], shown["expression"], shown["driver"]) == (
        row["identity"],
        row["expression"],
        driver["identity"],
    )


def test_consent_of_the_one_set_is_not_that_of_the_other(root: Path) -> None:
    augment(root, LABELLED, PLAIN, set="asked", require_consent=True)
    assert {row["reason"] for row in generated(root, "asked")} == {"the driver's photo came without consent"}
    augment(root, LABELLED, LABELLED, set="given", require_consent=True)
    assert not [row for row in generated(root, "given") if "consent" in (row["reason"] or "")]


def test_a_list_of_pairs_takes_each_side_from_its_set(root: Path, tmp_path: Path) -> None:
    photos = root.parent / "photos"
    same = str(photos / "ann" / "1.png")
    pairs = write_pairs(tmp_path, (same, same), (same, str(photos / "bob" / "2.png")))
    augment(root, PLAIN, LABELLED, set="listed", pairs=pairs)
    rows = generated(root, "listed")
    assert [(row["identity"], row["expression"]) for row in rows] == [("ann", MOODS[1]), ("ann", MOODS[2])]
    assert verify("listed", root).ok


def test_a_photo_that_one_list_names_for_two_people_has_two_rows_and_one_face(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", {"ann": 0, "bob": 1})
    first = str(tmp_path / "photos" / "ann" / "0.png")
    rows = [{"uri": first, "identity": who, "expression": mood} for who, mood in (("ann", "calm"), ("bob", "sad"))]
    rows += [{"uri": str(tmp_path / "photos/bob/1.png"), "identity": "bob", "expression": "glad"}]
    done = prepare(tmp_path / "root", write_list(tmp_path / "list.csv", rows), "doubled")
    assert "1 faces left out: an earlier row says that the same photo shows another person than 'bob'" in done.lines()
    listed = table_rows(tmp_path / "root", "images", "doubled")
    assert [(row["identity"], row["expression"]) for row in listed if row["uri"] == first] == [
        ("ann", "calm"),
        ("bob", "sad"),
    ]
    found = {(row["identity"], row["expression"]): row for row in table_rows(tmp_path / "root", "faces", "doubled")}
    assert len(found) == 3
    assert found["ann", "calm"]["status"] == found["bob", "glad"]["status"] == "ok"
    assert "said to show another person" in found["bob", "sad"]["reason"]
    assert verify("doubled", tmp_path / "root").ok
    manifest = storage.read_set(storage.Root(str(tmp_path / "root")), "doubled")
    assert set(manifest.tables) == {"images", "faces", "heatmaps"}
