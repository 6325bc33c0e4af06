"""The terms of the generator's loss beyond those of the patent, each with its formula.

I_t is the target photo and Î_t the generated face, both in [-1, 1]. Differences of images are means in hundredths, as
in `model/training/losses.py`, so that weights compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.training.losses import L1_UNIT
from mien.model.warping.masks import region_mask
from mien.model.warping.picture_size import parted

Image = Float[Tensor, "batch 3 size size"]

COARSE_PX = (4, 16)
"""Sides of the squares whose means are compared by the coarser scales."""
TEXTURE_BANDS = 2
TEXTURE_WINDOW_PX = 16
TEXTURE_FLOOR = 0.01
"""Of a band's contrast, in images of [-1, 1]: what a photo's grain has. Below it all is smooth alike."""
SSIM_WINDOW_PX = 7
SSIM_K1, SSIM_K2, RANGE = 0.01, 0.03, 2.0
"""Wang et al. 2004, for images in [-1, 1]."""


# --- ‖I_t − Î_t‖₁, mouth and eyes weighted ----------------------------------------------------------------------------
#     Σ w·|I_t − Î_t| / Σ w      w = 1 + w_mouth in the mouth, 1 + w_eyes in the eyes, 1 elsewhere


def region_weights(
    points: Float[Tensor, "batch 68 2"], side_px: int, mouth: float, eyes: float
) -> Float[Tensor, "batch 1 side side"]:
    """w = 1 + w_mouth in the mouth, 1 + w_eyes in the eyes, 1 elsewhere, for the landmarks of the target."""
    return 1 + mouth * region_mask(points, side_px, "mouth") + eyes * region_mask(points, side_px, "eyes")


def weighted_l1(target: Image, drawn: Image, weights: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, ""]:
    """Σ w·|I_t − Î_t| / Σ w, in units of L1_UNIT."""
    off = (drawn - target).abs().mean(1, keepdim=True)
    return (off * weights).sum() / weights.sum() / L1_UNIT


# --- The same at coarser scales ---------------------------------------------------------------------------------------
#     Σ over scales of ‖mean(I_t) − mean(Î_t)‖₁      means over squares


def coarse_l1(target: Image, drawn: Image, squares_px: Sequence[int] = COARSE_PX) -> Float[Tensor, ""]:
    """Σ ‖mean(I_t) − mean(Î_t)‖₁ over the sides of the squares, in units of L1_UNIT: light and colour, which single
    pixels show last."""
    off = [F.avg_pool2d(drawn, side) - F.avg_pool2d(target, side) for side in squares_px]
    return torch.stack([difference.abs().mean() for difference in off]).sum() / L1_UNIT


# --- Structure --------------------------------------------------------------------------------------------------------
#     1 − SSIM(I_t, Î_t)      Wang et al. 2004, over square windows; as a loss beside L1: Zhao et al. 2017


def structure_loss(target: Image, drawn: Image, window_px: int = SSIM_WINDOW_PX) -> Float[Tensor, ""]:
    """1 − SSIM(I_t, Î_t) of the pictures in grey, over every second window each way: as good a guide at a twelfth of
    the cost."""
    t, d = target.float().mean(1), drawn.float().mean(1)  # variances are small differences of large numbers
    maps = torch.stack([t, d, t * t, d * d, t * d], dim=1)
    means = F.avg_pool2d(F.avg_pool2d(maps, (window_px, 1), (2, 1)), (1, window_px), (1, 2))
    mean_t, mean_d, square_t, square_d, product = means.unbind(1)
    var_t, var_d, both = square_t - mean_t**2, square_d - mean_d**2, product - mean_t * mean_d
    c1, c2 = (SSIM_K1 * RANGE) ** 2, (SSIM_K2 * RANGE) ** 2
    ssim = (2 * mean_t * mean_d + c1) * (2 * both + c2) / ((mean_t**2 + mean_d**2 + c1) * (var_t + var_d + c2))
    return 1 - ssim.mean()


# --- Texture ----------------------------------------------------------------------------------------------------------
#     Mean over bands and windows of |log E(I_t) − log E(Î_t)|      E = mean over the window of band² + FLOOR²
#     bands: the Laplacian pyramid's finest (Burt and Adelson 1983)


def texture_loss(target: Image, drawn: Image) -> Float[Tensor, ""]:
    """How much the fine detail differs in strength, wherever in a window it lies.

    ‖·‖₁ and SSIM are smallest for the mean of all that could be there, which is soft. This term tells softness and
    nothing else: where sources are averaged, or drawn over, energy is missing. A pattern would do as well as detail; so
    the layer cannot draw the finest ones (`networks/motion.py`, `unfolded`), and D_p knows them.
    """
    t, d = target.float().mean(1, keepdim=True), drawn.float().mean(1, keepdim=True)
    off: list[Tensor] = []
    for _ in range(TEXTURE_BANDS):
        (t, of_target), (d, of_drawn) = parted(t), parted(d)
        off.append((_log_energy(of_drawn) - _log_energy(of_target)).abs().mean())
    return torch.stack(off).mean()


def _log_energy(band: Float[Tensor, "batch 1 size size"]) -> Tensor:
    return (F.avg_pool2d(band.square(), TEXTURE_WINDOW_PX, TEXTURE_WINDOW_PX // 2) + TEXTURE_FLOOR**2).log()


# --- Smoothness of the residual flow ----------------------------------------------------------------------------------
#     E|∂f/∂x| + E|∂f/∂y|      f in hundredths of the crop's half side


def flow_variation(flow: Float[Tensor, "batch 2 side side"]) -> Float[Tensor, ""]:
    """E|∂f/∂x| + E|∂f/∂y| of the residual flow f: neighbours are to move alike, but edges may be sharp."""
    across, down = flow[..., 1:] - flow[..., :-1], flow[..., 1:, :] - flow[..., :-1, :]
    return (across.abs().mean() + down.abs().mean()) / L1_UNIT


# --- Feature matching -------------------------------------------------------------------------------------------------
#     Mean over layers of E|D_e^l(I_t, L_t) − D_e^l(Î_t, L_t)| / E|D_e^l(I_t, L_t)|      Salimans et al. 2016


def feature_distance(photo: Sequence[Tensor], drawn: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Mean over layers of E|real − made| / E|real|: layers count alike whatever the size of their features.

    No gradient goes to the features of the photo.
    """
    pairs = [(real.detach(), made) for real, made in zip(photo, drawn, strict=True)]
    return torch.stack([F.l1_loss(made, real) / real.abs().mean().clamp_min(1e-6) for real, made in pairs]).mean()


# --- Identity ---------------------------------------------------------------------------------------------------------
#     E‖e(Î_t) − e(I)‖²      e a face embedding, I a photo of the person


def identity_loss(drawn: Float[Tensor, "batch features"], photo: Float[Tensor, "batch features"]) -> Float[Tensor, ""]:
    """E‖e(Î_t) − e(I)‖² from the embeddings."""
    return (drawn - photo).square().sum(-1).mean()
