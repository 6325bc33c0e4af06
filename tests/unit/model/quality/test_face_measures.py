"""The measures of a face are columns of the table of generated faces."""

from __future__ import annotations

from dataclasses import fields

from mien.model.quality.face_measures import FaceMeasures, MeasureColumns, columns_of
from mien.storage.schemas import SCHEMAS


def test_each_measure_is_a_column() -> None:
    names = [field.name for field in fields(FaceMeasures)]
    assert names == list(MeasureColumns.__annotations__)
    assert set(names) <= set(SCHEMAS["transfers"].names)
    assert columns_of(FaceMeasures(texture_error=0.5))["texture_error"] == 0.5
