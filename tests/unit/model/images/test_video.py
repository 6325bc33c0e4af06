"""Frames of videos: turned and mirrored as the file says, few of a damaged header, a reason for a missing decoder."""

from __future__ import annotations

import base64
import os
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.model.errors import DecoderError, ImageError
from mien.model.images.video import FrameReader, FrameSettings
from mien.model.images.video_container import turned
from tests.paths import REPOSITORY

AV1 = base64.b64decode(
    "AAAAIGZ0eXBpc29tAAACAGlzb21hdjAxaXNvMm1wNDEAAAAIZnJlZQAAARttZGF0CgoAAAACr/eNXyAIMjQUACWgBBAggAAEtE/zJBkCF+JNJh"
    "xZCvzARdNL1JWgeofZ5K6rEXrZspcQ0fS87U3GYG2AMiUoCAAkkkk9TwBBAggQADgAsw5jTwohVhThiAfyKusmkwat3FOAMhIoBAEEkgA9eABh"
    "gwwQABgAl8AyFCgChASSbZ2DAHHAABAAGABl1lmAMhAwAwAJJW07GAAAAgADAACcGgHYMhAwBgAW2ts7GAAAAgADAACcGgG4MhEoBgQG2wAdgw"
    "BxwAAQABgAlDIQMAsADbdtOxgAAAIAAwAAmBoB2DIQMA4AFtoAOxgAAAIAAwAAmBoBiDIXMBICAAAAevAAAAIAAACvwjL8d8rChawAAAM7bW9v"
    "dgAAAGxtdmhkAAAAAAAAAAAAAAAAAAAD6AAAA+gAAQAAAQAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAABAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAmV0cmFrAAAAXHRraGQAAAADAAAAAAAAAAAAAAABAAAAAAAAA+gAAAAAAAAAAAAAAAAAAAAA"
    "AAEAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAABAAAAAAEAAAAAwAAAAAAAkZWR0cwAAABxlbHN0AAAAAAAAAAEAAAPoAAAAAAABAAAAAA"
    "HdbWRpYQAAACBtZGhkAAAAAAAAAAAAAAAAAAAoAAAAKABVxAAAAAAALWhkbHIAAAAAAAAAAHZpZGUAAAAAAAAAAAAAAABWaWRlb0hhbmRsZXIA"
    "AAABiG1pbmYAAAAUdm1oZAAAAAEAAAAAAAAAAAAAACRkaW5mAAAAHGRyZWYAAAAAAAAAAQAAAAx1cmwgAAAAAQAAAUhzdGJsAAAAknN0c2QAAA"
    "AAAAAAAQAAAIJhdjAxAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAEAAMABIAAAASAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAGP//AAAAGGF2MUOBAAwACgoAAAACr/eAXwAIAAAAFGJ0cnQAAAAAAAAImAAACJgAAAAYc3R0cwAAAAAAAAABAAAACgAABAAAAAAUc3"
    "RzcwAAAAAAAAABAAAAAQAAABZzZHRwAAAAACAYEBgQGBAYEBAAAAAcc3RzYwAAAAAAAAABAAAAAQAAAAoAAAABAAAAPHN0c3oAAAAAAAAAAAAA"
    "AAoAAABCAAAAYwAAAAMAAAASAAAAAwAAACUAAAADAAAAEgAAAAMAAAAZAAAAFHN0Y28AAAAAAAAAAQAAADAAAABidWR0YQAAAFptZXRhAAAAAA"
    "AAACFoZGxyAAAAAAAAAABtZGlyYXBwbAAAAAAAAAAAAAAAAC1pbHN0AAAAJal0b28AAAAdZGF0YQAAAAEAAAAATGF2ZjYyLjEyLjEwMg=="
)
"""Ten frames of 64×48, by SVT-AV1."""


def clip(path: Path, frames: int = 12, fps: float = 10, size: tuple[int, int] = (64, 48), codec: str = "mp4v") -> Path:
    """Red at the top left, green at the top right, blue at the bottom left."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2, 2] = 255
    picture[: height // 2, width // 2 :, 1] = 255
    picture[height // 2 :, : width // 2, 0] = 255
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    for _ in range(frames):
        writer.write(picture)
    writer.release()
    return path


def corners(frame: np.ndarray) -> str:
    """The colours of the corners: top left, top right, bottom left, bottom right."""
    height, width = frame.shape[:2]
    names = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            names.append("rgb"[int(frame[y, x].argmax())] if frame[y, x].max() > 100 else "-")
    return "".join(names)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ((1, 0, 0, 1), "rgb-"),
        ((0, 1, -1, 0), "br-g"),
        ((-1, 0, 0, -1), "-bgr"),
        ((0, -1, 1, 0), "g-rb"),
        ((-1, 0, 0, 1), "gr-b"),
        ((1, 0, 0, -1), "b-rg"),
        ((0, 1, 1, 0), "rbg-"),
        ((0, -1, -1, 0), "-gbr"),
    ],
)
def test_a_video_is_turned_and_mirrored_as_its_track_says(
    tmp_path: Path, turn: tuple[int, int, int, int], expected: str
) -> None:
    data = bytearray(clip(tmp_path / "a.mp4").read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (each << 16 for each in turn)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "b.mp4").write_bytes(data)
    reader = FrameReader(str(tmp_path / "b.mp4"))
    frame = reader.frame(3)
    assert corners(frame) == expected
    assert frame.shape == ((48, 64, 3) if turn[0] else (64, 48, 3))
    reader.close()


def test_a_turn_is_where_the_matrix_puts_each_pixel() -> None:
    frame = np.arange(6).reshape(2, 3, 1)
    assert turned(frame, (0, 1, -1, 0))[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]  # a quarter to the right
    assert turned(frame, (-1, 0, 0, 1))[..., 0].tolist() == [[2, 1, 0], [5, 4, 3]]


@pytest.mark.parametrize("codec", ["mp4v", "MJPG"])
def test_a_header_of_half_a_frame_a_second_does_not_send_every_frame(tmp_path: Path, codec: str) -> None:
    reader = FrameReader(str(clip(tmp_path / "a.avi", 60, 0.5, codec="MJPG" if codec == "MJPG" else "XVID")))
    assert len(list(reader.sampled(FrameSettings(fps=2.0)))) <= 6
    reader.close()


def test_no_more_frames_are_looked_at_than_are_allowed(tmp_path: Path) -> None:
    reader = FrameReader(str(clip(tmp_path / "a.mp4", 30)))
    assert [index for index, _ in reader.sampled(FrameSettings(every=2, max_frames=5))] == [0, 2, 4, 6, 8]
    assert reader.cut_off_at == 10
    whole = FrameReader(str(tmp_path / "a.mp4"))
    assert len(list(whole.sampled(FrameSettings(every=2)))) == 15
    assert whole.cut_off_at is None
    for opened in (reader, whole):
        opened.close()


def test_a_codec_without_decoder_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(AV1)
    reader = FrameReader(str(tmp_path / "a.mp4"))
    if "libdav1d" in cv2.getBuildInformation() or "libaom" in cv2.getBuildInformation():
        pytest.skip("this OpenCV has a decoder for AV1")
    says = "AV1 video, which this OpenCV cannot decode: convert it with ffmpeg -i IN -c:v libx264 OUT.mp4"
    with pytest.raises(DecoderError, match=f"^{says}$") as caught:
        reader.frame(0)
    assert caught.value.kind == "source"
    with pytest.raises(DecoderError):
        next(reader.sampled(FrameSettings()))
    reader.close()


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nhttp://127.0.0.1:1/x.ts\n",
        b"\xef\xbb\xbf#EXTM3U\nfile:///etc/passwd\n",
        b"  \n#EXTM3U\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<?xml version='1.0'?><MPD/>",
        b"<smil/>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1234 RTP/AVP 96\n",
        b"\xff\xd8\xff\xe0 a picture",
        b"%!PS",
        b"GIF89a",
    ],
)
def test_only_containers_of_the_list_are_given_to_ffmpeg(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data + bytes(400))
    with pytest.raises(ImageError, match="not a video"):
        FrameReader(str(tmp_path / "a.mp4"))


def test_a_video_that_this_opencv_does_not_open_is_no_damage(tmp_path: Path) -> None:
    """Its backend is off, as where a wheel lacks FFmpeg; a codec that FFmpeg does not know; a file that is cut off."""
    data = clip(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data.replace(b"mp4v", b"zzzz"))
    (tmp_path / "c.mp4").write_bytes(data[: data.index(b"moov") - 4])
    script = (
        "import sys; from mien.model.images.video import FrameReader; from mien.model.errors import ImageError\n"
        "try: FrameReader(sys.argv[1]).frame(0); print('frame')\n"
        "except ImageError as error: print(error.kind, error)"
    )

    def told(name: str, **environment: str) -> str:
        command = [sys.executable, "-c", script, tmp_path / name]
        around = {**os.environ, **environment}
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY, env=around).stdout

    assert told("a.mp4") == "frame\n"
    assert told("a.mp4", OPENCV_VIDEOIO_PRIORITY_FFMPEG="0").startswith("source this OpenCV reads no videos")
    assert told("c.mp4").startswith("content not a video that can be read: it is cut off")
    assert told("b.mp4").startswith(("source not a video that this OpenCV can read", "frame"))


def test_a_damaged_video_is_silent_on_the_terminal(tmp_path: Path) -> None:
    data = bytearray(clip(tmp_path / "a.mp4").read_bytes())
    data[200:2000] = bytes(1800)
    (tmp_path / "b.mp4").write_bytes(data)
    (tmp_path / "c.mp4").write_bytes(AV1)
    script = (
        "import sys; from mien.model.images.video import FrameReader, FrameSettings\n"
        "from mien.model.errors import ImageError\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(len(list(FrameReader(path).sampled(FrameSettings(every=1)))))\n"
        "    except ImageError as error: print(error)"
    )
    command = [sys.executable, "-c", script, tmp_path / "b.mp4", tmp_path / "c.mp4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""
