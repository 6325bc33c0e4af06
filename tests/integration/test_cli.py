"""The command line, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MIEN = str(Path(sys.executable).parent / "mien")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing set that would quiet the servers: the command has to do it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "DO_NOT_TRACK"))}
    return kept | {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")), "COLUMNS": "120"}


def mien(environment: dict[str, str], *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MIEN, *map(str, arguments)], env=environment, cwd=cwd, capture_output=True, text=True, timeout=500, check=False
    )


def test_help_names_every_command(environment: dict[str, str]) -> None:
    told = mien(environment, "--help")
    assert told.returncode == 0
    known = ("demo", "prepare", "train", "evaluate", "augment", "transfer", "gallery", "report", "doctor", "ls", "show")
    for command in (*known, "calibrate", "reproduce", "export", "verify"):
        assert f" {command} " in told.stdout


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("demo", ["--root", "--minutes"]),
        (
            "prepare",
            [
                *(
                    "--root",
                    "--name",
                    "--faces",
                    "--crop-size",
                    "--pattern",
                    "--identity",
                    "--faces-per-image",
                    "--fps",
                ),
                *("--every", "--max-failed", "--check-identities", "--group-similarity", "--commercial"),
            ],
        ),
        ("train", ["--root", "--data", "--generator", "--size", "--minutes", "--steps"]),
        ("evaluate", ["--root", "--model", "--data", "--pairs", "--cross-pairs", "--against", "--gallery"]),
        (
            "augment",
            [
                *("--root", "--model", "--identities", "--expressions", "--per-identity", "--pairs", "--seed"),
                *("--dry-run", "--retarget", "--head-pose", "--candidates", "--most-pose-difference", "--gate"),
                *("--image-format", "--keep-rejected", "--require-consent", "--precision"),
            ],
        ),
        ("transfer", ["--root", "--model", "--retarget", "--head-pose"]),
        ("gallery", ["--root", "--out"]),
        ("calibrate", ["--root", "--data", "--pairs"]),
        ("reproduce", ["--root", "--name", "--out"]),
        ("export", ["--root", "--data", "--out", "--format", "--paste-back", "--rejected"]),
        ("verify", ["--root", "--data"]),
        ("report", ["--root", "--data", "--out"]),
    ],
)
def test_the_options_stay(environment: dict[str, str], command: str, options: list[str]) -> None:
    told = mien(environment, command, "--help").stdout
    assert [option for option in options if option not in told] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["prepare", "nowhere", "--name", "x"], "nowhere"),
        (["prepare", "sample:orl", "--name", "x", "--faces", "other"], "unknown detector 'other'"),
        (["prepare", "sample:orl", "--name", "a/b"], "a/b"),
        (["prepare", "sample:orl", "--name", "x", "--pattern", "*.jpg"], "names no label"),
        (["prepare", "sample:orl", "--name", "x", "--faces", "no_such_file:Detector"], "no module 'no_such_file'"),
        (["prepare", "sample:orl", "--name", "x", "--identity", "cluster", "--check-identities"], "takes no labels"),
        (["train", "--data", "nobody", "--steps", "1"], "nobody"),
        (["train", "--data", "x"], "--minutes"),
        (["augment", "--identities", "a", "--expressions", "b"], "mien prepare"),
        (["show", "no/such/thing"], "names no table"),
        (["transfer", "nowhere.jpg", "elsewhere.jpg", "out.png"], "nowhere.jpg"),
        (["gallery", "--out", "g"], "mien augment"),
        (["verify", "--data", "nobody"], "nobody"),
        (["calibrate", "--data", "nobody"], "nobody"),
        (["export", "--data", "nobody", "--out", "o"], "nobody"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    told = mien(environment, *arguments, cwd=tmp_path)
    assert told.returncode == 2, told.stderr
    errors = [line for line in told.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, told.stderr
    assert says in errors[0]
    assert "Traceback" not in told.stderr


def test_prepare_tells_of_photos_that_fit_no_pattern(environment: dict[str, str], tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "anna.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"never read")
    options = ("--pattern", "{identity}/*.jpg", "--name", "none", "--root", "root")
    told = mien(environment, "prepare", "photos", *options, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "1 left out: its path does not fit the pattern {identity}/*.jpg" in told.stdout
    assert "no face is usable: mien report --root root --data none shows why" in told.stdout


def test_prepare_tells_what_became_of_the_photos_and_nothing_else(environment: dict[str, str], tmp_path: Path) -> None:
    photos = tmp_path / "photos" / "anna"
    photos.mkdir(parents=True)
    (photos / "broken.jpg").write_bytes(b"not a picture")
    told = mien(environment, "prepare", photos.parent, "sample:orl/s1", "--name", "mixed", "--root", tmp_path / "root")
    assert told.returncode == 0, told.stderr
    assert "11 photos (1 unreadable), 10 faces usable" in told.stdout
    noise = [
        line
        for line in told.stderr.splitlines()
        if not line.startswith(("index photos:", "detect and align:", "render heatmaps:"))
    ]
    assert noise == []
    listed = mien(environment, "ls", "--root", tmp_path / "root").stdout
    assert "mixed" in listed
    assert "10 ok, 1 failed" in listed
    shown = mien(environment, "show", f"{tmp_path}/root/images/mixed", "--rows", "20").stdout
    assert "broken.jpg" in shown
