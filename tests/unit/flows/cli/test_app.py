"""The command as a whole: the list of commands, and what is wrong with arguments, in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mien import __version__
from mien.flows.cli.app import main
from mien.flows.cli.commands import COMMANDS
from mien.flows.settings import read_settings, settings_toml


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], []):
        assert main(arguments) == 0
        shown = capsys.readouterr().out
        assert [command for command in COMMANDS if f" {command.partition(' ')[0]} " not in shown] == []


def test_a_group_of_commands_names_its_own_and_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    inner = [name.rpartition(" ")[2] for name in COMMANDS if name.startswith("experiment ")]
    assert main(["experiment", "--help"]) == 0
    shown = capsys.readouterr().out
    assert len(inner) == 3
    assert [name for name in inner if f" {name} " not in shown] == []
    for arguments, told in (([], "Missing command"), (["nope"], "No such command 'nope'")):
        assert main(["experiment", *arguments]) == 2
        error = capsys.readouterr().err.splitlines()
        assert error == [f"error: {told} (see mien experiment --help)"]
    assert main(["experiment", "recognition", "--help"]) == 0
    assert "--embedder-set" in capsys.readouterr().out


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mien {__version__}\n"


def test_settings_are_printed_as_a_file_that_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    printed: list[str] = []
    for recipe in ("default", "patent"):
        assert main(["settings", "--recipe", recipe]) == 0
        printed.append(capsys.readouterr().out)
        assert printed[-1].strip() == settings_toml(recipe).strip()
        assert read_settings(tomllib.loads(printed[-1])) == read_settings(None, recipe)
    assert printed[0] != printed[1]


def test_a_long_list_of_options_is_grouped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["augment", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"─ {title} ─" in shown for title in ("Options", "Plan", "Expression", "Output", "Run"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["prepar", "x"], "Did you mean 'prepare'"),
        (["prepare", "nowhere", "--set", "x"], "nowhere"),
        (["prepare", "--set", "x"], "IMAGES"),
        (["prepare", "sample:orl"], "Missing option '--set'"),
        (["prepare", "sample:orl", "--set", "x", "--faces", "other"], "unknown detector 'other'"),
        (["prepare", "sample:orl", "--set", "a/b"], "a/b"),
        (["prepare", "sample:orl", "--set", "x", "--pattern", "*.jpg"], "names no label"),
        (["prepare", "sample:orl", "--set", "x", "--faces", "no_such_file:Detector"], "no module 'no_such_file'"),
        (["prepare", "sample:orl", "--set", "x", "--identity", "cluster", "--check-identities"], "takes no labels"),
        (["prepare", "sample:orl", "--set", "x", "--fps", "nan"], "--fps"),
        (["prepare", "sample:orl", "--set", "x", "--workers", "0"], "--workers"),
        (["train", "--set", "nobody", "--steps", "1"], "nobody"),
        (["train", "--set", "x"], "--minutes"),
        (["train", "--set", "x", "--steps", "1", "--size", "100"], "--size"),
        (["train", "--set", "x", "--steps", "1", "--seed", "-1"], "--seed"),
        (["augment", "--identities", "a", "--expressions", "b"], "mien prepare"),
        (["augment", "--identities", "a", "--expressions", "b", "--quality", "900"], "--quality"),
        (["augment", "--identities", "a", "--expressions", "b", "--identity-split", "all"], "'train', 'val' or 'test'"),
        (["augment", "--identities", "a", "--expressions", "b", "--model", "generator.pt"], "models:/NAME@ALIAS"),
        (["show", "no/such/thing"], "names no table"),
        (["show", "no/such/thing", "--rows", "0"], "--rows"),
        (["transfer", "nowhere.jpg", "elsewhere.jpg", "out.png"], "nowhere.jpg"),
        (["transfer", "nowhere.jpg", "elsewhere.jpg"], "OUT"),
        (["gallery", "--out", "g"], "mien augment"),
        (["verify", "--set", "nobody"], "nobody"),
        (["calibrate", "--set", "nobody"], "nobody"),
        (["evaluate", "--set", "nobody"], "nobody"),
        (["report", "--set", "nobody"], "nobody"),
        (["reproduce", "some-id", "--set", "nobody"], "nobody"),
        (["export", "--set", "nobody", "--out", "o"], "nobody"),
        (["export", "--set", "nobody", "--out", "o", "--format", "zip"], "--format"),
        (["ls", "--root", "unknown://root"], "unknown protocol"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert "Value error" not in line
    assert list(tmp_path.iterdir()) == [], "nothing has begun"
