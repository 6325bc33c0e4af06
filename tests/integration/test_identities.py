"""Identities by faces, through the flows: groups, doubtful labels, detectors of one's own, commercial use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien import storage
from mien.tasks.errors import UsageError
from tests.integration.flow_calls import prepare, table_rows, train

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

OWN = "tests.own_detector:DarkSquares"
COLOURS = ((90, 20, 20), (20, 90, 20), (20, 20, 90))


def draw_squares(folder: Path, people: range, each: int = 4) -> None:
    """Pictures of squares of a colour for each person, each of its own bytes, without a label."""
    folder.mkdir(exist_ok=True)
    for person in people:
        for number in range(each):
            picture = np.full((120, 160, 3), 255, np.uint8)
            picture[20:90, 30 + 5 * number : 100 + 5 * number] = COLOURS[person]
            picture[40 : 50 + 6 * number, 60:70] = 0
            cv2.imwrite(str(folder / f"{person}-{number}.png"), picture)


def identities(root: Path, name: str) -> dict[str, tuple[str, str]]:
    """Identity and split by file."""
    files = {row["image_id"]: Path(row["uri"]).name for row in table_rows(root, "images", name)}
    return {files[row["image_id"]]: (row["identity"], row["split"]) for row in table_rows(root, "faces", name)}


def test_faces_are_grouped_by_a_detector_of_ones_own_and_keep_their_names(tmp_path: Path) -> None:
    from mien.flows.report import write_report

    def prepared() -> Any:
        return prepare([tmp_path / "squares"], "squares", tmp_path, faces=OWN, identity="cluster", commercial=True)

    draw_squares(tmp_path / "squares", range(2))
    first = prepared()
    before = identities(tmp_path, "squares")
    assert len({identity for identity, _ in before.values()}) == 2
    for person in range(2):
        assert len({identity for file, (identity, _) in before.items() if file.startswith(f"{person}-")}) == 1
    assert "2 people by their faces, 4 to 4 faces each" in first.identities[0]

    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/shards/*")}
    assert prepared() == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/shards/*")} == written

    draw_squares(tmp_path / "squares", range(3))
    prepared()
    after = identities(tmp_path, "squares")
    assert before.items() <= after.items()
    assert len({identity for identity, _ in after.values()}) == 3

    report = write_report(set="squares", root=str(tmp_path))
    assert "3 people by their faces" in report.summary
    assert "3 people by their faces" in Path(tmp_path / "reports/squares/index.html").read_text()
    faces = storage.open_table(str(tmp_path), "faces", "squares").to_table(["weights_licences", "commercial_use"])
    assert set(faces["weights_licences"].to_pylist()) == {"no weights: nothing was trained"}
    assert set(faces["commercial_use"].to_pylist()) == {True}


def test_swapped_labels_are_told_and_dlib_is_refused_for_commerce(tmp_path: Path) -> None:
    from mien.flows.report import write_report

    people = {f"sample:orl/s{p}/{n}.pgm": f"s{p}" for p in (1, 2, 3) for n in range(1, 6)}
    people["sample:orl/s1/2.pgm"], people["sample:orl/s2/3.pgm"] = "s2", "s1"
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["uri,identity", *(f"{uri},{who}" for uri, who in people.items())]))
    root = str(tmp_path / "root")
    done = prepare([listed], "swapped", root, faces="dlib", check_identities=True)
    told = "\n".join(done.lines())
    assert "2 of 15 labelled faces disagree with their label" in told
    assert "sample:orl/s1/2.pgm: nearer to s1" in told
    assert "sample:orl/s2/3.pgm: nearer to s2" in told
    report = write_report(set="swapped", root=root)
    assert "`sample:orl/s1/2.pgm`: nearer to s1" in report.summary
    rows = table_rows(root, "faces", "swapped")
    assert sum(row["identity_doubt"] is not None for row in rows) == 2
    assert {row["commercial_use"] for row in rows} == {False}

    with pytest.raises(UsageError, match="the detector dlib may not be used commercially"):
        prepare([listed], "swapped", root, faces="dlib", commercial=True)
    with pytest.raises(UsageError, match="the faces of swapped may not be used commercially"):
        train(["swapped"], root, steps=1, commercial=True)
