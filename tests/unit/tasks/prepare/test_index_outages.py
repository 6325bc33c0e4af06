"""A source that is away for a while: its rows say so, the next run asks for them alone, and nothing is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien.model.images.codec import decode_rgb, encode_png
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import Root, ShardRef, TableRef, find_shard, list_images, read_manifest, retries, write_set
from mien.tasks.prepare.changed_bytes import with_marks
from mien.tasks.prepare.consent import reject_withdrawn_faces
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.heatmaps import HEATMAPS, HeatmapSettings, commit_heatmaps
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.prepare.summary import failures_line
from mien.tasks.runtime.stage import make_shard
from mien.tasks.sets.splits import SplitSettings
from mien.tasks.sets.verify import verify
from tests import own_detector
from tests.small_root import rows_of
from tests.unit.storage.sources.web import Answer, Request, Server, web

DETECTOR, CROP_PX = "tests.own_detector:DarkSquares", 64
DETECTING = DetectSettings(DETECTOR, AlignmentSettings(size_px=CROP_PX))
HEATMAP = HeatmapSettings(CROP_PX, HeatmapSpec(size_px=16))


def photo(number: int) -> bytes:
    """A dark square, another one for each number."""
    picture = np.full((120, 120, 3), 230, np.uint8)
    texture = np.random.default_rng(number).integers(20, 100, (8, 8, 3)).astype(np.uint8)
    picture[30:90, 30:90] = cv2.resize(texture, (60, 60), interpolation=cv2.INTER_NEAREST)
    return encode_png(picture)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSES_S", (0.0,) * len(retries.PAUSES_S))
    monkeypatch.setattr(retries, "_exhausted", type(retries._exhausted)())  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The means of the pictures that faces were sought in."""
    seen: list[int] = []
    find = own_detector.DarkSquares.find

    def noting(self: Any, image: np.ndarray) -> Any:
        seen.append(int(image.sum()))
        return find(self, image)

    monkeypatch.setattr(own_detector.DarkSquares, "find", noting)
    return seen


@dataclass
class Prepared:
    tables: dict[str, TableRef]
    root: Root

    def rows(self, table: Any) -> list[dict[str, Any]]:
        return rows_of(self.root, table, self.tables[table].fingerprint)

    def outcomes(self, table: Any) -> list[str]:
        return [row["failure"] or row["status"] for row in self.rows(table)]

    @property
    def fingerprints(self) -> dict[str, str]:
        return {name: ref.fingerprint for name, ref in self.tables.items()}

    def line(self) -> str | None:
        images, faces = (read_manifest(self.root, t, self.tables[t].fingerprint) for t in ("images", "faces"))
        return failures_line(self.root, images, faces)


def prepare(root: Root, source: str, shard_size: int = 64) -> Prepared:
    """The steps of `prepare_faces` that read, without Prefect and worker processes."""
    plan = plan_index(root, "set", with_marks(root, list_images([source], None, root)), shard_size)
    indexed = [make_shard(INDEX, root, part, IndexSettings()) for part in plan]
    images = INDEX.commit(root, indexed, {})
    detected = [make_shard(DETECT, root, shard.fingerprint, DETECTING) for shard in indexed]
    faces = DETECT.commit(
        root, detected, {"images": images.fingerprint, "settings": asdict(DETECTING), "splits": asdict(SplitSettings())}
    )
    drawn = [make_shard(HEATMAPS, root, shard.fingerprint, HEATMAP) for shard in detected]
    tables = {"images": images, "faces": faces, "heatmaps": commit_heatmaps(root, faces, drawn, HEATMAP)}
    write_set(root, "set", {name: ref.fingerprint for name, ref in tables.items()})
    return Prepared(tables, root)


def notes(root: Root) -> list[str]:
    return [path for path in root.files_below("unfinished") if path.endswith(".json")]


def photos(folder: Path, names: str = "abc") -> str:
    for number, name in enumerate(names):
        path = folder / "photos" / name / "1.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    return str(folder / "photos")


def test_a_folder_that_is_unmounted_after_it_was_indexed(tmp_path: Path, searched: list[int]) -> None:
    source, root = photos(tmp_path), Root(str(tmp_path / "root"))
    healthy = prepare(Root(str(tmp_path / "healthy")), source)
    (part,) = plan_index(root, "set", list_images([source]), 64)
    indexed = make_shard(INDEX, root, part, IndexSettings())
    (tmp_path / "photos").rename(tmp_path / "unmounted")
    detected = make_shard(DETECT, root, indexed.fingerprint, DETECTING)
    assert detected.counts == {"ok": 0, "rejected": 0, "failed": 3}
    assert find_shard(root, "faces", DETECT.name(root, indexed.fingerprint, DETECTING)) is None
    (tmp_path / "unmounted").rename(tmp_path / "photos")
    del searched[:]
    assert prepare(root, source).fingerprints == healthy.fingerprints
    assert len(searched) == 3


@pytest.fixture
def server() -> Iterator[Server]:
    listed = "uri,identity\n" + "".join(f"{name}.png,{name}\n" for name in "abc")
    answers: dict[str, Answer] = {f"/{name}.png": photo(number) for number, name in enumerate("abc")}
    with web(answers | {"/list.csv": listed.encode()}) as made:
        yield made


def failing(data: bytes, good_reads: int) -> Answer:
    """503 to all reads after these."""
    reads: list[int] = []

    def answer(request: Request) -> None:
        if request.command == "HEAD":
            request.file(data)
            return
        reads.append(1)
        request.answer(503) if len(reads) > good_reads else request.file(data)

    return answer


@pytest.mark.parametrize(
    ("good_reads", "images", "faces"),
    [
        pytest.param(0, ["ok", "source", "ok"], ["ok", "ok"], id="while it is indexed"),
        pytest.param(1, ["ok", "ok", "ok"], ["ok", "source", "ok"], id="while faces are sought"),
    ],
)
def test_a_server_that_is_away_for_a_while(
    server: Server, tmp_path: Path, searched: list[int], good_reads: int, images: list[str], faces: list[str]
) -> None:
    source, whole = f"{server.url}/list.csv", server.answers["/b.png"]
    healthy = prepare(Root(str(tmp_path / "healthy")), source)
    root = Root(str(tmp_path / "root"))

    assert isinstance(whole, bytes)
    server.answers["/b.png"] = failing(whole, good_reads)
    away = prepare(root, source)
    assert (away.outcomes("images"), away.outcomes("faces")) == (images, faces)
    assert away.outcomes("heatmaps") == faces
    assert away.line() == "1 photo failed: 1 could not be read at the source, to be asked again by the next run"
    assert not verify(root, "set").faults
    assert prepare(root, source).fingerprints == away.fingerprints, "the same answers, the same names"

    server.answers["/b.png"] = whole
    server.asked.clear()
    del searched[:]
    well = prepare(root, source)
    assert well.outcomes("faces") == ["ok", "ok", "ok"]
    assert well.line() is None
    assert server.asked["GET /a.png"] == server.asked["GET /c.png"] == 0, "good rows are not read again"
    assert len(searched) == 1
    assert well.fingerprints == healthy.fingerprints
    assert notes(root) == []
    assert find_shard(
        root, "images", read_manifest(root, "images", away.tables["images"].fingerprint).shards[0].fingerprint
    )


def test_a_server_that_is_away_while_its_files_are_listed(server: Server, tmp_path: Path, searched: list[int]) -> None:
    source, whole = f"{server.url}/list.csv", server.answers["/b.png"]
    healthy = prepare(Root(str(tmp_path / "healthy")), source, shard_size=2)
    root = Root(str(tmp_path / "root"))
    server.answers["/b.png"] = lambda request: request.answer(503)
    assert prepare(root, source, shard_size=2).outcomes("images") == ["ok", "source", "ok"]
    server.answers["/b.png"] = whole
    del searched[:]
    well = prepare(root, source, shard_size=2)
    assert len(searched) == 1
    assert well.fingerprints == healthy.fingerprints


def test_a_detector_that_has_no_memory_for_one_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, root = photos(tmp_path), Root(str(tmp_path / "root"))
    healthy = prepare(Root(str(tmp_path / "healthy")), source)
    find, large = own_detector.DarkSquares.find, int(decode_rgb(Path(f"{source}/b/1.png").read_bytes()).sum())

    def tired(self: Any, image: np.ndarray) -> Any:
        if int(image.sum()) == large:
            raise MemoryError
        return find(self, image)

    with monkeypatch.context() as patch:
        patch.setattr(own_detector.DarkSquares, "find", tired)
        away = prepare(root, source)
    assert away.outcomes("faces") == ["ok", "source", "ok"]
    assert away.rows("faces")[1]["reason"] == "there is not enough memory to look for faces: take fewer --workers"
    assert prepare(root, source).fingerprints == healthy.fingerprints


def test_what_is_damaged_is_kept_and_is_not_read_again(server: Server, tmp_path: Path) -> None:
    server.answers["/b.png"] = b"\x89PNG\r\n\x1a\n cut off"
    root, source = Root(str(tmp_path / "root")), f"{server.url}/list.csv"
    first = prepare(root, source)
    assert first.outcomes("images") == ["ok", "content", "ok"]
    assert first.line() == "1 photo failed: 1 damaged, of a kind that is not read, or crashing a library"
    server.asked.clear()
    assert prepare(root, source).fingerprints == first.fingerprints
    assert server.asked["GET /b.png"] == 0


def test_a_run_that_was_killed_in_an_outage_resumes(server: Server, tmp_path: Path, searched: list[int]) -> None:
    """It was killed before it committed anything: what it made is found all the same."""
    source, whole, root = f"{server.url}/list.csv", server.answers["/b.png"], Root(str(tmp_path / "root"))
    assert isinstance(whole, bytes)
    server.answers["/b.png"] = failing(whole, 0)
    made: list[ShardRef] = []
    for part in plan_index(root, "set", list_images([source], None, root), 64):
        made.append(make_shard(INDEX, root, part, IndexSettings()))
        make_shard(DETECT, root, made[-1].fingerprint, DETECTING)
    server.answers["/b.png"] = whole
    server.asked.clear()
    del searched[:]
    assert prepare(root, source).outcomes("faces") == ["ok", "ok", "ok"]
    assert server.asked["GET /a.png"] == 0
    assert len(searched) == 1


def test_what_a_listing_ruled_out_is_read_when_it_does_not_any_more(tmp_path: Path) -> None:
    """The row that is left of it in an unfinished shard is not taken for an answer."""
    source, root = photos(tmp_path), Root(str(tmp_path / "root"))
    listed = list_images([source])
    before = [
        replace(listed[0], status="rejected", reason="it does not fit"),
        replace(listed[1], uri="/away.png"),
    ]
    assert make_shard(INDEX, root, tuple(before), IndexSettings()).counts == {"ok": 0, "rejected": 1, "failed": 1}
    assert make_shard(INDEX, root, tuple(listed), IndexSettings()).counts["ok"] == 3


def test_a_face_that_was_not_sought_of_a_person_who_withdrew_is_rejected(tmp_path: Path) -> None:
    source, root = photos(tmp_path), Root(str(tmp_path / "root"))
    (part,) = plan_index(root, "set", [replace(item, consent="withdrawn") for item in list_images([source])], 64)
    indexed = make_shard(INDEX, root, part, IndexSettings())
    (tmp_path / "photos").rename(tmp_path / "unmounted")
    detected = make_shard(DETECT, root, indexed.fingerprint, DETECTING)
    assert detected.counts["failed"] == 3
    (judged,) = reject_withdrawn_faces(root, [indexed], [detected])
    assert judged.counts == {"ok": 0, "rejected": 3, "failed": 0}
