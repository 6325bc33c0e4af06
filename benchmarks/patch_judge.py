"""A fresh classifier of small patches that learns to tell made faces from photos, and is asked about other people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from mien.model.evaluation.metrics import auc

FOLDS = 3
UPDATES, BATCH, WINDOW_PX = 450, 16, 64
LEARNING_RATE = 2e-3
WIDTHS = (16, 32, 32, 32)

Faces = UInt8[np.ndarray, "faces side side 3"]
Boxes = Int[np.ndarray, "faces 4"]
"""Left, top, right, bottom of each face in pixels."""


class PatchJudge(nn.Module):
    """A logit for each place, which sees a patch of 33 pixels around it: skin, lids, teeth, no whole face."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in zip((3, *WIDTHS[:-1]), WIDTHS, (1, 2, 2, 2), strict=True):
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(WIDTHS[-1], 1, 3, padding=1))

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch rows columns"]:
        """High for photos."""
        return self.body(images)[:, 0]


def real_against_made(photos: Faces, made: Faces, people: Int[np.ndarray, " faces"], boxes: Boxes, seed: int) -> float:
    """Area under the ROC curve of photos against made faces of people whom the classifier was not trained with.

    The people are split into folds. Each fold is judged by a classifier that was trained on the others; the mean over
    the folds is returned. 0.5: nobody can tell. NaN with fewer people than folds.

    Args:
        photos: Real ones.
        made: What should look like the photo in the same place.
        people: Numbers of the people of each place.
        boxes: Where the face is, in both.
        seed: Of first weights, windows and folds.
    """
    names = np.random.default_rng(seed).permutation(np.unique(people))
    if len(names) < FOLDS:
        return float("nan")
    values: list[float] = []
    for left_out in np.array_split(names, FOLDS):
        judged = np.isin(people, left_out)
        judge = trained_judge(photos[~judged], made[~judged], boxes[~judged], seed)
        real, false = (judgements(judge, faces[judged], boxes[judged]) for faces in (photos, made))
        values.append(auc(real, false))
    return float(np.mean(values))


def trained_judge(photos: Faces, made: Faces, boxes: Boxes, seed: int) -> PatchJudge:
    """From nothing; each batch has the same windows of photos and of what was made in their place."""
    torch.manual_seed(seed)
    judge, random = PatchJudge(), np.random.default_rng(seed)
    optimiser = torch.optim.Adam(judge.parameters(), LEARNING_RATE)
    for _ in range(UPDATES):
        rows = random.integers(len(photos), size=BATCH // 2)
        windows = [_window(boxes[row], photos.shape[1], random) for row in rows]
        seen = [faces[row][its] for faces in (photos, made) for row, its in zip(rows, windows, strict=True)]
        logits = judge(_images(np.stack(seen)))
        truth = (torch.arange(len(seen)) < len(rows)).float()[:, None, None].expand_as(logits)
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(logits, truth).backward()
        optimiser.step()
    return judge.eval()


def judgements(judge: PatchJudge, faces: Faces, boxes: Boxes) -> Float[np.ndarray, " faces"]:
    """Mean logit over the face of each picture."""
    return np.array(list(_judged(judge, faces, boxes)))


def _judged(judge: PatchJudge, faces: Faces, boxes: Boxes) -> Iterator[float]:
    with torch.inference_mode():
        for face, (left, top, right, bottom) in zip(faces, boxes.tolist(), strict=True):
            yield float(judge(_images(face[None, top:bottom, left:right])).mean())


def _window(box: Int[np.ndarray, " 4"], side_px: int, random: np.random.Generator) -> tuple[slice, slice]:
    """A square whose middle lies in the box."""
    across, down = (random.integers(box[axis], max(box[axis + 2], box[axis] + 1)) for axis in (0, 1))
    left, top = (int(np.clip(middle - WINDOW_PX // 2, 0, side_px - WINDOW_PX)) for middle in (across, down))
    return slice(top, top + WINDOW_PX), slice(left, left + WINDOW_PX)


def _images(faces: UInt8[np.ndarray, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """In [-1, 1]."""
    return torch.from_numpy(faces.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1
