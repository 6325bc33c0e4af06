"""Terms of weights: declared by each detector, and what is refused because of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.model.detection.licences import CC0, WeightsLicence, allow_commercial, as_line, check_commercial
from mien.model.detection.load import load_detector
from mien.model.errors import LicenceError
from mien.storage import Root, commit, fingerprint
from mien.tasks.errors import UsageError
from mien.tasks.generator.weights import RegisteredModel, check_generator
from mien.tasks.sets.faces import FaceTables
from mien.tasks.sets.licences import as_json, check_sets, training_licences

CLOSED = WeightsLicence("research only", commercial=False)


def test_one_that_forbids_it_decides_and_is_named() -> None:
    assert allow_commercial({"a": CC0})
    assert not allow_commercial({"a": CC0, "b": CLOSED})
    assert as_line({"b": CLOSED, "a": CC0}) == "a: CC0 1.0, public domain; b: research only"
    check_commercial("this", {"a": CC0})
    with pytest.raises(LicenceError, match=r"^this may not be used commercially \(b: research only\); .*CC0"):
        check_commercial("this", {"a": CC0, "b": CLOSED})


def test_dlib_is_refused_for_its_68_landmarks_alone() -> None:
    with pytest.raises(LicenceError) as caught:
        check_commercial("dlib", load_detector("dlib").weights_licences)
    told = str(caught.value)
    assert "shape_predictor_68_face_landmarks.dat: trained on iBUG 300-W" in told
    assert "resnet" not in told
    assert "docs/detectors.md" in told


def tables(root: Root, name: str, weights: object) -> FaceTables:
    about = {"settings": {}} if weights is None else {"settings": {}, "weights": weights}
    faces = commit(root, "faces", [], {**about, "name": name})  # type: ignore[dict-item]
    return FaceTables(name, faces.fingerprint, fingerprint(name))


def test_sets_are_refused_by_what_their_manifests_keep(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    free, closed = tables(root, "free", as_json({"a": CC0})), tables(root, "closed", as_json({"b": CLOSED}))
    old = tables(root, "old", None)
    check_sets(root, [free])
    with pytest.raises(UsageError, match="the faces of closed may not be used commercially"):
        check_sets(root, [free, closed])
    with pytest.raises(UsageError, match="the set old does not say"):
        check_sets(root, [old])
    assert not allow_commercial(training_licences(root, [free, closed]))
    assert allow_commercial(training_licences(root, [free]))
    assert not allow_commercial(training_licences(root, [old]))


def test_generators_are_refused_by_what_their_configuration_keeps(tmp_path: Path) -> None:
    import json

    root = Root(str(tmp_path))

    def kept(provenance: object) -> RegisteredModel:
        root.write_bytes("models/0/config.json", json.dumps({"provenance": provenance}).encode())
        return RegisteredModel("models:/g/1", "run", "0", False)

    check_generator(root, kept({"weights": as_json({"a": CC0})}))
    with pytest.raises(UsageError, match="models:/g/1 may not be used commercially"):
        check_generator(root, kept({"weights": as_json({"b": CLOSED})}))
    with pytest.raises(UsageError, match="train it anew"):
        check_generator(root, kept({}))
