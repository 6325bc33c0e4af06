"""What is away for a while, through the flows: told, asked for again by the same command, and then forgotten."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.integration.flow_calls import prepare, table_rows, verify
from tests.paths import REPOSITORY
from tests.small_root import draw_photos
from tests.unit.storage.sources.web import Answer, Request, Server, web

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

OWN = "tests.own_detector:DarkSquares"


def outcomes(root: Path, table: Any, name: str = "set") -> list[str]:
    return [row["failure"] or row["status"] for row in table_rows(root, table, name)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Three photos and a list of them."""
    draw_photos(tmp_path / "www", people=3, each=1)
    answers: dict[str, Answer] = {f"/{n}.png": (tmp_path / f"www/person{n}/mood0.png").read_bytes() for n in range(3)}
    listed = "uri,identity\n" + "".join(f"{n}.png,person{n}\n" for n in range(3))
    with web(answers | {"/list.csv": listed.encode()}) as made:
        yield made


def failing(data: bytes, reads: range) -> Answer:
    """503 to these of the reads."""
    done = [-1]

    def answer(request: Request) -> None:
        if request.command == "HEAD":
            request.file(data)
            return
        done[0] += 1
        request.answer(503) if done[0] in reads else request.file(data)

    return answer


def test_a_server_that_is_away_while_faces_are_sought(server: Server, tmp_path: Path) -> None:
    source, root, whole = f"{server.url}/list.csv", tmp_path / "root", server.answers["/1.png"]
    assert isinstance(whole, bytes)
    healthy = prepare([source], "set", tmp_path / "healthy", faces=OWN)

    server.answers["/1.png"] = failing(whole, range(1, 999))
    away = prepare([source], "set", root, faces=OWN)
    assert outcomes(root, "faces") == outcomes(root, "heatmaps") == ["ok", "source", "ok"]
    line = "1 photo failed: 1 could not be read at the source, to be asked again by the next run"
    assert line in away.lines()
    assert verify("set", root).whole

    server.answers["/1.png"] = whole
    server.asked.clear()
    well = prepare([source], "set", root, faces=OWN)
    assert outcomes(root, "faces") == ["ok", "ok", "ok"]
    assert [server.asked[f"GET /{n}.png"] for n in range(3)] == [0, 1, 0]
    assert well.faces.fingerprint == healthy.faces.fingerprint
    assert well.heatmaps.fingerprint == healthy.heatmaps.fingerprint
    assert line not in well.lines()
    assert verify("set", root).whole


def test_a_server_that_fails_once_costs_nothing(server: Server, tmp_path: Path) -> None:
    whole = server.answers["/1.png"]
    assert isinstance(whole, bytes)
    server.answers["/1.png"] = failing(whole, range(1, 2))
    prepare([f"{server.url}/list.csv"], "set", tmp_path, faces=OWN)
    assert outcomes(tmp_path, "faces") == ["ok", "ok", "ok"]


def test_a_photo_that_kept_size_and_time_is_found_where_that_is_asked_for(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", people=2, each=1)
    root, changed = tmp_path / "root", tmp_path / "photos/person1/mood0.png"
    paths = [tmp_path / f"photos/person{n}/mood0.png" for n in range(2)]
    for path in paths:
        path.write_bytes(path.read_bytes().ljust(99_999, b"\0"))
    before = changed.stat()
    first = prepare([tmp_path / "photos"], "set", root, faces=OWN)
    other = cv2.imread(str(changed))
    assert other is not None
    changed.write_bytes(cv2.imencode(".png", cv2.flip(other, 0))[1].tobytes().ljust(99_999, b"\0"))
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert prepare([tmp_path / "photos"], "set", root, faces=OWN).images == first.images
    second = prepare([tmp_path / "photos"], "set", root, faces=OWN, verify_bytes=True)
    assert "2 known photos compared by their bytes: 1 have other bytes, and are read anew" in second.lines()
    ids = [row["image_id"] for row in table_rows(root, "images", "set")]
    assert outcomes(root, "faces") == ["ok", "ok"]
    assert next(row["image_id"] for row in table_rows(root, "images", first.images.fingerprint)) == ids[0]
    third = prepare([tmp_path / "photos"], "set", root, faces=OWN)
    assert third.images == second.images
    assert ids == [row["image_id"] for row in table_rows(root, "images", "set")]


def test_a_video_whose_codec_is_missing_today_is_looked_at_tomorrow(tmp_path: Path, quick_python: str) -> None:
    draw_photos(tmp_path / "photos", people=1, each=1)
    picture = cv2.imread(str(tmp_path / "photos/person0/mood0.png"))
    assert picture is not None
    (tmp_path / "clips").mkdir()
    writer = cv2.VideoWriter(str(tmp_path / "clips/anna.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (200, 200))
    for _ in range(10):
        writer.write(picture)
    writer.release()
    options = ["--root", tmp_path / "root", "--set", "set", "--workers", 1, "--max-failed", 1, "--faces", OWN]
    command = [quick_python, "-m", "mien.flows.cli.app", "prepare", tmp_path / "clips", *options, "--crop-size", 64]
    # A process of its own: OpenCV reads the variable once.
    off = {**os.environ, "OPENCV_VIDEOIO_PRIORITY_FFMPEG": "0", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([*map(str, command)], env=off, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 photo failed: 1 could not be read at the source" in done.stdout + done.stderr
    (row,) = table_rows(tmp_path / "root", "images", "set")
    assert (row["failure"], row["reason"][:26]) == ("source", "this OpenCV reads no video")
    prepare([tmp_path / "clips"], "set", tmp_path / "root", faces=OWN)
    assert set(outcomes(tmp_path / "root", "images")) == {"ok"}
    assert table_rows(tmp_path / "root", "images", "set")[0]["frame"] == 0
