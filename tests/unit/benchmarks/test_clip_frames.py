from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.clip_frames import take_frames

LENGTH = 30


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A person with a video and a folder of frames, which get brighter by 8 each; one with a shorter folder."""
    frames = [np.full((48, 64, 3), 8 * n, np.uint8) for n in range(LENGTH)]
    (tmp_path / "clips" / "one").mkdir(parents=True)
    video = cv2.VideoWriter(str(tmp_path / "clips/one/a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for frame in frames:
        video.write(frame)
    video.release()
    for folder, count in (("one/b", LENGTH), ("two/c", 3)):
        (tmp_path / "clips" / folder).mkdir(parents=True)
        for n, frame in enumerate(frames[:count]):
            cv2.imwrite(str(tmp_path / "clips" / folder / f"{n:03d}.png"), frame)
    return tmp_path / "clips"


def test_clips_share_the_frames_of_a_person_evenly_over_their_length(clips: Path, tmp_path: Path) -> None:
    out = take_frames(clips, tmp_path / "out", max_per_person=10)
    taken = sorted(path.name for path in (out / "one").iterdir())
    middles = [3, 9, 15, 21, 27]
    assert taken == [f"a-{n:05d}.png" for n in middles] + [f"b-{n:03d}.png" for n in middles]
    shown = [int(cv2.imread(str(out / "one" / name)).mean().round()) for name in taken]
    assert np.allclose(shown, [8 * n for n in middles] * 2, atol=3)
    assert len(list((out / "two").iterdir())) == 3


def test_a_person_who_is_there_is_left_alone(clips: Path, tmp_path: Path) -> None:
    out = take_frames(clips, tmp_path / "out", max_per_person=10)
    kept = out / "two" / "c-000.png"
    kept.write_bytes(b"mine")
    assert not list(take_frames(clips, out, max_per_person=4).glob(".*"))
    assert kept.read_bytes() == b"mine"
    assert len(list((out / "one").iterdir())) == 10
