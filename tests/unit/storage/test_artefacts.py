"""Artefacts: kept, found, and made again where they are damaged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mien.storage import MissingError, Root, StorageError
from mien.storage.artefacts import (
    COSTS,
    KINDS,
    NEUTRALS,
    DamagedError,
    json_artefact,
    keep,
    load,
    load_or_make,
    npz_artefact,
    read,
)


@dataclass(frozen=True)
class Cost:
    pairs: int
    seconds: float


def _as_arrays(value: np.ndarray) -> dict[str, np.ndarray]:
    return {"value": value}


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    return arrays["value"]


COST = json_artefact(COSTS, Cost)
ARRAY = npz_artefact(NEUTRALS, _as_arrays, _from_arrays)


def no_making() -> Cost:
    raise AssertionError("it is there")


def test_what_is_kept_is_found_and_not_made_again(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    assert load(root, COST, "one") is None
    assert load_or_make(root, COST, "one", lambda: Cost(3, 0.5)) == Cost(3, 0.5)
    assert load_or_make(root, COST, "one", no_making) == Cost(3, 0.5)
    assert load(root, COST, "two") is None
    assert (tmp_path / "costs/one.json").exists()


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"pairs": 3}', b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"pairs": 3, "seconds": "x"}']
)
def test_a_damaged_file_is_told_in_one_line_and_made_again(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    root = Root(str(tmp_path))
    root.write_bytes("costs/one.json", data)
    with pytest.raises(DamagedError, match=r"costs/one\.json is damaged \("):
        read(root, COST, "one")
    with caplog.at_level(logging.WARNING):
        assert load_or_make(root, COST, "one", lambda: Cost(3, 0.5)) == Cost(3, 0.5)
    (record,) = caplog.records
    assert record.getMessage().endswith("the next transfer job makes it again")
    assert "\n" not in record.getMessage()
    assert load_or_make(root, COST, "one", no_making) == Cost(3, 0.5)


def test_arrays_come_back_and_any_damage_to_them_is_seen(tmp_path: Path) -> None:
    root, value = Root(str(tmp_path)), np.arange(6.0).reshape(2, 3)
    keep(root, ARRAY, "one", value)
    assert np.array_equal(read(root, ARRAY, "one"), value)
    data = root.read_bytes("neutrals/one.npz")
    random = np.random.default_rng(0)
    for n in random.integers(0, len(data), 200).tolist():
        changed = bytearray(data)
        changed[n] ^= 1 << int(random.integers(8))
        root.write_bytes("neutrals/one.npz", bytes(changed))
        with suppress(DamagedError):  # some bits of a zip file mean nothing; the values are never others
            assert np.array_equal(read(root, ARRAY, "one"), value)
    for end in range(0, len(data) - 1, 7):
        root.write_bytes("neutrals/one.npz", data[:end])
        with pytest.raises(DamagedError):
            read(root, ARRAY, "one")


def test_what_cannot_be_reached_is_an_error_and_nothing_is_made(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    (tmp_path / "costs/one.json").mkdir(parents=True)  # as a file without permission, which tests as root can read
    with pytest.raises(StorageError) as caught:
        load_or_make(root, COST, "one", no_making)
    assert not isinstance(caught.value, MissingError | DamagedError)


def test_no_two_kinds_share_a_file() -> None:
    paths = [kind.path("x") for kind in KINDS]
    assert len(set(paths)) == len(paths)
