"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.pages.gallery import build_gallery as _build_gallery
from mien.tasks.pages.set_report import build_report as _build_report
from mien.tasks.runtime.prefect_tasks import once

build_gallery = once("build-gallery")(_build_gallery)
build_report = once("build-report")(_build_report)
