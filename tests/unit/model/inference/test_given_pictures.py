"""What stands in a cell of a request: bytes, base64, and a path only below the folders that were named."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from mien.model.errors import ImageError, ModelError
from mien.model.inference.given_pictures import VARIABLE, GivenPictures

DATA = b"\x89PNG not really"
NO_PATHS = GivenPictures()


@pytest.mark.parametrize(
    "cell",
    [
        DATA,
        bytearray(DATA),
        memoryview(DATA),
        base64.b64encode(DATA).decode(),
        base64.encodebytes(DATA * 9).decode(),
        f" {base64.b64encode(DATA).decode()}\r\n",
    ],
    ids=["bytes", "bytearray", "memoryview", "base64", "lines", "spaces"],
)
def test_bytes_and_base64_are_read(cell: object) -> None:
    assert NO_PATHS.read(cell).startswith(DATA)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (None, "there is no picture"),
        (float("nan"), "there is no picture"),
        (7, "a picture cannot be int"),
        ([DATA], "a picture cannot be list"),
        ("", "neither bytes nor base64"),
        ("???", "neither bytes nor base64"),
        ("data:image/png;base64,AAAA", "neither bytes nor base64"),
    ],
    ids=repr,
)
def test_what_is_no_picture_is_told(cell: object, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        NO_PATHS.read(cell)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder whose pictures may be read, and files beside it."""
    (tmp_path / "open/inner").mkdir(parents=True)
    for name in ("open/a.png", "open/inner/b.png", "secret.png"):
        (tmp_path / name).write_bytes(DATA)
    (tmp_path / "open/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "open/in.png").symlink_to(tmp_path / "open/a.png")
    return tmp_path


def test_no_path_is_read_or_looked_up_unless_a_folder_is_named(disk: Path) -> None:
    told = set()
    for cell in (str(disk / "open/a.png"), disk / "open/a.png", str(disk / "absent.png"), disk / "absent.png"):
        with pytest.raises(ImageError) as raised:
            NO_PATHS.read(cell)
        told.add(str(raised.value))
    assert len(told) == 1  # a stranger learns nothing of what is there
    assert "model_config" in told.pop()


@pytest.mark.parametrize("path", ["open/a.png", "open/inner/b.png", "open/in.png", "open/inner/../a.png"])
def test_paths_below_a_named_folder_are_read(disk: Path, path: str) -> None:
    pictures = GivenPictures.below(str(disk / "open"))
    assert pictures.read(str(disk / path)) == pictures.read(disk / path) == DATA
    assert pictures.read(base64.b64encode(DATA).decode()) == DATA


@pytest.mark.parametrize("path", ["secret.png", "open/../secret.png", "open/out.png", "open/absent.png", "open"])
def test_other_paths_are_not(disk: Path, path: str) -> None:
    pictures = GivenPictures.below(str(disk / "open"))
    for cell in (str(disk / path), disk / path):
        with pytest.raises(ImageError, match="no file below the folders that may be read"):
            pictures.read(cell)


def test_paths_that_are_none_spoil_nothing(disk: Path) -> None:
    pictures = GivenPictures.below(str(disk / "open"))
    for cell in ("a.\0png", "." * 100_000, "/proc/self/mem."):
        with pytest.raises(ImageError) as raised:
            pictures.read(cell)
        assert len(str(raised.value)) < 400


def test_several_folders_are_named_as_in_path(disk: Path) -> None:
    pictures = GivenPictures.below(os.pathsep.join(map(str, (disk / "open/inner", disk))))
    assert pictures.read(str(disk / "secret.png")) == DATA
    with pytest.raises(ModelError, match="no such folder"):
        GivenPictures.below(str(disk / "absent"))


def test_too_many_bytes_are_refused_before_they_are_read(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(len(DATA) - 3))
    pictures = GivenPictures.below(str(disk / "open"))
    for cell in (DATA, base64.b64encode(DATA * 2).decode(), disk / "open/a.png"):
        with pytest.raises(
            ImageError, match=f"bytes are more than {len(DATA) - 3}: shrink it first, or set {VARIABLE}"
        ):
            pictures.read(cell)
    monkeypatch.setenv(VARIABLE, "many")
    with pytest.raises(ModelError, match="give a whole number above 0"):
        pictures.read(DATA)
