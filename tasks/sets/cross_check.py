"""Tables held against each other, both ways: what one names the other has, and both say the same of it.

Columns are compared as Arrow arrays; a set may have a million rows. All functions give faults, one line each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mien.storage import fingerprint
from mien.storage.consent import UNKNOWN, Consent, strongest
from mien.storage.fingerprints import is_fingerprint
from mien.storage.licence import together
from mien.tasks.sets.consent import row_consents
from mien.tasks.sets.consent import together as consents_together


def check_faces_of_images(images: pa.Table, faces: pa.Table, identity_from: str) -> Iterator[str]:
    """Each ok image has its first face, each first face its image, and both have the same labels."""
    listed = images.filter(_call("equal", images["status"], "ok"))
    first = faces.filter(pa.array(_is_first(faces), pa.bool_()))
    yield from _other_multiset(listed["image_id"], first["image_id"], "ok images have no face row", "faces no image")
    yield from _astray(faces, "image_id", images["image_id"], "images")
    labels = ["expression"] if identity_from == "cluster" else ["identity", "expression"]
    left, right = (_labels(table, labels, identity_from) for table in (listed, first))
    if sorted(left["image_id"].to_pylist()) == sorted(right["image_id"].to_pylist()):
        what = "labels of images are not those of their faces"
        yield from _other_multiset(_joined(left), _joined(right), what, "labels of faces are not those of their images")
    yield from _labels_beside(images, faces, identity_from)


def _is_first(faces: pa.Table) -> list[bool]:
    pairs = zip(faces["face_id"].to_pylist(), faces["image_id"].to_pylist(), strict=True)
    return [face_id == fingerprint([image_id, 0]) for face_id, image_id in pairs]


def _labels(table: pa.Table, labels: Sequence[str], identity_from: str) -> pa.Table:
    out = table.select(["image_id", *labels])
    if identity_from == "image" and "identity" in labels:
        # An image without an identity is a person of its own.
        person = _call("coalesce", table["identity"], table["image_id"])
        out = out.set_column(out.column_names.index("identity"), "identity", person)
    return out


def _labels_beside(images: pa.Table, faces: pa.Table, identity_from: str) -> Iterator[str]:
    """A face beside the largest has its photo's labels or none: it is a person of its own."""
    if identity_from == "cluster":
        return
    indices = _call("index_in", faces["image_id"], value_set=images["image_id"])
    of_image = images["identity"].take(indices)
    own = _call("equal", faces["identity"], faces["face_id"])
    alike = _alike(faces["identity"], of_image)
    if identity_from == "image":
        alike = _call("or", alike, _alike(faces["identity"], faces["image_id"]))
    beside = _call("invert", pa.array(_is_first(faces), pa.bool_()))
    wrong = _call("and", beside, _call("invert", _call("or", _call("fill_null", own, False), alike)))
    yield from _told(faces["face_id"], wrong, "faces have neither the identity of their image nor their own")


def check_heatmaps_of_faces(faces: pa.Table, heatmaps: pa.Table) -> Iterator[str]:
    """Each face has its heatmap, in the same order, with the same status, reason and failure."""
    yield from _other_multiset(faces["face_id"], heatmaps["face_id"], "faces have no heatmap", "heatmaps no face")
    if faces.num_rows == heatmaps.num_rows:
        for column in ("face_id", "status", "reason", "failure"):
            wrong = _call("invert", _alike(faces[column], heatmaps[column]))
            yield from _told(faces["face_id"], wrong, f"heatmaps have another {column} than the face of their row")


def check_pairs(pairs: pa.Table, sources: pa.Table, drivers: pa.Table) -> Iterator[str]:
    """Each pair names faces of its two sets, and has the labels of these; all its sources show one person, and none is
    in the driver's photo."""
    sources, drivers = usable_first(sources), usable_first(drivers)
    for column, faces in (("identity_face_id", sources), ("expression_face_id", drivers)):
        yield from _astray(_of_faces(pairs, column), column, faces["face_id"], "faces")
        usable = faces.filter(_call("equal", faces["status"], "ok"))
        made = pairs.filter(_call("equal", pairs["status"], "ok"))
        yield from _astray(made, column, usable["face_id"], "usable faces")
    people = _call("coalesce", sources["identity"], sources["image_id"])
    yield from _other_column(pairs, "identity", "identity_face_id", sources["face_id"], people, "source")
    drive = drivers["expression"]
    yield from _other_column(pairs, "expression", "expression_face_id", drivers["face_id"], drive, "driver")
    yield from _check_further(pairs, sources, drivers, people)


def _check_further(pairs: pa.Table, sources: pa.Table, drivers: pa.Table, people: pa.ChunkedArray) -> Iterator[str]:
    further = _each_further(pairs, ["pair_id", "identity", "expression_face_id", "status"])
    yield from _astray(_of_faces(further, "further_source_ids"), "further_source_ids", sources["face_id"], "faces")
    used = further.filter(_call("equal", further["status"], "ok"))
    usable = sources.filter(_call("equal", sources["status"], "ok"))
    yield from _astray(used, "further_source_ids", usable["face_id"], "usable faces")
    shown, taken = (_values(used["further_source_ids"], sources["face_id"], of) for of in (people, sources["image_id"]))
    others = _call("invert", _call("fill_null", _call("equal", shown, used["identity"]), True))
    yield from _told(used["pair_id"], others, "pairs have a further source that shows another person")
    driving = _values(used["expression_face_id"], drivers["face_id"], drivers["image_id"])
    same = _call("fill_null", _call("equal", taken, driving), False)
    yield from _told(used["pair_id"], same, "pairs have a further source in the driver's photo")


def check_plan(pairs: pa.Table) -> Iterator[str]:
    """A plan has each pair once, and one pair for each rank of an identity."""
    for columns, what in ((["pair_id"], "pairs"), (["identity", "rank"], "ranks of an identity")):
        twice = pairs.num_rows - pairs.group_by(columns).aggregate([]).num_rows
        if twice:
            yield f"{twice} {what} come twice"


def check_transfers(
    transfers: pa.Table, pairs: pa.Table, sources: Mapping[str, pa.Table], drivers: Mapping[str, pa.Table]
) -> Iterator[str]:
    """Each pair has its transfer and each transfer its pair; a transfer has the labels of its two faces and the terms
    of its sources' photos.

    Args:
        transfers: What is checked.
        pairs: That it was made from.
        sources: `faces` and `images` of the set whose people are shown.
        drivers: The same of the set whose expressions are taken.
    """
    yield from _other_multiset(pairs["pair_id"], transfers["pair_id"], "pairs have no transfer", "transfers no pair")
    for column in ("identity_face_id", "expression_face_id", "seed", "rank"):
        yield from _other_column(transfers, column, "pair_id", pairs["pair_id"], pairs[column], "pair")
    column = "further_source_ids"
    made, planned = (_as_texts(table, column) for table in (transfers, pairs))
    yield from _other_column(made, column, "pair_id", pairs["pair_id"], planned[column], "pair")
    faces, images = usable_first(sources["faces"]), usable_first(sources["images"])
    for column in ("identity", "split", "image_id"):
        own = "source_image_id" if column == "image_id" else column
        yield from _other_column(transfers, own, "identity_face_id", faces["face_id"], faces[column], "source")
    driving = usable_first(drivers["faces"])
    for column, own in (("expression", "expression"), ("image_id", "driver_image_id")):
        yield from _other_column(transfers, own, "expression_face_id", driving["face_id"], driving[column], "driver")
    yield from _check_further_photos(transfers, faces)
    yield from _check_terms(transfers, images, drivers["images"])


def _check_further_photos(transfers: pa.Table, faces: pa.Table) -> Iterator[str]:
    """The further photos are those of the further sources, in their order."""
    known = _by_key(faces, "face_id", "image_id")
    columns = (transfers[name].to_pylist() for name in ("further_source_ids", "further_image_ids"))
    rows = zip(*columns, strict=True)
    wrong = [(photos or []) != [known[face] for face in shown or () if face in known] for shown, photos in rows]
    what = "rows have other further photos than their further sources"
    yield from _told(transfers["output_id"], pa.array(wrong, pa.bool_()), what)


def _check_terms(transfers: pa.Table, images: pa.Table, others: pa.Table) -> Iterator[str]:
    """Licence and consent are those of the photos of all sources."""
    licences = _by_key(images, "image_id", "licence")
    consents = _consents(images, others)
    columns = (transfers[name].to_pylist() for name in ("source_image_id", "further_image_ids", "licence", "consent"))
    wrong: dict[str, list[bool]] = {"licence": [], "consent": []}
    for first, further, licence, consent in zip(*columns, strict=True):
        photos = [first, *(further or ())]
        known = first in licences  # rows whose photo is nowhere are told elsewhere
        strictest = strongest(consents.get(photo, UNKNOWN) for photo in photos)
        wrong["licence"].append(known and licence != together(licences.get(photo) for photo in photos))
        wrong["consent"].append(known and consent != strictest.text)
    for column, found in wrong.items():
        what = f"rows have another {column} than their photo"
        yield from _told(transfers["source_image_id"], pa.array(found, pa.bool_()), what)


def usable_first(table: pa.Table) -> pa.Table:
    """The usable rows before the others: of rows with one key (a photo that a list names twice) the first counts."""
    usable = _call("equal", table["status"], "ok")
    return pa.concat_tables([table.filter(usable), table.filter(_call("invert", usable))])


def _consents(images: pa.Table, others: pa.Table) -> dict[str, Consent]:
    """What holds of the photos of the sources: `tasks/sets/consent.py`."""
    said = {
        name: row_consents(zip(table["image_id"].to_pylist(), table["consent"].to_pylist(), strict=True))
        for name, table in (("sources", images), ("drivers", others))
    }
    return {image_id: consent for (name, image_id), consent in consents_together(said).items() if name == "sources"}


def check_once(transfers: pa.Table, of_list: bool) -> Iterator[str]:
    """Each output once; a list may ask for one twice."""
    twice = transfers.num_rows - len(_call("unique", transfers["output_id"]))
    if twice and not of_list:
        yield f"{twice} outputs come twice"


def _of_faces(pairs: pa.Table, column: str) -> pa.Table:
    """Without those of a list whose photo could not be read: the photo's name stands in the place of a face."""
    named = [is_fingerprint(value) for value in pairs[column].to_pylist()]
    return pairs.filter(_call("or", pa.array(named, pa.bool_()), _call("equal", pairs["status"], "ok")))


def _each_further(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """A row for each further source, with the columns of its row."""
    lists = table["further_source_ids"].combine_chunks()
    rows = table.select(list(columns)).take(_call("list_parent_indices", lists))
    return rows.append_column("further_source_ids", _call("list_flatten", lists))


def _by_key(table: pa.Table, key: str, column: str) -> dict[Any, Any]:
    """Of rows with one key the first counts."""
    found: dict[Any, Any] = {}
    for name, value in zip(table[key].to_pylist(), table[column].to_pylist(), strict=True):
        found.setdefault(name, value)
    return found


def _as_texts(table: pa.Table, column: str) -> pa.Table:
    """The table with a column of lists as texts; rows of earlier versions have none, which is an empty one."""
    texts = _call("fill_null", _call("binary_join", table[column], " "), "")
    return table.set_column(table.column_names.index(column), column, texts)


def _values(asked: pa.ChunkedArray, keys: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The value of each key; null where there is no such key."""
    return values.take(_call("index_in", asked, value_set=keys))


def _astray(table: pa.Table, column: str, known: pa.ChunkedArray, where: str) -> Iterator[str]:
    lost = _call("invert", _call("is_in", table[column], value_set=known))
    yield from _told(table[column], lost, f"rows name a {column} that {where} does not have")


def _other_column(
    table: pa.Table, column: str, key: str, keys: pa.ChunkedArray, values: pa.ChunkedArray, what: str
) -> Iterator[str]:
    """Rows whose column is not what the row with their key has; rows whose key is nowhere are told elsewhere."""
    indices = _call("index_in", table[key], value_set=keys)
    expected = values.take(indices)
    wrong = _call("and", _call("is_valid", indices), _call("invert", _alike(table[column], expected)))
    yield from _told(table[key], wrong, f"rows have another {column} than their {what}")


def _other_multiset(left: Any, right: Any, too_few: str, too_many: str) -> Iterator[str]:
    counts = [
        pa.table({"key": side, "one": pa.repeat(pa.scalar(1), len(side))}).group_by("key").aggregate([("one", "sum")])
        for side in (left, right)
    ]
    joined = counts[0].join(counts[1], "key", join_type="full outer", right_suffix="_right")
    first, second = (_call("fill_null", joined[name], 0) for name in ("one_sum", "one_sum_right"))
    yield from _told(joined["key"], _call("greater", first, second), too_few)
    yield from _told(joined["key"], _call("less", first, second), too_many)


def _joined(table: pa.Table) -> pa.ChunkedArray:
    columns = [_call("fill_null", column, "\0") for column in table.columns]
    return _call("binary_join_element_wise", *columns, "\x1f")


def _alike(left: Any, right: Any) -> Any:
    both_null = _call("and", _call("is_null", left), _call("is_null", right))
    return _call("or", both_null, _call("fill_null", _call("equal", left, right), False))


def _told(keys: Any, wrong: Any, what: str) -> Iterator[str]:
    rows = keys.filter(wrong)
    if len(rows):
        example = str(sorted(map(str, rows.to_pylist()))[0]).split("\x1f")[0]
        yield f"{len(rows)} {what} (e.g. {example})"


def _call(name: str, *arguments: Any, **options: Any) -> Any:
    """A compute function of Arrow, by name: they are made when pyarrow is loaded, so that no type checker sees them."""
    return getattr(pc, name if name not in ("and", "or") else f"{name}_")(*arguments, **options)
