"""The code version follows the imports: no list is kept by hand, and prose does not count."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.storage.code_version import source_digest
from mien.storage.fingerprints import is_fingerprint
from tests.paths import REPOSITORY

FILES = {
    "__init__.py": "",
    "stage.py": "from digested.helper import helped\nfrom digested.inner import two\nimport numpy\nimport json\n",
    "helper.py": '"""Helps."""\n\n\ndef helped():\n    """Docs."""\n    # why\n    return 1\n',
    "inner/__init__.py": "from digested.inner.two import two\nfrom digested.inner.other import other\n",
    "inner/two.py": "def two():\n    from digested.lazy import LAZY\n\n    return LAZY\n",
    "inner/other.py": "def other():\n    return 2\n",
    "lazy.py": "LAZY = open('table.json')\n",
    "table.json": "{}",
    "alone.py": "raise RuntimeError('imported')\n",
}

Digest = Callable[[], str]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "digested" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "digested"


def digest(package: Path, *modules: str) -> str:
    """In a process of its own: a running one keeps what it has read."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from mien.storage.code_version import source_digest; "
        "print(source_digest(*sys.argv[2:]))"
    )
    command = [sys.executable, "-c", script, str(package.parent), *(modules or ["digested.stage"])]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout.strip()


@pytest.mark.parametrize("name", ["stage.py", "helper.py", "inner/two.py", "lazy.py", "table.json"])
def test_a_changed_line_anywhere_below_a_stage_changes_its_digest(package: Path, name: str) -> None:
    before = digest(package)
    assert is_fingerprint(before)
    path = package / name
    path.write_text(path.read_text() + ("\nX = 1\n" if name.endswith(".py") else " "))
    assert digest(package) != before


def test_what_a_stage_does_not_import_does_not_count(package: Path) -> None:
    before = digest(package)
    (package / "alone.py").write_text("raise RuntimeError('changed')\n")
    (package / "inner/other.py").write_text("def other():\n    return 3\n")  # its package is imported, it is not
    (package / "new.py").write_text("NEW = 1\n")
    assert digest(package) == before


def test_prose_does_not_count(package: Path) -> None:
    before = digest(package)
    (package / "helper.py").write_text('"""Helps well."""\ndef helped():\n  """More."""\n  return 1  # because\n')
    assert digest(package) == before


def test_neither_order_nor_folder_changes_the_digest(package: Path, tmp_path: Path) -> None:
    here = digest(package, "digested.stage", "digested.alone")
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(package, tmp_path / "elsewhere/digested")
    assert digest(Path(moved), "digested.alone", "digested.stage") == here


def test_the_versions_of_the_libraries_that_compute_count(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = ("mien.model.landmarks.alignment", "mien.storage.fingerprints")
    numeric, plain = (source_digest.__wrapped__(stage) for stage in stages)
    monkeypatch.setattr("mien.storage.code_version.version", lambda name: "99.1.2")
    assert source_digest.__wrapped__(stages[0]) != numeric
    assert source_digest.__wrapped__(stages[1]) == plain
    changed = source_digest.__wrapped__(stages[0])
    monkeypatch.setattr("mien.storage.code_version.version", lambda name: "99.1.3")
    assert source_digest.__wrapped__(stages[0]) == changed  # a patch release recomputes nothing


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A copy of the code, in which a line can be changed."""
    (tmp_path / "clone/mien").mkdir(parents=True)
    shutil.copy(REPOSITORY / "mien/__init__.py", tmp_path / "clone/mien")
    for folder in ("flows", "tasks", "model", "storage"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / "clone/mien" / folder, ignore=ignore)
    return tmp_path / "clone"


STAGES = {
    "images": "mien.tasks.prepare.index",
    "frames": "mien.tasks.prepare.video_frames",
    "faces": "mien.tasks.prepare.detect",
    "heatmaps": "mien.tasks.prepare.heatmaps",
    "pairs": "mien.tasks.plan.pair_shards",
    "transfers": "mien.tasks.transfer.generate",
    "training": "mien.tasks.train.train",
}

DECIDES = {
    "model/detection/dlib_detector.py": {"frames", "faces", "transfers"},
    "model/detection/landmark_ensemble.py": {"frames", "faces", "transfers"},
    "model/landmarks/alignment.py": {"frames", "faces", "transfers", "training"},
    "model/landmarks/schemes.py": {"frames", "faces", "heatmaps", "pairs", "transfers", "training"},
    "model/landmarks/heatmaps.py": {"heatmaps", "transfers", "training"},
    "model/landmarks/reference_face.json": {"frames", "faces", "pairs", "transfers", "training"},
    "model/expression/neutral.py": {"pairs", "transfers", "training"},
    "model/expression/head_pose.py": {"faces", "pairs", "transfers", "training"},
    "model/images/codec.py": {"images", "faces", "transfers", "training"},
    "model/images/video_container.py": {"images", "frames", "faces"},
    "tasks/sets/row_lookup.py": {"pairs", "transfers", "training"},
    "tasks/sets/photo_reader.py": {"images", "faces"},
}


def test_each_file_of_the_project_decides_the_stages_that_use_it(clone: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import mien; assert mien.__file__.startswith(sys.argv[1]); "
        "from mien.storage.code_version import source_digest; print(*map(source_digest, sys.argv[2:]))"
    )

    def digests() -> dict[str, str]:
        command = [sys.executable, "-c", script, str(clone), *STAGES.values()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=clone)
        return dict(zip(STAGES, done.stdout.split(), strict=True))

    before = digests()
    for name, decided in DECIDES.items():
        path = clone / "mien" / name
        text = path.read_text()
        path.write_text(text + ("\nCHANGED = 1\n" if name.endswith(".py") else " "))
        after = digests()
        path.write_text(text)
        assert {stage for stage in STAGES if after[stage] != before[stage]} == decided, name


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match="not_a_module_anywhere"):
        source_digest("not_a_module_anywhere")
    with pytest.raises(ModuleNotFoundError, match="no source file"):
        source_digest("sys")
