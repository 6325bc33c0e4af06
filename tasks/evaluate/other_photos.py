"""Further photos of the person of a pair, for generators that combine several.

They are those that look like the source, as in a plan, and of these the ones whose landmarks are nearest to the
target's. The target itself is never among them, nor a frame of its video, which may be all but the same picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float

from mien.model.detection.load import load_detector
from mien.model.source_choice import FaceLooks, look_similarity
from mien.storage import Root
from mien.tasks.evaluate.pairs import HeldOutFace
from mien.tasks.evaluate.results import EvaluationPair
from mien.tasks.sets.face_columns import common_points, embedding_of
from mien.tasks.sets.faces import FaceTables, crop_size_px, detector_of, photos_of
from mien.tasks.sets.row_lookup import look_up

SOURCES = (2, 4, 8)
"""Numbers of photos that are measured beside one."""
CANDIDATES = 64
"""Photos of a person that are looked at for one pair, drawn where there are more."""

Points: TypeAlias = Float[np.ndarray, "68 2"]


class _Seen(NamedTuple):
    """What a face shows."""

    points: Points
    """The common landmarks, in [-1, 1] over the crop."""
    embedding: Float[np.ndarray, " d"]


def with_others(
    root: Root, sets: Sequence[FaceTables], rows: Sequence[HeldOutFace], pairs: Sequence[EvaluationPair], seed: int
) -> list[EvaluationPair]:
    """The pairs, each with up to `SOURCES[-1] - 1` further photos of its person that look like the source, nearest to
    the target first."""
    by_person: dict[str, list[HeldOutFace]] = defaultdict(list)
    for row in rows:
        by_person[row["identity"]].append(row)
    random = np.random.default_rng(seed)
    candidates = [_drawn(by_person[pair.person], pair, random) for pair in pairs]
    by_id = {row["face_id"]: row for row in rows}
    wanted = {row["face_id"] for of_pair in candidates for row in of_pair}
    wanted |= {face_id for pair in pairs for face_id in (pair.source, pair.target)}
    seen, detector = _seen(root, sets, wanted), load_detector(detector_of(root, sets[0]))
    least = look_similarity(detector.group_similarity)
    videos = _videos(root, sets, {by_id[face_id]["image_id"] for face_id in wanted})

    def nearest(pair: EvaluationPair, of_pair: Sequence[HeldOutFace]) -> tuple[str, ...]:
        target = by_id[pair.target]["image_id"]
        allowed = [row["face_id"] for row in of_pair if not _alike(target, row["image_id"], videos)]
        shown = np.stack([seen[face_id].embedding for face_id in (pair.source, *allowed)]).astype(np.float16)
        alike = FaceLooks(shown, detector.similarity, least).alike(np.arange(len(shown)))[0, 1:]
        asked = seen[pair.target].points
        away = {
            face_id: float(np.linalg.norm(seen[face_id].points - asked, axis=1).mean())
            for face_id, one_look in zip(allowed, alike.tolist(), strict=True)
            if one_look
        }
        return tuple(sorted(away, key=lambda face_id: (away[face_id], face_id))[: SOURCES[-1] - 1])

    return [replace(pair, others=nearest(pair, of_pair)) for pair, of_pair in zip(pairs, candidates, strict=True)]


def _drawn(rows: Sequence[HeldOutFace], pair: EvaluationPair, random: np.random.Generator) -> list[HeldOutFace]:
    free = [row for row in rows if row["face_id"] not in (pair.source, pair.target)]
    if len(free) <= CANDIDATES:
        return free
    return [free[n] for n in sorted(random.choice(len(free), CANDIDATES, replace=False).tolist())]


def _seen(root: Root, sets: Sequence[FaceTables], face_ids: set[str]) -> dict[str, _Seen]:
    found: dict[str, _Seen] = {}
    columns = ["landmarks_xy", "landmark_scheme", "embedding"]
    for tables in sets:
        missing, side_px = sorted(face_ids - found.keys()), crop_size_px(root, tables)
        for face_id, part in look_up(root, "faces", tables.faces, "face_id", missing, columns):
            row = part.to_pylist()[0]
            if row["landmarks_xy"] is not None:
                found[face_id] = _Seen(common_points(row, side_px), embedding_of(row))
    return found


def _videos(root: Root, sets: Sequence[FaceTables], image_ids: set[str]) -> dict[str, str]:
    """Where the video of each picture lies that is a frame of one."""
    photos = photos_of(root, sets, image_ids, ["uri", "frame"])
    return {image_id: photo["uri"] for image_id, photo in photos.items() if photo["frame"] is not None}


def _alike(target: str, other: str, videos: dict[str, str]) -> bool:
    return target == other or (target in videos and videos.get(other) == videos[target])
