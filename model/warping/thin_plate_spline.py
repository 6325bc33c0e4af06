"""Thin-plate splines: the dense motion that the landmarks alone determine, in closed form.

The spline is the smoothest map that takes each landmark of the target to that of the source (Bookstein, Principal
Warps, 1989): f(x) = x + a₀ + A·x + Σᵢ wᵢ·φ(‖x − tᵢ‖) with φ(r) = r²·log r², and weights that solve

    ⎡ K + λI  P ⎤ ⎡w⎤   ⎡ s − t ⎤      Kᵢⱼ = φ(‖tᵢ − tⱼ‖)
    ⎣   Pᵀ    0 ⎦ ⎣a⎦ = ⎣   0   ⎦      Pᵢ  = (1, tᵢ)

λ > 0 lets the map miss a landmark a little where hitting it would bend the face: detectors err by a pixel or two.
Everything is batched, on the device of its inputs, and differentiable.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.warping.pixel_grid import pixel_centres, squared_distances

SMOOTHING = 0.01
"""λ. Coordinates are in [-1, 1], so φ is of the order of 1; chosen by the L1 of warped faces to photos."""


def spline_grid(
    source: Float[Tensor, "batch points 2"],
    target: Float[Tensor, "batch points 2"],
    side_px: int,
    smoothing: float = SMOOTHING,
) -> Float[Tensor, "batch side side 2"]:
    """Where in the source each pixel of a square target picture is found: a backward flow, as `warp` takes it.

    Points and result are (x, y) in [-1, 1] over the picture. Landmarks that coincide need smoothing > 0.
    """
    return spline_of_distances(source, target, squared_distances(target, side_px), side_px, smoothing)


def spline_of_distances(
    source: Float[Tensor, "batch points 2"],
    target: Float[Tensor, "batch points 2"],
    squared: Float[Tensor, "batch pixels points"],
    side_px: int,
    smoothing: float = SMOOTHING,
) -> Float[Tensor, "batch side side 2"]:
    """`spline_grid` for who knows the squared distances of the pixels to the points of the target."""
    with torch.autocast(source.device.type, enabled=False):  # a system of 71 equations needs its digits
        solved = _solve(target, source - target, smoothing)
        pixels = pixel_centres(side_px, source)
        plane = F.pad(_with_one(pixels), (0, solved.shape[1] - target.shape[1] - 3))
        known = torch.cat([_kernel(squared), plane.expand(len(target), -1, -1)], dim=-1)
        return (pixels + known @ solved).unflatten(1, (side_px, side_px))


def _solve(
    centres: Float[Tensor, "batch points 2"], moved: Float[Tensor, "batch points 2"], smoothing: float
) -> Float[Tensor, "batch equations 2"]:
    """w of the module's formula, then a, then zeros.

    The system is filled up to a multiple of 8 equations: so each matrix of a batch starts where the processor's vectors
    do, and a face has the same bits wherever it stands in a batch.
    """
    batch, count, _ = centres.shape
    size = -(-(count + 3) // 8) * 8
    system = torch.eye(size, dtype=centres.dtype, device=centres.device).repeat(batch, 1, 1)
    apart = (centres[:, :, None] - centres[:, None]).square().sum(-1)
    system[:, :count, :count] = _kernel(apart) + smoothing * torch.eye(count, device=centres.device)
    system[:, :count, count : count + 3] = _with_one(centres)
    system[:, count : count + 3, :count] = _with_one(centres).mT
    system[:, count : count + 3, count : count + 3].zero_()
    # To look whether it could be solved is to wait for a CUDA device. A training has looked at its landmarks before.
    return torch.linalg.solve_ex(
        system, F.pad(moved, (0, 0, 0, size - count)), check_errors=not torch.is_grad_enabled()
    ).result


def _kernel(squared: Float[Tensor, "batch rows points"]) -> Float[Tensor, "batch rows points"]:
    """φ of distances whose squares are given. log r² of r = 0 is held finite; times r² it is 0, and so is its
    gradient."""
    return squared * squared.clamp_min(torch.finfo(squared.dtype).tiny).log()


def _with_one(points: Float[Tensor, "*batch points 2"]) -> Float[Tensor, "*batch points 3"]:
    return F.pad(points, (1, 0), value=1.0)


def warp(
    image: Float[Tensor, "batch channels size size"], grid: Float[Tensor, "batch rows columns 2"]
) -> Float[Tensor, "batch channels rows columns"]:
    """The picture pulled along a backward flow; what comes from outside repeats the border."""
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def resized_grid(grid: Float[Tensor, "batch side side 2"], side_px: int) -> Float[Tensor, "batch size size 2"]:
    """A backward flow at another resolution: the motion is interpolated, not the positions, which
    go on to the border."""
    moved = (grid - pixel_centres(grid.shape[1], grid).unflatten(0, grid.shape[1:3])).permute(0, 3, 1, 2)
    finer = F.interpolate(moved, size=(side_px, side_px), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    return finer + pixel_centres(side_px, grid).unflatten(0, (side_px, side_px))
