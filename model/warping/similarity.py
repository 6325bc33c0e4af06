"""The similarity of the plane by complex numbers: what turns, scales and shifts points nearest to others.

A rotation and scale of the plane is a product of complex numbers. With both shapes centred, the least squares of
Σ|o − (a·p + b)|² give a = Σ p̄·o / Σ|p|²: Umeyama's transform (`landmarks/alignment.py`) without the singular value
decomposition, batched, differentiable, and never mirrored.
"""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def plane(points: Float[Tensor, "*batch points 2"]) -> Complex[Tensor, "*batch points"]:
    """(x, y) as x + iy."""
    return torch.view_as_complex(points.contiguous())


def similarity(
    points: Complex[Tensor, "*batch points"], onto: Complex[Tensor, "*batch points"]
) -> tuple[Complex[Tensor, "*batch 1"], Complex[Tensor, "*batch 1"]]:
    """a and b of the module's formula: a·points + b lies nearest to `onto`."""
    centre, others = points.mean(-1, keepdim=True), onto.mean(-1, keepdim=True)
    centred = points - centre
    turn = (centred.conj() * (onto - others)).sum(-1, keepdim=True) / centred.abs().square().sum(-1, keepdim=True)
    return turn, others - turn * centre
