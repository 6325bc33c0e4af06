"""The tables of a root, one Arrow schema each.

Together with `flows/pipeline.py` this file is the map of the system: what a flow leaves behind is one of these
tables, and a row's life can be followed through them by its ids

    images.image_id → faces.face_id → heatmaps.face_id → pairs.pair_id → transfers.output_id

Every table ends with the columns `status` (`ok`, `rejected`, `failed`), `reason` (null for `ok`) and `failure` (null
unless `failed`): what came in stays in, with its reason if it went no further. Names carry their units.
`docs/tables.md` explains each column to readers of the tables.
"""

from __future__ import annotations

from typing import Literal, get_args

import pyarrow as pa

from mien.storage.errors import ErrorKind

TableName = Literal["images", "faces", "heatmaps", "pairs", "transfers"]
Status = Literal["ok", "rejected", "failed"]

TABLES: tuple[TableName, ...] = get_args(TableName)
STATUSES: tuple[Status, ...] = get_args(Status)
FAILURES: tuple[ErrorKind, ...] = get_args(ErrorKind)

_OUTCOME: list[pa.Field] = [
    pa.field("status", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    # source: not answered for, asked again by the next run; content: what was read, which stays so
    pa.field("failure", pa.string()),
]


# Not of fixed length, even where the length is: Arrow cannot read a null among lists of fixed length from Parquet.
_VECTOR = pa.list_(pa.float32())
_IDS = pa.list_(pa.string())


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


IMAGES = pa.schema(
    [
        pa.field("image_id", pa.string()),  # sha256 of the bytes; null where they could not be read
        _required("uri", pa.string()),
        pa.field("member", pa.string()),  # name in an archive, column of a Parquet file
        pa.field("offset_bytes", pa.int64()),  # in an archive
        pa.field("length_bytes", pa.int64()),
        pa.field("row", pa.int64()),  # of a Parquet file
        pa.field("frame", pa.int32()),  # null for a still image
        pa.field("width_px", pa.int32()),  # after EXIF rotation
        pa.field("height_px", pa.int32()),
        pa.field("identity", pa.string()),
        pa.field("expression", pa.string()),
        pa.field("licence", pa.string()),  # as the source gives it
        pa.field("consent", pa.string()),
        pa.field("icc", pa.bool_()),  # whether there is a colour profile, which is ignored
        _required("version", pa.string()),  # what the listing says of the file: size and time, or ETag
        *_OUTCOME,
    ]
)

FACES = pa.schema(
    [
        _required("face_id", pa.string()),
        _required("image_id", pa.string()),
        pa.field("identity", pa.string()),
        pa.field("expression", pa.string()),
        _required("split", pa.string()),  # train, val or test: a function of the identity alone
        pa.field("bbox_xyxy", _VECTOR),  # 4, source pixels
        pa.field("score", pa.float32()),
        pa.field("landmarks_xy", _VECTOR),  # x0, y0, x1, y1, … in crop pixels
        pa.field("landmark_scheme", pa.string()),
        pa.field("source_to_crop", pa.list_(pa.float64())),  # 6, row-major 2×3
        pa.field("embedding", _VECTOR),
        pa.field("sharpness", pa.float32()),
        pa.field("pose", _VECTOR),  # yaw, pitch, roll in degrees
        pa.field("face_px", pa.float32()),  # side of a square as large as the box, source pixels
        pa.field("brightness", pa.float32()),  # 0 to 1
        pa.field("clipped", pa.float32()),  # share of the face's pixels
        pa.field("shape_error", pa.float32()),  # share of the distance between the eye centres
        pa.field("landmark_scatter", pa.float32()),  # share of the inter-ocular distance; null after a single look
        pa.field("outside", pa.float32()),  # share of the landmarks of eyes and lips
        pa.field("perceptual_hash", pa.binary()),  # 32 bytes
        pa.field("duplicate_of", pa.string()),  # face_id of the face that is kept instead
        pa.field("label_similarity", pa.float32()),  # to the other photos of the identity; null unless checked
        pa.field("identity_doubt", pa.string()),  # why the face and its label disagree; null where they agree
        pa.field("detector", pa.string()),
        pa.field("found_by", pa.string()),  # part of the detector, and attempt
        pa.field("weights_licences", pa.string()),  # of all weights that the row depends on
        pa.field("commercial_use", pa.bool_()),  # whether these allow it
        pa.field("crop", pa.binary()),  # PNG
        *_OUTCOME,
    ]
)

PAIRS = pa.schema(
    [
        _required("pair_id", pa.string()),
        _required("identity_face_id", pa.string()),
        _required("expression_face_id", pa.string()),
        pa.field("further_source_ids", _IDS),  # faces of the same person that the result is also made from
        pa.field("identity", pa.string()),  # of the source; its image where it has no label
        pa.field("expression", pa.string()),  # the driver's label
        pa.field("expression_group", pa.string()),  # that label, or the cluster of the expression
        pa.field("rank", pa.int32()),  # index among the pairs of its identity; null in a list
        pa.field("source_rank", pa.int32()),  # of the source among the person's photos, 1: nearest to what is asked
        _required("seed", pa.int64()),
        *_OUTCOME,
    ]
)

TRANSFERS = pa.schema(
    [
        _required("output_id", pa.string()),
        _required("pair_id", pa.string()),
        _required("identity_face_id", pa.string()),
        _required("expression_face_id", pa.string()),
        pa.field("further_source_ids", _IDS),  # faces of the same person that it is also made from
        pa.field("source_image_id", pa.string()),  # sha256 of the photo's bytes
        pa.field("driver_image_id", pa.string()),
        pa.field("further_image_ids", _IDS),  # of the further sources, in their order
        pa.field("identity", pa.string()),
        pa.field("expression", pa.string()),  # the driver's label
        pa.field("split", pa.string()),  # of the identity
        pa.field("licence", pa.string()),  # of the photos of all its sources, as these gave it
        pa.field("consent", pa.string()),  # the strictest of these photos
        pa.field("rank", pa.int32()),  # index among the pairs of its identity; null in a list
        pa.field("source_rank", pa.int32()),  # of the source among the person's photos, 1: nearest to what is asked
        pa.field("strength", pa.float32()),  # how many times the driver's displacement was asked for
        pa.field("parts", pa.string()),  # of the expression that were taken: mouth,eyes,brows,pose
        pa.field("neutral_photos", pa.int32()),  # that the driver's neutral was found from; 1: mostly the population's
        _required("model_uri", pa.string()),  # models:/name/version, never an alias
        _required("model_sha256", pa.string()),
        pa.field("run_id", pa.string()),  # the MLflow run that trained the model
        _required("settings", pa.string()),  # fingerprint of what decides the picture besides faces and neutrals
        pa.field("inputs", pa.string()),  # fingerprint of its faces as they were used; null if one was not found
        pa.field("neutrals", pa.string()),  # fingerprint of the neutrals of the two people; null without retargeting
        _required("seed", pa.int64()),
        pa.field("image", pa.binary()),  # encoded; null for a rejected face that was not to be kept
        pa.field("image_format", pa.string()),
        pa.field("uri", pa.string()),  # where the image lies, if not in the row
        pa.field("sha256", pa.string()),  # of the encoded image, also where it was not kept
        pa.field("identity_similarity", pa.float32()),  # to the source photo
        pa.field("person_similarity", pa.float32()),  # to the mean of the person's photos
        pa.field("nearest_similarity", pa.float32()),  # to the mean of the most similar other person's
        pa.field("driver_similarity", pa.float32()),
        pa.field("expression_error", pa.float32()),  # share of the inter-ocular distance
        pa.field("asked", pa.string()),  # how much change: little, middle, large
        pa.field("expression_reached", pa.float32()),  # share of it that is found; null where little was asked
        pa.field("mouth_asked", pa.float32()),  # in distances between the eye centres
        pa.field("mouth_reached", pa.float32()),
        pa.field("lids_asked", pa.float32()),
        pa.field("lids_reached", pa.float32()),
        pa.field("brows_asked", pa.float32()),
        pa.field("brows_reached", pa.float32()),
        pa.field("jaw_asked", pa.float32()),
        pa.field("jaw_reached", pa.float32()),
        pa.field("pose_asked", pa.float32()),  # in degrees
        pa.field("pose_reached", pa.float32()),
        pa.field("gaze_asked", pa.float32()),  # in widths of the eye; null where the detector sees no irises
        pa.field("gaze_reached", pa.float32()),
        pa.field("sharpness_ratio", pa.float32()),  # of the face, over that of the source's crop
        pa.field("mouth_sharpness_ratio", pa.float32()),
        pa.field("eyes_sharpness_ratio", pa.float32()),
        pa.field("texture_error", pa.float32()),  # in octaves
        pa.field("contrast_ratio", pa.float32()),
        pa.field("colour_difference", pa.float32()),  # in CIE L*a*b*
        pa.field("detector_score", pa.float32()),  # of the face found on the result
        pa.field("found_landmarks_xy", _VECTOR),  # 68 × 2, in [-1, 1] over the result
        _required("synthetic", pa.bool_()),
        *_OUTCOME,
    ]
)


def heatmaps_schema(
    parts: tuple[str, ...], size_px: int, sigma_px: float, crop_size_px: int, form: str = "points"
) -> pa.Schema:
    """Schema of the heatmap cache: one row per face, `parts × size_px × size_px` values of uint8 as fixed-size binary.

    The metadata says how to read them back: `parts` (channel order), `shape`, `scale` (heatmap pixels per crop pixel),
    `sigma_px` (of the Gaussians, in heatmap pixels) and `form` (what is drawn; absent for points, the only form of
    earlier versions).
    """
    shape = (len(parts), size_px, size_px)
    metadata = {
        "parts": ",".join(parts),
        "shape": ",".join(map(str, shape)),
        "scale": repr(size_px / crop_size_px),
        "sigma_px": repr(sigma_px),
    }
    if form != "points":
        metadata["form"] = form
    # Null for a face without landmarks, so that each row of `faces` has its row here.
    heatmap = pa.field("heatmap", pa.binary(shape[0] * shape[1] * shape[2]))
    return pa.schema([_required("face_id", pa.string()), heatmap, *_OUTCOME], metadata=metadata)


SCHEMAS: dict[TableName, pa.Schema] = {"images": IMAGES, "faces": FACES, "pairs": PAIRS, "transfers": TRANSFERS}
"""The tables whose schema does not depend on settings; that of `heatmaps` comes from `heatmaps_schema`."""
