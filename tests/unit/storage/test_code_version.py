"""The code version follows the imports: no list is kept by hand, and prose does not count."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mien.storage import code_version
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
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small package that can be imported; this process forgets it afterwards."""
    for name, text in FILES.items():
        path = tmp_path / "digested" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "digested"
    forget()


def forget() -> None:
    """A running process keeps what it has read of the code."""
    for kept in (code_version._digest, code_version._read, code_version._exists):
        kept.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "digested"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def digest(*modules: str) -> str:
    forget()
    return source_digest(*(modules or ["digested.stage"]))


@pytest.mark.parametrize("name", ["stage.py", "helper.py", "inner/two.py", "lazy.py", "table.json"])
def test_a_changed_line_anywhere_below_a_stage_changes_its_digest(package: Path, name: str) -> None:
    before = digest()
    assert is_fingerprint(before)
    path = package / name
    path.write_text(path.read_text() + ("\nX = 1\n" if name.endswith(".py") else " "))
    assert digest() != before


def test_threads_that_ask_at_once_read_each_module_once(package: Path) -> None:
    expected = digest()
    forget()
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _: source_digest("digested.stage"), range(16))) == {expected}
    read = code_version._read.cache_info()
    assert read.misses == read.currsize


def test_what_a_stage_does_not_import_does_not_count(package: Path) -> None:
    before = digest()
    (package / "alone.py").write_text("raise RuntimeError('changed')\n")
    (package / "inner/other.py").write_text("def other():\n    return 3\n")  # its package is imported, it is not
    (package / "new.py").write_text("NEW = 1\n")
    assert digest() == before


def test_prose_does_not_count(package: Path) -> None:
    before = digest()
    (package / "helper.py").write_text('"""Helps well."""\ndef helped():\n  """More."""\n  return 1  # because\n')
    assert digest() == before


def test_neither_order_nor_folder_changes_the_digest(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = digest("digested.stage", "digested.alone")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(package, tmp_path / "elsewhere/digested")
    with pytest.raises(ModuleNotFoundError):
        digest()
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    assert digest("digested.alone", "digested.stage") == here


def test_the_versions_of_the_libraries_that_compute_count(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = ("mien.model.landmarks.alignment", "mien.storage.fingerprints")
    numeric, plain = (code_version._digest.__wrapped__(stage) for stage in stages)
    monkeypatch.setattr("mien.storage.code_version.version", lambda name: "99.1.2")
    assert code_version._digest.__wrapped__(stages[0]) != numeric
    assert code_version._digest.__wrapped__(stages[1]) == plain
    changed = code_version._digest.__wrapped__(stages[0])
    monkeypatch.setattr("mien.storage.code_version.version", lambda name: "99.1.3")
    assert code_version._digest.__wrapped__(stages[0]) == changed  # a patch release recomputes nothing


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A copy of the code, in which a line can be changed."""
    (tmp_path / "clone/mien").mkdir(parents=True)
    shutil.copy(REPOSITORY / "mien/__init__.py", tmp_path / "clone/mien")
    for folder in ("flows", "tasks", "model", "storage"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / "clone/mien" / folder, ignore=ignore)
    return tmp_path / "clone"


DIGESTS = """
import sys

sys.path.insert(0, sys.argv[1])
import mien
from mien.storage import code_version

assert mien.__file__.startswith(sys.argv[1])
for _ in sys.stdin:
    code_version._read.cache_clear()
    code_version._digest.cache_clear()
    print(*map(code_version.source_digest, sys.argv[2:]), flush=True)
"""
"""A process that imports the clone, and prints the digests of the stages as they are now for each line it reads."""

STAGES = {
    "images": "mien.tasks.prepare.index",
    "frames": "mien.tasks.prepare.video_frames",
    "faces": "mien.tasks.prepare.detect",
    "heatmaps": "mien.tasks.prepare.heatmaps",
    "pairs": "mien.tasks.plan.pair_shards",
    "transfers": "mien.tasks.transfer.transfer_shards",
    "training": "mien.tasks.train.train",
}

DECIDES = {
    "model/detection/dlib_detector.py": {"frames", "faces", "pairs", "transfers"},
    "model/detection/landmark_ensemble.py": {"frames", "faces", "pairs", "transfers"},
    "model/landmarks/alignment.py": {"frames", "faces", "pairs", "transfers", "training"},
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
    process = subprocess.Popen(
        [sys.executable, "-c", DIGESTS, str(clone), *STAGES.values()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=clone,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def digests() -> dict[str, str]:
        print("again", file=process.stdin, flush=True)
        return dict(zip(STAGES, process.stdout.readline().split(), strict=True))

    with process:
        before = digests()
        for name, decided in DECIDES.items():
            path = clone / "mien" / name
            text = path.read_text()
            path.write_text(text + ("\nCHANGED = 1\n" if name.endswith(".py") else " "))
            after = digests()
            path.write_text(text)
            assert {stage for stage in STAGES if after[stage] != before[stage]} == decided, name
        assert digests() == before


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match="not_a_module_anywhere"):
        source_digest("not_a_module_anywhere")
    with pytest.raises(ModuleNotFoundError, match="no source file"):
        source_digest("sys")
