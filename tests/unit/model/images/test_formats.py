"""A closed list of formats: nothing else is opened, whatever a file is called."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.model.errors import DecoderError, ImageError
from mien.model.images import formats
from mien.model.images.codec import decode_rgb, has_icc_profile, image_size_px
from mien.model.images.formats import is_heif
from mien.model.images.provenance import is_synthetic, read_provenance
from tests.paths import REPOSITORY

PIXELS = np.full((24, 32, 3), (200, 30, 60), np.uint8)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n(id) == showpage\n%%EOF\n"


def encoded(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "MPO"])
def test_each_format_of_the_list_is_decoded(kind: str) -> None:
    data = encoded(kind, **({"save_all": True, "append_images": [Image.new("RGB", (32, 24))]} if kind == "MPO" else {}))
    assert image_size_px(data) == (32, 24)
    assert np.abs(decode_rgb(data).astype(int) - PIXELS).max() < 12


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA", "PCX", "SGI", "DDS", "XBM"])
def test_other_formats_that_pillow_could_write_are_not_read(kind: str) -> None:
    image = Image.new("1" if kind == "XBM" else "RGB", (32, 32))
    out = io.BytesIO()
    image.save(out, kind)
    for read in (decode_rgb, image_size_px, has_icc_profile, read_provenance, is_synthetic):
        with pytest.raises(ImageError):
            read(out.getvalue())


def test_no_program_is_started_for_a_picture(tmp_path: Path) -> None:
    for program in ("gs", "gswin64c"):
        (tmp_path / program).write_text(f"#!/bin/sh\ntouch {tmp_path}/started\necho 10.0\n")
        (tmp_path / program).chmod(0o755)
    (tmp_path / "photo.jpg").write_bytes(EPS)
    script = (
        "import sys; from mien.model.images.codec import decode_rgb; from mien.model.errors import ImageError\n"
        "try: decode_rgb(open(sys.argv[1], 'rb').read())\n"
        "except ImageError as error: print(error)"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "photo.jpg"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stdout.strip() == "EPS or PostScript is not read: save it as JPEG or PNG"
    assert not (tmp_path / "started").exists()


def heic() -> bytes:
    heif = pytest.importorskip("pillow_heif", reason="pip install 'mien[heif]'", exc_type=ImportError)
    out = io.BytesIO()
    heif.from_pillow(Image.fromarray(PIXELS)).save(out, quality=95)
    return out.getvalue()


def test_heic_is_decoded_where_its_package_is_installed() -> None:
    data = heic()
    assert is_heif(data)
    assert image_size_px(data) == (32, 24)
    assert np.abs(decode_rgb(data).astype(int) - PIXELS).mean() < 12
    assert not is_heif(encoded("AVIF"))
    with pytest.raises(ImageError, match="damaged"):
        decode_rgb(data[:200])


@pytest.mark.parametrize(("kind", "name"), [("AVIF", "AVIF"), ("WEBP", "WebP")])
def test_a_format_that_this_pillow_lacks_is_no_damage(kind: str, name: str) -> None:
    """A Pillow without the library, as some are built."""
    script = (
        "import sys; sys.modules['PIL._avif'] = sys.modules['PIL._webp'] = None\n"
        "from mien.model.errors import ImageError; from mien.model.images.codec import decode_rgb\n"
        "try: decode_rgb(sys.stdin.buffer.read())\n"
        "except ImageError as error: print(error.kind, error)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=encoded(kind), capture_output=True, cwd=REPOSITORY)
    assert done.stdout.decode().startswith(f"source this Pillow has no decoder for {name}"), done


def test_heic_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_register_heif", lambda: False)
    with pytest.raises(DecoderError, match=r"^HEIC: pip install 'mien\[heif\]'$") as caught:
        decode_rgb(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    assert caught.value.kind == "source"  # the bytes are well, and may be read tomorrow


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.7\n", "a PDF is no picture"),
        (b"8BPS\0\x01", "a Photoshop file is not read"),
        (b"\xff\x0a\0\0", "JPEG XL is not read"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "a video, or a picture of a kind that is not read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture in a format that can be read"),
        (b"#!/bin/sh\n", "not a picture in a format that can be read"),
    ],
)
def test_what_else_a_file_is_stands_in_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        decode_rgb(data)
