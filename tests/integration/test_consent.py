"""`--require-consent` lets nobody pass who did not consent: as source or driver, in training, calibration, transfer."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.small_job import MODEL, NAME, register_generator
from mien import storage
from mien.tasks.errors import UsageError
from tests.integration.flow_calls import UNJUDGED
from tests.integration.person_to_forget import EACH, OWN, draw_photos

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

SAID = {"ann": "Yes", "bob": "False", "cid": "", "dot": "signed 2026-01-01", "eve": "yes"}
"""Consent by person; a photo of eve's says that it was withdrawn."""


def prepare(root: Path, listed: Path, name: str = NAME):
    from mien.flows.prepare import prepare_faces

    return prepare_faces(
        images=[str(listed)],
        allow=[str(root.parent / "photos")],
        set=name,
        root=str(root),
        faces=OWN,
        crop_size=64,
        val_fraction=0,
        test_fraction=0,
        workers=1,
        max_failed=1,
    )


def rows_of(folder: Path, said: dict[str, str]) -> list[dict[str, str]]:
    paths = sorted(path for path in folder.rglob("*.png") if path.parent.name in said)
    return [{"uri": str(p), "identity": p.parent.name, "consent": said[p.parent.name]} for p in paths]


def write_list(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["uri", "identity", "consent"])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, prefect_server: None, shared_workers: None) -> Iterator[Path]:
    """A set whose people said different things, and a generator."""
    folder = tmp_path_factory.mktemp("consent")
    draw_photos(folder / "photos", {name: number for number, name in enumerate(SAID)})
    rows = rows_of(folder / "photos", SAID)
    rows[-1]["consent"] = "WITHDRAWN 2026-02-03"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.chdir(folder)
        done = prepare(folder / "root", write_list(folder / "list.csv", rows))
        assert "consent: 11 given, 4 denied, 4 unknown, 1 withdrawn" in done.lines()
        register_generator(str(folder / "root"), folder / "generator")
        yield folder / "root"


def transfers(root: Path, name: str) -> list[dict[str, Any]]:
    return storage.open_table(str(root), "transfers", name).to_table().to_pylist()


def augment(root: Path, name: str, require_consent: bool):
    from mien.flows.augment import augment_faces

    return augment_faces(
        identities=NAME,
        expressions=NAME,
        set=name,
        model=MODEL,
        root=str(root),
        per_identity=6,
        candidates=6,
        require_consent=require_consent,
        settings=UNJUDGED,
        workers=1,
    )


def identities(root: Path) -> dict[str, str]:
    faces = storage.open_table(str(root), "faces", NAME).to_table(["face_id", "identity"]).to_pylist()
    return {row["face_id"]: row["identity"] for row in faces}


def test_a_withdrawal_takes_the_whole_person_out_without_any_option(root: Path) -> None:
    photos = storage.open_table(str(root), "images", NAME).to_table().to_pylist()
    eve = [row for row in photos if row["identity"] == "eve"]
    assert {row["status"] for row in eve} == {"rejected"}
    assert all(row["reason"].startswith("consent withdrawn on 2026-02-03") for row in eve)
    assert "eve" not in identities(root).values()
    augment(root, "anybody", require_consent=False)
    rows = transfers(root, "anybody")
    assert {row["identity"] for row in rows} == {"ann", "bob", "cid", "dot"}
    assert not [row for row in rows if "consent" in (row["reason"] or "")]


def test_only_given_passes_on_either_side_of_a_pair(root: Path) -> None:
    done = augment(root, "asked", require_consent=True)
    people = identities(root)
    made, reasons = [], {}
    for row in transfers(root, "asked"):
        pair = people[row["identity_face_id"]], people[row["expression_face_id"]]
        if row["sha256"]:
            made.append(pair)
        else:
            reasons.setdefault(row["reason"], set()).add(pair)
    assert made
    assert {person for pair in made for person in pair} == {"ann", "dot"}
    assert set(reasons) == {
        "the source's photo came without consent",
        "the source's consent was denied",
        "the driver's photo came without consent",
        "the driver's consent was denied",
    }
    assert {source for source, _ in reasons["the source's consent was denied"]} == {"bob"}
    assert {driver for _, driver in reasons["the driver's photo came without consent"]} == {"cid"}
    (line,) = (line for line in done.lines() if "want of consent" in line)
    assert line.startswith(f"{sum(1 for row in transfers(root, 'asked') if not row['sha256'])} faces of 4 people")


def test_training_and_calibration_leave_out_who_did_not_consent(root: Path) -> None:
    from mien.storage import Root
    from mien.tasks.sets.consent import with_consent
    from mien.tasks.sets.faces import face_tables, usable_faces

    opened = Root(str(root))
    tables = face_tables(opened, NAME)
    assert with_consent(opened, [tables], required=False).sets == (tables,)
    found = with_consent(opened, [tables], required=True)
    assert {row["identity"] for row in usable_faces(opened, found.sets, ["face_id", "identity"])} == {"ann", "dot"}
    assert found.lines() == [
        f"{2 * EACH} photos of 2 people left out for want of consent "
        f"({EACH}: the consent was denied, {EACH}: the photo came without consent)"
    ]
    assert with_consent(opened, [tables], required=True) == found


def test_calibration_says_whom_it_left_out(root: Path) -> None:
    from mien.flows.calibrate import calibrate_gate

    lines = calibrate_gate(set=NAME, root=str(root), pairs=10, require_consent=True).lines()
    assert lines[0].startswith(f"{2 * EACH} photos of 2 people left out")


def test_the_same_photo_withdrawn_in_another_set_is_not_used(root: Path, tmp_path: Path) -> None:
    from mien.storage import Root
    from mien.tasks.sets.consent import with_consent
    from mien.tasks.sets.faces import face_tables, usable_faces

    photos = root.parent / "photos"
    rows = rows_of(photos, {"ann": "revoked"})
    prepare(root, write_list(tmp_path / "other.csv", rows[:1] + rows_of(photos, {"dot": "yes"})), "other")
    opened = Root(str(root))
    found = with_consent(opened, [face_tables(opened, NAME), face_tables(opened, "other")], required=False)
    kept = usable_faces(opened, found.sets[:1], ["face_id", "identity"])
    assert sum(row["identity"] == "ann" for row in kept) == EACH - 1
    assert found.reasons == {"the consent was withdrawn": 1}


def test_two_photos_are_asked_about_in_the_sets_of_the_root(root: Path, tmp_path: Path) -> None:
    from mien.storage import Root
    from mien.tasks.sets.photo_consent import check_photos

    opened, photos = Root(str(root)), root.parent / "photos"
    dot, bob, cid, eve = (str(photos / name / "1.png") for name in ("dot", "bob", "cid", "eve"))
    check_photos(opened, (dot, dot), required=True)
    check_photos(opened, (bob, cid), required=False)
    for wrong, why in ((bob, "consent was denied"), (cid, "came without consent")):
        with pytest.raises(UsageError, match=why):
            check_photos(opened, (dot, wrong), required=True)
    draw_photos(tmp_path / "new", {"new": 77})
    with pytest.raises(UsageError, match="is in no prepared set"):
        check_photos(opened, (dot, str(tmp_path / "new" / "new" / "0.png")), required=True)
    with pytest.raises(UsageError, match="consent was withdrawn on 2026-02-03"):
        check_photos(opened, (str(sorted((photos / "eve").iterdir())[-1]), dot), required=False)
    assert eve


@pytest.mark.parametrize("wrong", ["mayb", "yes, if asked", "31.12.2026"])
def test_a_mistyped_consent_ends_the_run_before_anything_is_written(tmp_path: Path, wrong: str) -> None:
    draw_photos(tmp_path / "photos", {"ann": 0})
    rows = rows_of(tmp_path / "photos", {"ann": "yes"})
    rows[2]["consent"] = wrong
    with pytest.raises(UsageError) as error:
        prepare(tmp_path / "root", write_list(tmp_path / "list.csv", rows))
    assert wrong in str(error.value)
    assert "withdrawn/revoked" in str(error.value)
    assert not (tmp_path / "root" / "images").exists()


def test_parquet_booleans_are_decisions(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", {"ann": 0, "bob": 1})
    rows = rows_of(tmp_path / "photos", {"ann": "", "bob": ""})
    table = {key: [row[key] for row in rows] for key in ("uri", "identity")}
    pq.write_table(pa.table({**table, "consent": [row["identity"] == "ann" for row in rows]}), tmp_path / "l.parquet")
    prepare(tmp_path / "root", tmp_path / "l.parquet")
    images = storage.open_table(str(tmp_path / "root"), "images", NAME).to_table().to_pylist()
    assert {(row["identity"], row["consent"]) for row in images} == {("ann", "given"), ("bob", "denied")}
