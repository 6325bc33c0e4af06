"""Limits that accept every result with a face, for benchmarks and tests whose generator has hardly been trained.

What they try is not how good a face is. `OPEN_GATE` is the section `gate` of the settings.
"""

from __future__ import annotations

from dataclasses import fields

from mien.model.quality.gate import GateLimits

_MUCH = 1e6

_NOT_BELOW_0 = ("sharpness", "contrast", "asked")


def _open(name: str) -> float:
    if name.startswith("max_"):
        return _MUCH
    return 0.0 if any(part in name for part in _NOT_BELOW_0) else -_MUCH


OPEN_GATE: dict[str, float] = {field.name: _open(field.name) for field in fields(GateLimits)}
