"""What is kept of a source is what parsing it says, and no trouble with the folder it is kept in reaches anybody."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mien.storage import parsed_code as module
from mien.storage.parsed_code import ParsedCode, keep_parsed, parsed_code

SOURCE = b'''"""About."""
import os, numpy.linalg
from . import sibling
from ..above.it import one, two

NAMES = ("table.json", "with space", "a/path", "")


def work():
    """notes.txt"""
    from lazily import imported
    return NAMES  # why
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of what is kept; this process knows nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache" / "mien"
    forget()


def forget() -> None:
    """As a new process."""
    module._kept.cache_clear()
    module._path.cache_clear()
    module._new.clear()


def kept(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_imports_are_found_wherever_they_stand() -> None:
    assert set(parsed_code(SOURCE).imports) == {
        (0, "os", None),
        (0, "numpy.linalg", None),
        (1, "", "sibling"),
        (2, "above.it", "one"),
        (2, "above.it", "two"),
        (0, "lazily", "imported"),
    }


def test_words_are_strings_of_the_code_that_may_name_a_file() -> None:
    assert parsed_code(SOURCE).words == ("table.json",)


def test_files_beside_the_module_count() -> None:
    parsed = parsed_code(SOURCE)
    with_file = parsed.fingerprint(SOURCE, {"table.json": "a"})
    assert parsed.fingerprint(SOURCE, {}) == parsed.alone
    assert len({parsed.alone, with_file, parsed.fingerprint(SOURCE, {"table.json": "b"})}) == 3


def test_what_was_parsed_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    parsed = parsed_code(SOURCE)
    keep_parsed()
    assert kept(folder).stat().st_mode & 0o777 == 0o600
    forget()

    def never(*_: Any) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(ast, "parse", never)
    assert parsed_code(SOURCE) == parsed
    with pytest.raises(AssertionError, match="parsed again"):
        parsed_code(SOURCE + b"\nX = 1\n")


def test_several_processes_add_to_what_is_kept(folder: Path) -> None:
    for source in (SOURCE, b"A = 1\n", b"B = 2\n"):
        parsed_code(source)
        keep_parsed()
        forget()
    assert len(module._kept()) == 3
    written = kept(folder).stat().st_mtime_ns
    parsed_code(SOURCE)
    keep_parsed()
    assert kept(folder).stat().st_mtime_ns == written


def test_too_much_is_forgotten(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    for source in (b"A = 1\n", b"B = 2\n", b"C = 3\n"):
        parsed_code(source)
        keep_parsed()
        forget()
    assert len(module._kept()) == 1


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"a": {"alone": 1}}', b"\xff"])
def test_a_damaged_file_is_as_none(folder: Path, damaged: bytes) -> None:
    parsed = parsed_code(SOURCE)
    keep_parsed()
    kept(folder).write_bytes(damaged)
    forget()
    assert parsed_code(SOURCE) == parsed
    keep_parsed()
    forget()
    assert list(module._kept().values()) == [parsed]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    parsed = parsed_code(SOURCE)
    keep_parsed()
    forget()
    assert parsed_code(SOURCE) == parsed
    assert isinstance(parsed, ParsedCode)
