"""Faces for pairs: each a function of its pair and the settings, in their order; refused ones with a reason."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mien.model.images.codec import decode_rgb
from mien.model.pair_planning import planned_pair
from mien.storage import Root, fingerprint
from mien.storage.schemas import TRANSFERS
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.transfer.generate import BATCH, PairGenerator
from mien.tasks.transfer.settings import (
    OutputSettings,
    TransferSettings,
    decisive,
    settings_fingerprint,
    settings_of,
)
from tests.drawn_set import DETECTOR, SIDE_PX, drawn_set, small_generator


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> PairGenerator:
    folder = tmp_path_factory.mktemp("making")
    root = Root(str(folder / "root"))
    tables, sha256 = drawn_set(root), keep_model(root, small_generator(Path(folder) / "trained"))
    settings = TransferSettings(
        RegisteredModel("models:/g/1", "run", sha256, False),
        (tables,),
        SIDE_PX,
        DETECTOR,
        output=OutputSettings(keep_rejected=True),
    )
    neutrals = keep_neutrals(root, settings.sets, sha256, settings.retarget)
    return PairGenerator(root, replace(settings, neutrals=neutrals))


def pair(source: int, driver: int, reason: str | None = None) -> dict[str, Any]:
    planned = planned_pair(fingerprint(["drawn", source]), fingerprint(["drawn", driver]), 0)
    return asdict(planned) | {"rank": None, "status": "rejected" if reason else "ok", "reason": reason}


PAIRS = [pair(source, driver) for source in range(4) for driver in range(4, 9)]
"""More than go through the generator at once."""


def test_a_face_does_not_depend_on_those_that_it_is_made_with(making: PairGenerator) -> None:
    assert len(PAIRS) > BATCH
    together = list(making.rows(PAIRS))
    assert [row["pair_id"] for row in together] == [row["pair_id"] for row in PAIRS]
    for number in (0, BATCH - 1, len(PAIRS) - 1):
        assert list(making.rows([PAIRS[number]])) == [together[number]]
    assert len({row["sha256"] for row in together}) == len(PAIRS)
    assert len({row["output_id"] for row in together}) == len(PAIRS)
    assert all(decode_rgb(row["image"]).shape == (SIDE_PX, SIDE_PX, 3) for row in together)


def test_faces_of_another_side_are_judged_at_it_and_have_a_fingerprint_of_their_own(making: PairGenerator) -> None:
    large = PairGenerator(making.root, replace(making.settings, output=OutputSettings(keep_rejected=True, size_px=160)))
    assert large.made_with != making.made_with
    rows = list(large.rows(PAIRS[:2]))
    assert all(decode_rgb(row["image"]).shape == (160, 160, 3) for row in rows)
    assert list(large.rows(PAIRS[1:2])) == rows[1:]
    batch = large.batch([PAIRS[0]], large.faces([PAIRS[0]]))
    assert batch.targets[0].source is not None
    own = making.batch([PAIRS[0]], making.faces([PAIRS[0]])).targets[0].source
    assert own is not None
    # The source is looked at at the side of the results: the finest detail of both is compared like with like.
    assert batch.targets[0].source.look.bands[0] != own.look.bands[0]


def test_settings_of_an_earlier_version_have_the_side_of_the_generator(making: PairGenerator) -> None:
    kept = decisive(making.settings)
    del kept["output"]["size_px"]
    read = settings_of({"settings": kept})
    assert read.output.size_px is None
    assert PairGenerator(making.root, read).size_px == making.generator.size_px
    assert settings_of({"settings": decisive(making.settings)}).output == making.settings.output


def test_the_rows_are_rows_of_the_table(making: PairGenerator) -> None:
    rows = list(making.rows([PAIRS[0], pair(1, 5, "the driver: no face found")]))
    table = pa.Table.from_pylist(rows, schema=TRANSFERS)
    assert table["status"].to_pylist()[1] == "rejected"
    made, refused = table.to_pylist()
    assert made["settings"] == refused["settings"] == settings_fingerprint(making.settings)
    assert (made["identity"], made["split"]) == ("person 0", "train")
    assert made["source_image_id"] == f"{0:064d}"
    assert (refused["image"], refused["sha256"], refused["reason"]) == (None, None, "the driver: no face found")


def test_a_pair_of_a_list_may_come_twice(making: PairGenerator) -> None:
    first, other, again = making.rows([PAIRS[0], PAIRS[7], PAIRS[0]])
    assert first == again != other


def test_a_refused_pair_says_whose_faces_it_names(making: PairGenerator) -> None:
    refused, unreadable = pair(0, 5, "identity: too dark"), pair(1, 6, "identity: no picture")
    unreadable["identity_face_id"] = "/photos/größe ä.jpg"  # a photo that has no face row stands for itself
    first, second = making.rows([refused, unreadable])
    assert (first["identity"], first["split"], first.get("sha256")) == ("person 0", "train", None)
    assert (second["identity"], second["driver_image_id"]) == (None, f"{6:064d}")
    assert {first["status"], second["status"]} == {"rejected"}


def test_without_consent_nothing_is_made_where_it_is_required(making: PairGenerator) -> None:
    strict = PairGenerator(making.root, replace(making.settings, require_consent=True))
    (row,) = strict.rows(PAIRS[:1])
    assert (row["status"], row.get("image"), row.get("sha256")) == ("rejected", None, None)
    assert "the source's photo" in row["reason"]
