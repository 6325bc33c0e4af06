from __future__ import annotations

import argparse
import runpy
from pathlib import Path

import pytest

from benchmarks import short
from benchmarks.short import BENCHMARKS, ONLY_BY_HAND, Ran, commands, left_out, page, run

FOLDER = Path(short.__file__).parent


def asked(**changed: object) -> argparse.Namespace:
    return argparse.Namespace(**{"only": None, "photos": None, "root": None, "sets": None} | changed)


def test_every_benchmark_has_a_short_form_or_a_reason_why_not() -> None:
    runnable = {path.stem for path in FOLDER.glob("*.py") if "python -m benchmarks." in path.read_text()[:1500]}
    own = {path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text()} - {"short"}
    known = {each.module for each in BENCHMARKS} | set(ONLY_BY_HAND)
    assert runnable & own <= known
    assert known <= own


def test_what_needs_photos_or_sets_is_left_out_without_them_and_said() -> None:
    without = {each.module for each, _ in commands(asked())}
    assert "faces" in without
    assert without.isdisjoint({"landmarks", "looks"})
    lines = list(left_out(asked()))
    assert "landmarks: needs --photos" in lines
    assert "looks: needs --root, --set" in lines
    given = {each.module: arguments for each, arguments in commands(asked(photos="P", root="R", sets=["a", "b"]))}
    assert given["looks"] == ["--root", "R", "--set", "a", "--set", "b"]
    assert given["landmarks"] == ["P"]
    assert {each.module for each, _ in commands(asked(only=["faces"]))} == {"faces"}


@pytest.mark.parametrize("each", BENCHMARKS, ids=lambda each: each.module)
def test_the_benchmarks_know_these_arguments(each: short.Short, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own parser takes them; nothing is measured."""

    class ParsedError(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def parsed(self: argparse.ArgumentParser, *given: object) -> argparse.Namespace:
        parse(self, *given)
        raise ParsedError

    given = dict.fromkeys(("photos", "root"), "x") | {"sets": ["s"]}
    arguments = next(arguments for one, arguments in commands(asked(**given)) if one == each)
    monkeypatch.setattr("sys.argv", [each.module, *arguments])
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    with pytest.raises(ParsedError):
        runpy.run_module(f"benchmarks.{each.module}", run_name="__main__")


def test_one_that_fails_or_takes_too_long_is_told(tmp_path: Path) -> None:
    failed = run("faces", ["--no-such-option"], 120)
    assert failed.code == 2
    assert "no-such-option" in failed.printed
    assert run("faces", [], 0.01).code is None
    text = page(["a machine"], [failed, Ran("x", None, 1.0, ""), Ran("y", 0, 2.0, "| 3.0x |")], ["z: needs --root"])
    assert "ended with 2" in text
    assert "took too long" in text
    assert "| 3.0x |" in text
    assert "- z: needs --root" in text
