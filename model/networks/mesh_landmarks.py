"""The face mesh of `detection/face_mesh.py` with gradients to the picture: what a generated face shows.

It is the network that looks closer at lips and eyes (Grishchenko et al. 2020). A detector looks twice and several ways;
here one look has to do, through a window around landmarks that are known. Its weights are frozen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mien.model.detection.face_mesh import ROOM
from mien.model.device import indices
from mien.model.graphs.mediapipe_files import REFINED_MESH, read_graph
from mien.model.graphs.torch_graph import TorchGraph
from mien.model.landmarks.mediapipe_points import IRIS_POINTS, MESH_POINTS, SEEN_CLOSER

_WINDOW_PX = REFINED_MESH.side_px
_OUTER_CORNERS = 36, 45
"""Of the eyes, among the 68 common landmarks."""


class MeshLandmarks:
    """478 landmarks of the scheme `mediapipe478`.

    Raises:
        DetectorError: a package with the weights, or what reads them, is not installed.
        DeviceError: torch has no such device here.
    """

    def __init__(self, device: torch.device) -> None:
        self._graph = TorchGraph(read_graph(REFINED_MESH), str(device))

    def __call__(
        self, images: Float[Tensor, "batch 3 side side"], points: Float[Tensor, "batch 68 2"]
    ) -> Float[Tensor, "batch 478 2"]:
        """Landmarks of images in [-1, 1], as (x, y) in [-1, 1] over the image, in float32.

        Args:
            images: A face each.
            points: Its common landmarks, in [-1, 1], or about so. They frame the look, and get no gradient.
        """
        with torch.autocast(points.device.type, enabled=False):  # positions of half precision are pixels off
            return self._found(images.float(), points.detach().float())

    def _found(
        self, images: Float[Tensor, "batch 3 side side"], points: Float[Tensor, "batch 68 2"]
    ) -> Float[Tensor, "batch 478 2"]:
        corner, axes = _window(points)
        along = (torch.arange(_WINDOW_PX, device=points.device) + 0.5) / _WINDOW_PX
        down, across = torch.meshgrid(along, along, indexing="ij")
        grid = corner[:, None, None] + torch.einsum("hwa,bac->bhwc", torch.stack([across, down], -1), axes)
        seen = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
        mesh, *closer, _ = self._graph.run(((seen + 1) * 127.5).permute(0, 2, 3, 1))
        found = torch.cat([mesh.reshape(-1, MESH_POINTS, 3)[..., :2], mesh.new_zeros(len(mesh), 2 * IRIS_POINTS, 2)], 1)
        for closer_points, output in zip(SEEN_CLOSER, closer, strict=True):
            found = found.index_copy(1, indices(closer_points, found), output.reshape(len(mesh), -1, 2))
        return corner[:, None] + torch.einsum("bpa,bac->bpc", found / _WINDOW_PX, axes)


def _window(points: Float[Tensor, "batch 68 2"]) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch 2 2"]]:
    """Its upper left corner, and its upper and left edges as vectors; the eyes are level in it."""
    eyes = points[:, _OUTER_CORNERS[1]] - points[:, _OUTER_CORNERS[0]]
    along = F.normalize(eyes, dim=-1)
    axes = torch.stack([along, torch.stack([-along[:, 1], along[:, 0]], -1)], 1)
    level = torch.einsum("bpc,bac->bpa", points, axes)
    low, high = level.amin(1), level.amax(1)
    side = ROOM * (high - low).amax(1)
    corner = torch.einsum("ba,bac->bc", (low + high) / 2 - side[:, None] / 2, axes)
    return corner, axes * side[:, None, None]
