"""The gallery: its numbers are of all rows, its files are whole, and nothing that data says becomes code."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import is_synthetic
from mien.storage import Root, StorageError, read_manifest
from mien.storage.shards import shard_path
from mien.tasks.pages.gallery import MAX_ROWS_WITHIN, build_gallery
from mien.tasks.pages.gallery_faces import NOT_FOUND
from mien.tasks.pages.gallery_rows import MEASURES, NOT_KEPT, NOT_MADE, Totals
from mien.tasks.pages.gallery_sheets import FOLDER, PER_SHEET
from mien.tasks.pages.gallery_summary import MAX_REASONS, markdown, summarise
from mien.tasks.pages.html import evenly_spaced
from tests.gallery_root import RESULT_PX, face, not_made, rejected, transfer, write_generated

PEOPLE = [face(number) for number in range(8)]
EVIL = "</script><script>alert(name)</script><b>&\u2028"


def row(status: str, reason: str | None = None, similarity: float | None = 0.5, identity: str = "a") -> dict[str, Any]:
    measures = dict.fromkeys(MEASURES) | {"identity_similarity": similarity, "driver_similarity": 0.25}
    return {"identity": identity, "model_uri": "models:/g/3", "status": status, "reason": reason, **measures}


def totals(*rows: dict[str, Any]) -> Totals:
    found = Totals()
    fields = [(name, pa.string()) for name in ("identity", "model_uri", "status", "reason")]
    schema = pa.schema([*fields, *((name, pa.float32()) for name in MEASURES)])
    found.count(pa.Table.from_pylist(list(rows), schema))
    return found


def written(page: Path) -> tuple[str, Any]:
    """The page, and the data in it."""
    text = (page / "index.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return text, json.loads(data)


def texts(column: dict[str, Any]) -> list[str | None]:
    import base64

    codes = base64.b64decode(column["codes"]["data"])
    assert column["codes"]["type"] == "u1"
    return [column["values"][code] for code in codes]


# --- Numbers ----------------------------------------------------------------------------------------------------------


def test_reasons_that_differ_in_numbers_only_count_together() -> None:
    summary = summarise(
        totals(
            row("ok", similarity=0.75),
            row("rejected", "identity similarity 0.31 is below 0.40", 0.25, "b"),
            row("rejected", "identity similarity 0.12 is below 0.40", 0.125),
            row("rejected", "no face found on the result", None),
            row("failed", "no face found on the result", None),
        )
    )
    assert (summary.total, summary.accepted, summary.identities) == (5, 1, 2)
    assert summary.counts == {"ok": 1, "rejected": 3, "failed": 1}
    assert summary.reasons == [
        ("rejected", "identity similarity", 2),
        ("rejected", "no face found on the result", 1),
        ("failed", "no face found on the result", 1),
    ]
    assert summary.medians == {"identity_similarity": 0.25, "expression_reached": None, "expression_error": None}


def test_the_markdown_has_every_figure() -> None:
    text = markdown(summarise(totals(row("ok"), row("rejected", "no face | found", None))))
    assert "**1 of 2 generated faces accepted** (50%), 1 identities" in text
    assert "| identity similarity | 0.500 |" in text
    assert "| expression error | – |" in text
    assert "| no face   found | rejected | 1 |" in text


def test_the_markdown_stays_short_where_each_row_has_a_reason_of_its_own() -> None:
    words = [f"{chr(97 + n // 26)}{chr(97 + n % 26)} is refused" for n in range(MAX_REASONS + 7)]
    text = markdown(summarise(totals(*(row("rejected", word) for word in words))))
    assert text.count("| rejected |") == MAX_REASONS
    assert text.endswith("| 7 other reasons | | 7 |")


def test_an_empty_table_has_a_gallery(tmp_path: Path) -> None:
    assert "**0 of 0 generated faces accepted**" in markdown(summarise(totals()))
    root = Root(str(tmp_path / "root"))
    made = build_gallery(root, write_generated(root, PEOPLE, 0, lambda n: transfer(n, 0, 1)), Root(str(tmp_path / "g")))
    assert "0 of 0" in (tmp_path / "g" / "index.html").read_text()
    assert "0 of 0" in made.summary


def test_shown_rows_are_evenly_spaced() -> None:
    assert evenly_spaced(list(range(10)), 5) == [0, 2, 4, 6, 8]
    assert evenly_spaced(list(range(3)), 96) == [0, 1, 2]
    assert evenly_spaced([], 5) == []


def test_a_limited_page_says_how_many_of_each_status_it_leaves_out(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))

    def some(number: int) -> dict[str, Any]:
        return rejected(number, 0, 1, "it is bad") if number % 4 == 1 else transfer(number, 0, 1)

    table = write_generated(root, PEOPLE, 40, some, shard_rows=16)
    build_gallery(root, table, Root(str(tmp_path / "part")), max_faces=10)
    text, data = written(tmp_path / "part")
    assert "30 of 40 generated faces accepted" in text
    assert "<span>rejected: it is bad</span>" in text
    assert data["rows"]["count"] == 10
    ids = [transfer(number, 0, 1)["output_id"] for number in range(0, 40, 4)]
    assert data["rows"]["ids"] == ids
    assert "Left out of this page, evenly spaced over the table: 20 accepted, 10 rejected, 0 failed." in text
    build_gallery(root, table, Root(str(tmp_path / "all")))
    text, data = written(tmp_path / "all")
    assert data["rows"]["count"] == 40
    assert "Left out" not in text


# --- Rows -------------------------------------------------------------------------------------------------------------


def test_each_row_without_a_picture_says_why(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    rows = [
        transfer(0, 0, 2),
        rejected(1, 0, 2, "identity similarity 0.31 is below 0.40"),
        rejected(2, 0, 2, "identity similarity 0.35 is below 0.40", kept=True),
        not_made(3, 0, 2, "rejected", "consent was refused"),
        not_made(4, 0, 2, "failed", "the generator crashed"),
        transfer(5, 0, 2, image=b"no picture"),
        transfer(6, 0, 2) | {"image": None},
        transfer(7, 0, 2) | {"image": None, "uri": "s3://bucket/7.png"},
        transfer(8, 0, 99, identity=None, expression=None),
    ]
    table = write_generated(root, PEOPLE, len(rows), rows.__getitem__, 4, group=lambda n: f"cluster {n % 2}")
    build_gallery(root, table, Root(str(tmp_path / "g")))
    _, data = written(tmp_path / "g")
    labels = data["rows"]["labels"]
    assert texts(labels["absent"]) == [
        None, NOT_KEPT, None, NOT_MADE, NOT_MADE, "picture cannot be read: run mien verify",
        "picture is missing: run mien verify", "picture lies in s3://bucket/7.png", None,
    ]  # fmt: skip
    assert texts(labels["status"]) == ["ok", "rejected", "rejected", "rejected", "failed", "ok", "ok", "ok", "ok"]
    assert texts(labels["reason"])[1] == "identity similarity 0.31 is below 0.40"
    assert texts(labels["group"]) == [f"cluster {n % 2}" for n in range(9)]
    assert data["pictures"]["result"]["count"] == 3
    assert texts(data["sources"]["absent"]) == [None, None, NOT_FOUND]


def test_a_face_without_a_crop_shows_its_reason(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    people = [face(0), face(1, crop=None, status="rejected", reason="no face found"), face(2, crop=b"broken")]
    table = write_generated(root, people, 2, lambda n: transfer(n, 0, n + 1))
    build_gallery(root, table, Root(str(tmp_path / "g")))
    _, data = written(tmp_path / "g")
    assert texts(data["sources"]["absent"]) == [None, "no face found", "picture cannot be read: run mien verify"]


@pytest.mark.parametrize("what", ["manifest", "shard"])
def test_faces_whose_table_is_gone_are_said_to_be_gone(tmp_path: Path, what: str) -> None:
    root = Root(str(tmp_path / "root"))
    table = write_generated(root, PEOPLE, 3, lambda n: transfer(n, 0, 2))
    (faces,) = (tmp_path / "root" / "faces" / "manifests").iterdir()
    if what == "shard":
        root.delete(shard_path("faces", read_manifest(root, "faces", faces.stem).shards[0].fingerprint))
    else:
        faces.unlink()
    build_gallery(root, table, Root(str(tmp_path / "g")))
    _, data = written(tmp_path / "g")
    assert set(texts(data["sources"]["absent"])) == {NOT_FOUND}
    assert data["pictures"]["result"]["count"] == 3


def test_a_person_called_like_code_stays_text(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    people = [face(0, identity=EVIL), face(1)]
    rows = [rejected(0, 0, 1, EVIL) | {"identity": EVIL, "expression": EVIL, "licence": EVIL}]
    build_gallery(root, write_generated(root, people, 1, rows.__getitem__), Root(str(tmp_path / "g")))
    text, data = written(tmp_path / "g")
    assert text.count("<script") == 2
    assert "alert(name)</script>" not in text
    assert "&lt;script&gt;alert(name)" in text  # among the reasons at the top
    assert data["rows"]["labels"]["identity"]["values"] == [EVIL]
    assert data["sources"]["person"]["values"][0] == EVIL


# --- Files ------------------------------------------------------------------------------------------------------------


def many(root: Root, count: int = MAX_ROWS_WITHIN + 20, first: int = 0) -> str:
    return write_generated(root, PEOPLE, count, lambda n: transfer(first + n, n % 8, (n + 2) % 8))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_small_set_is_one_file_and_a_large_one_has_sheets_beside_it(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    build_gallery(root, many(root, MAX_ROWS_WITHIN), Root(str(tmp_path / "small")))
    assert list(files(tmp_path / "small")) == ["index.html"]
    assert b"data:image/jpeg;base64," in files(tmp_path / "small")["index.html"]
    build_gallery(root, many(root), Root(str(tmp_path / "large")))
    large = files(tmp_path / "large")
    assert b"data:image" not in large.pop("index.html")
    _, data = written(tmp_path / "large")
    results, photos = data["pictures"]["result"], data["pictures"]["photo"]
    assert len(results["full"]) == -(-120 // PER_SHEET)
    assert photos["count"] == 8
    assert set(large) == {*results["full"], *photos["full"]}
    sheet = decode_rgb(large[results["full"][0]])
    assert sheet.shape == (4 * 48, 8 * 48, 3)


def test_generated_faces_say_so_in_their_sheets_and_photos_do_not(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    build_gallery(root, many(root), Root(str(tmp_path / "g")))
    _, data = written(tmp_path / "g")
    assert all(is_synthetic((tmp_path / "g" / path).read_bytes()) for path in data["pictures"]["result"]["full"])
    assert not any(is_synthetic((tmp_path / "g" / path).read_bytes()) for path in data["pictures"]["photo"]["full"])


def test_the_same_table_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    root, elsewhere = Root(str(tmp_path / "root")), Root("memory://gallery-test")
    table = many(root)
    build_gallery(root, table, Root(str(tmp_path / "a")))
    build_gallery(root, table, Root(str(tmp_path / "b")))
    build_gallery(root, table, elsewhere)
    first = files(tmp_path / "a")
    assert files(tmp_path / "b") == first
    assert {path: elsewhere.read_bytes(path) for path in elsewhere.files_below()} == first


def test_files_are_the_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_SHARED_ROOT", raising=False)
    root = Root(str(tmp_path / "root"))
    build_gallery(root, many(root), Root(str(tmp_path / "g")))
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "g").rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "g", tmp_path / "g" / FOLDER)} == {0o700}


def test_another_table_in_its_folder_leaves_nothing_of_the_former_one(tmp_path: Path) -> None:
    root, out = Root(str(tmp_path / "root")), Root(str(tmp_path / "g"))
    former, newer = many(root), many(root, first=1000)
    build_gallery(root, former, out)
    build_gallery(root, newer, out)
    build_gallery(root, newer, Root(str(tmp_path / "fresh")))
    assert files(tmp_path / "g") == files(tmp_path / "fresh")
    build_gallery(root, many(root, 5, first=2000), out)  # a small one needs none
    assert list(files(tmp_path / "g")) == ["index.html"]


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("after", [0, 1, 3, 5, 6])
def test_a_killed_writer_leaves_the_former_gallery_or_the_whole_new_one(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = Root(str(tmp_path / "root")), Root(str(tmp_path / "g"))
    former, newer = many(root), many(root, first=1000)
    build_gallery(root, former, out)
    before, count, write, delete = files(tmp_path / "g"), 0, Root.write_bytes, Root.delete

    def counted(what: Any) -> Any:
        def run(self: Root, *rest: Any) -> None:
            nonlocal count
            if count == after:
                raise KilledError
            count += 1
            what(self, *rest)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(Root, "write_bytes", counted(write))
        patch.setattr(Root, "delete", counted(delete))
        with pytest.raises(KilledError):
            build_gallery(root, newer, out)
    build_gallery(root, newer, Root(str(tmp_path / "fresh")))
    fresh, left = files(tmp_path / "fresh"), files(tmp_path / "g")
    whole = before if left["index.html"] == before["index.html"] else fresh
    assert whole.items() <= left.items()
    build_gallery(root, newer, out)
    assert fresh.items() <= files(tmp_path / "g").items()
    build_gallery(root, newer, out)
    assert files(tmp_path / "g") == fresh


def test_sheets_of_another_writer_at_work_stay(tmp_path: Path) -> None:
    root, out = Root(str(tmp_path / "root")), Root(str(tmp_path / "g"))
    former, newer = many(root), many(root, first=1000)
    build_gallery(root, former, out)
    young = f"{FOLDER}/{'0' * 32}.jpg"
    out.write_bytes(young, b"of a writer at work")
    build_gallery(root, newer, out)
    assert out.exists(young)
    build_gallery(root, newer, out)
    assert not out.exists(young)


def test_it_is_told_where_there_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no transfers"):
        build_gallery(Root(str(tmp_path)), "0" * 32, Root(str(tmp_path / "g")))


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    def peak_bytes(count: int, attempt: int = 0) -> int:
        folder = tmp_path / f"{count}-{attempt}"
        table = many(Root(str(folder / "root")), count)
        tracemalloc.start()
        build_gallery(Root(str(folder / "root")), table, Root(str(folder / "page")))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    few, more = 256, 1024
    peak_bytes(MAX_ROWS_WITHIN + 1)  # what is loaded and cached at first
    pictures = (more - few) * RESULT_PX * RESULT_PX * 3
    # Other threads of a test process take memory, too, now and then.
    grown = (peak_bytes(more, attempt) - peak_bytes(few, attempt) for attempt in range(3))
    assert any(bytes_more < pictures / 2 for bytes_more in grown)
