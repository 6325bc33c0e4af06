"""Numeric precision, as a setting. Apart from `device.py`, so that settings are read without loading torch."""

from __future__ import annotations

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
"""auto: bfloat16 where the processor computes in it (CUDA, AMX, AVX-512 BF16), else float32."""
