"""Exports with marks: signed in each form, found again, resumed after a kill, and no key anywhere but in its file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mien import storage
from mien.flows.cli.app import main
from mien.model.images.codec import decode_rgb
from mien.model.images.credentials import Credentials, read_credentials
from mien.model.images.provenance import is_synthetic, read_provenance
from mien.model.images.watermark import find_watermark
from mien.storage import Root
from mien.tasks.errors import RunError, UsageError
from mien.tasks.export import export as export_module
from mien.tasks.export.export import ExportSettings, export_part, finish_export, finished, start_export
from mien.tasks.export.marks import marks_of, number_of
from mien.tasks.export.part_source import part_sources
from mien.tasks.runtime import workers
from tests.certificates import Signed, make_signed
from tests.integration.flow_calls import export, generated
from tests.paths import REPOSITORY
from tests.prefect_database import put_database
from tests.small_root import GENERATED, small_root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With four shards of generated faces: there is something before and after the shard of a kill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.small_root.SHARD_PAIRS", 3)
        return Path(small_root(tmp_path_factory.mktemp("small")).url)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return make_signed(tmp_path_factory.mktemp("ca"))


def pictures(out: Path) -> Iterator[tuple[str, bytes, str]]:
    """Id, bytes and stored hash of each picture of an export, in whatever form."""
    for path in sorted(out.rglob("*.png")):
        yield path.stem, path.read_bytes(), hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as archive:
            held = {member.name: archive.extractfile(member).read() for member in archive}  # pyright: ignore[reportOptionalMemberAccess]
        for name in sorted(held):
            if name.endswith(".png"):
                key = name.removesuffix(".png")
                yield key, held[name], json.loads(held[f"{key}.json"])["sha256"]
    for path in sorted(out.glob("data/*.parquet")):
        for row in pq.read_table(path).to_pylist():
            yield row["output_id"], row["image"]["bytes"], row["sha256"]


@pytest.mark.usefixtures("prefect_server", "shared_workers")
@pytest.mark.parametrize("form", ["images", "webdataset", "huggingface"])
def test_every_picture_of_an_export_is_signed(form: str, root: Path, signed: Signed, tmp_path: Path) -> None:
    made = export(GENERATED, tmp_path, form, root, sign=signed.option)
    rows = {row["output_id"]: row for row in generated(root, GENERATED)}
    found = list(pictures(tmp_path))
    assert sorted(name for name, _, _ in found) == sorted(rows)
    assert made.pictures == len(rows)
    for name, data, stored in found:
        credentials = checked(data, signed)
        assert credentials.actions == ("c2pa.created (trainedAlgorithmicMedia)",)
        assert credentials.facts["output"] == name
        assert hashlib.sha256(data).hexdigest() == stored
        assert is_synthetic(data) == "mien's mark"
        assert read_provenance(data) == read_provenance(rows[name]["image"])
    assert any("signed with the certificate" in line for line in made.lines())


def checked(data: bytes, signed: Signed) -> Credentials:
    credentials = read_credentials(data, signed.authority.read_text())
    assert credentials is not None
    assert (credentials.state, credentials.problems) == ("trusted", ())
    return credentials


@pytest.mark.usefixtures("prefect_server", "shared_workers")
def test_a_face_in_its_photo_is_an_edited_photo(done, signed: Signed, tmp_path: Path) -> None:
    made = export("six-augmented", tmp_path, "images", done[0], paste_back=True, sign=signed.option)
    found = list(pictures(tmp_path))
    assert made.pictures == len(found) > 0
    for name, data, _ in found:
        actions = ("c2pa.opened", "c2pa.edited (compositeWithTrainedAlgorithmicMedia)")
        assert checked(data, signed).actions == actions
        assert read_provenance(data)["output"] == name
        assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in data
        assert b"digitalsourcetype/trainedAlgorithmicMedia" not in data


@pytest.mark.usefixtures("prefect_server", "shared_workers")
def test_a_signed_export_is_another_one_than_an_unsigned_one(root: Path, signed: Signed, tmp_path: Path) -> None:
    export(GENERATED, tmp_path / "plain", "images", root)
    with pytest.raises(UsageError, match="holds another export"):
        export(GENERATED, tmp_path / "plain", "images", root, sign=signed.option)
    export(GENERATED, tmp_path / "signed", "images", root, sign=signed.option)
    before = {path: path.read_bytes() for path in (tmp_path / "signed").rglob("*.png")}
    assert export(GENERATED, tmp_path / "signed", "images", root, sign=signed.option).pictures is None
    assert {path: path.read_bytes() for path in before} == before
    other = make_signed(tmp_path / "other")
    for sign in (None, other.option):
        with pytest.raises(UsageError, match="holds another export"):
            export(GENERATED, tmp_path / "signed", "images", root, sign=sign)
    index = json.loads((tmp_path / "signed" / "mien-export.json").read_text())
    assert len(index["about"]["signed"]["certificate"]) == 64
    assert str(signed.key) not in json.dumps(index)


def test_a_signed_export_goes_on_after_a_kill(
    root: Path, signed: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, out = Root(str(root)), Root(str(tmp_path))
    transfers = export_module.transfers_of(opened, GENERATED)
    settings = ExportSettings(marks=marks_of(transfers, signed.option, watermark=False, number=None))
    folders, sources = export_module.people_of(opened, transfers), part_sources(opened, transfers)
    assert len(sources) > 2

    def run() -> int:
        start_export(out, transfers, settings)
        parts = [export_part(opened, source, transfers, out, folders, settings) for source in sources]
        return finish_export(out, transfers, settings, parts)

    written = Root.write_bytes
    left = iter(range(7))

    def killed(self: Root, path: str, data: bytes) -> Any:
        if path.endswith(".png") and next(left, None) is None:
            raise KeyboardInterrupt
        return written(self, path, data)

    monkeypatch.setattr(workers, "_pool", None)  # in this process, which is then "killed"
    with monkeypatch.context() as patch:
        patch.setattr(Root, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    first = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    assert len(first) == 7
    assert not finished(out, transfers, settings)
    assert run() == len(generated(root, GENERATED))
    assert finished(out, transfers, settings)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    # Whole parts are as they were; the part in hand is signed anew, and what its rows say of it with it.
    assert sum(after[path] == data for path, data in first.items()) == 6
    lines = (tmp_path / "index.csv").read_text()
    for data in after.values():
        checked(data, signed)
        assert hashlib.sha256(data).hexdigest() in lines


def test_a_certificate_that_changes_during_an_export_is_noticed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_pool", None)
    files = make_signed(tmp_path / "ca")
    transfers = export_module.transfers_of(Root(str(root)), GENERATED)
    marks = marks_of(transfers, files.option, watermark=False, number=None)
    opened, out = Root(str(root)), Root(str(tmp_path / "out"))
    settings = ExportSettings(marks=marks)
    source = part_sources(opened, transfers)[0]
    make_signed(tmp_path / "ca")
    with pytest.raises(RunError, match="has changed since the export began"):
        export_part(opened, source, transfers, out, export_module.people_of(opened, transfers), settings)
    assert list((tmp_path).rglob("*.png")) == []


def arguments(root: Path, out: Path, *options: str) -> list[str]:
    return ["export", "--root", str(root), "--set", GENERATED, "--out", str(out), *options]


@pytest.mark.parametrize("option", ["", "one.pem", "a,b,c", ",key", "cert,", "a\nb,c", "no,where"])
def test_paths_that_are_none_are_refused_before_any_work(
    option: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(root, tmp_path / "out", "--sign", option)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_what_cannot_sign_is_said_in_one_line_without_the_key(
    root: Path, signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = signed.key.read_text().splitlines()[1]
    swapped = f"{signed.key},{signed.certificate}"
    content = f"{signed.certificate},{signed.key.read_text()}"
    for option, line in ((swapped, "no certificate in PEM"), (content, "two paths")):
        assert main(arguments(root, tmp_path / "out", "--sign", option)) == 2
        shown = capsys.readouterr()
        assert line in shown.err
        assert len(shown.err.splitlines()) == 1
        assert secret not in shown.out + shown.err
    assert not (tmp_path / "out").exists()


def test_the_key_is_in_no_other_file_and_no_log(
    root: Path, signed: Signed, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, quick_python: str
) -> None:
    options = arguments(root, tmp_path / "out", "--sign", signed.option, "--format", "webdataset", "--workers", "1")
    kept = {name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", "PREFECT_HOME")}
    home = put_database(tmp_path_factory, tmp_path / "prefect")
    environment = kept | {"PYTHONPATH": str(REPOSITORY), "PREFECT_HOME": str(home)}
    command = [quick_python, "-m", "mien.flows.cli.app", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in signed.key.read_text().splitlines() if "KEY" not in line]
    raw = b"".join(base64.b64decode(line) for line in lines)
    needles = [lines[0].encode(), raw[40:60]]
    written = [path for path in [*tmp_path.rglob("*"), *root.rglob("*")] if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    assert [path for path in written if any(needle in path.read_bytes() for needle in needles)] == []
    assert lines[0] not in done.stdout + done.stderr


@pytest.mark.usefixtures("prefect_server", "shared_workers")
def test_a_watermark_leads_back_to_the_export(
    done, signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = done[0], tmp_path / "out"
    made = export("six-augmented", out, "images", root, watermark=True, sign=signed.option)
    assert made.pictures is not None
    number = number_of(export_module.transfers_of(Root(str(root)), "six-augmented"))
    assert made.marks.watermark == number
    index = json.loads((out / "mien-export.json").read_text())
    assert index["about"]["watermark"]["number"] == number
    assert index["without_watermark"] == made.unmarked
    rows = {row["output_id"]: row for row in generated(root, "six-augmented")}
    found = {path: find_watermark(decode_rgb(path.read_bytes())) for path in sorted(out.rglob("*.png"))}
    with_mark = [path for path, mark in found.items() if mark is not None and mark.number == number]
    # What the export says of the number is true of each picture.
    assert len(with_mark) == made.pictures - made.unmarked
    assert len(with_mark) >= made.pictures // 2
    for path in with_mark:
        checked(path.read_bytes(), signed)
        assert read_provenance(path.read_bytes()) == read_provenance(rows[path.stem]["image"])
    assert main(["mark", str(with_mark[0]), "--root", str(root), "--trust", str(signed.authority)]) == 0
    shown = capsys.readouterr().out
    assert f"the number {number} (" in shown
    assert f"the export {out}" in shown
    assert "the set six-augmented" in shown
    assert "trusted: the picture is as it was signed; signer Tests, Test signer" in shown
    assert f"output {with_mark[0].stem}" in shown

    # A picture that was changed, of which nothing can be decoded any more, and one without any mark.
    changed = bytearray(with_mark[0].read_bytes())
    changed[-400] ^= 1
    (tmp_path / "changed.png").write_bytes(bytes(changed))
    plain = storage.read_source("sample:orl/s1/1.pgm")
    (tmp_path / "plain.pgm").write_bytes(plain)
    assert main(["mark", str(tmp_path / "changed.png"), str(tmp_path / "plain.pgm")]) == 1
    first, _, second = capsys.readouterr().out.partition(str(tmp_path / "plain.pgm"))
    assert "NOT VALID" in first
    assert "watermark    not looked for: a damaged picture" in first
    assert main(["mark", str(signed.authority)]) == 2
    assert [line.split()[-1] for line in second.strip().splitlines()] == ["none", "none", "found"]


def test_a_number_needs_a_watermark(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(root, tmp_path / "out", "--watermark-number", "7")) == 2
    assert "give --watermark, too" in capsys.readouterr().err
    assert main(arguments(root, tmp_path / "out", "--watermark", "--watermark-number", "65536")) == 2
    assert not (tmp_path / "out").exists()
