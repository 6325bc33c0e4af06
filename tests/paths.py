"""Where tests find files of the repository."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
SHARED = REPOSITORY.parent / "shared"
"""Faces and models to measure with, beside the checkout; the tests that need them are skipped without."""
