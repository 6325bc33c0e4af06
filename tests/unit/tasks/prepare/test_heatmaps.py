"""The heatmap cache: its form decides its fingerprint, is kept with it, and is drawn again by `mien verify`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import PARTS
from mien.storage import Root, commit, open_table, read_manifest
from mien.tasks.errors import UsageError
from mien.tasks.prepare.heatmaps import HEATMAPS, HeatmapSettings
from mien.tasks.sets.faces import FaceTables, check_compatible, prepare_settings
from mien.tasks.sets.verify import verify
from tests.small_root import CROP_PX, draw_photos, prepare, rows_of

SIZE_PX = 16


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw_photos(tmp_path / "photos", people=2, each=2)
    return tmp_path / "photos"


def prepared(root: Root, photos: Path, form: HeatmapForm) -> FaceTables:
    refs = prepare(root, photos, form, heatmaps=HeatmapSpec(SIZE_PX, form=form))
    return FaceTables(form, refs["faces"].fingerprint, refs["heatmaps"].fingerprint)


def test_the_form_is_part_of_what_decides_a_shard() -> None:
    root, settings = Root("memory://nothing"), HeatmapSettings(CROP_PX)
    given = [
        replace(settings.spec, form=form, sigma_px=sigma) for form in get_args(HeatmapForm) for sigma in (1.0, 1.5)
    ]
    names = {HEATMAPS.name(root, "a" * 32, replace(settings, spec=spec)) for spec in given}
    assert len(names) == len(given)


@pytest.mark.parametrize("form", get_args(HeatmapForm))
def test_a_set_has_the_heatmaps_of_its_form_and_says_which(tmp_path: Path, photos: Path, form: HeatmapForm) -> None:
    root = Root(str(tmp_path / "root"))
    tables = prepared(root, photos, form)
    face = next(row for row in rows_of(root, "faces", tables.faces) if row["landmarks_xy"])
    stored = next(row for row in rows_of(root, "heatmaps", tables.heatmaps) if row["face_id"] == face["face_id"])
    points = np.asarray(face["landmarks_xy"], np.float32).reshape(1, -1, 2)
    expected = render_heatmaps(points, face["landmark_scheme"], CROP_PX, HeatmapSpec(SIZE_PX, form=form))
    assert stored["heatmap"] == expected.tobytes()
    metadata = open_table(root, "heatmaps", tables.heatmaps).schema.metadata
    assert metadata[b"shape"] == f"{len(PARTS)},{SIZE_PX},{SIZE_PX}".encode()
    assert metadata.get(b"form", b"points") == form.encode()
    assert prepare_settings(root, tables)["heatmaps"] == {"size_px": SIZE_PX, "sigma_px": 1.5, "form": form}
    assert not verify(root, form).faults


def test_sets_of_two_forms_are_not_used_together(tmp_path: Path, photos: Path) -> None:
    root = Root(str(tmp_path / "root"))
    first, second = (prepared(root, photos, form) for form in ("points", "contours"))
    with pytest.raises(UsageError, match="different heatmaps settings"):
        check_compatible(root, [first, second])


def test_a_set_of_a_version_that_drew_points_alone_goes_with_one_of_points(tmp_path: Path, photos: Path) -> None:
    root = Root(str(tmp_path / "root"))
    tables = prepared(root, photos, "points")
    manifest = read_manifest(root, "heatmaps", tables.heatmaps)
    about = {**manifest.about, "spec": {"size_px": SIZE_PX, "sigma_px": 1.5}}
    older = replace(tables, heatmaps=commit(root, "heatmaps", list(manifest.shards), about).fingerprint)
    assert older != tables
    check_compatible(root, [older, tables])
