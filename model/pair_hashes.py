"""Numbers that follow from a name and a seed alone: what is chosen by them does not depend on what else there is."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import UInt64

_GOLDEN, _FIRST, _SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_FACTOR = 0x100000001B3
"""Odd, so that no power of it is 0 modulo 2^64 (the prime of FNV-1)."""


def mixed(values: UInt64[np.ndarray, " ..."]) -> UInt64[np.ndarray, " ..."]:
    """Numbers that look random, one for each value: SplitMix64 (Steele, Lea and Flood 2014). A bijection."""
    step = values + _GOLDEN
    step = (step ^ (step >> np.uint64(30))) * _FIRST
    step = (step ^ (step >> np.uint64(27))) * _SECOND
    return step ^ (step >> np.uint64(31))


def id_hashes(ids: np.ndarray, seed: int) -> UInt64[np.ndarray, " ids"]:
    """A number for each id (bytes of numpy, which fills shorter ones up with zeros: these change nothing)."""
    letters = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), ids.dtype.itemsize)
    sums, power = np.zeros(len(ids), np.uint64), 1
    for column in letters.T:  # not all at once: there may be a million ids
        sums += column * np.uint64(power)
        power = power * _FACTOR % 2**64
    return mixed(sums ^ name_hash("", seed))


def name_hash(name: str, seed: int) -> UInt64[np.ndarray, " 1"]:
    """A number for a name."""
    digest = hashlib.sha256(f"{seed}\n{name}".encode()).digest()
    return np.array([int.from_bytes(digest[:8], "big")], np.uint64)
