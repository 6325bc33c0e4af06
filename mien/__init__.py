"""Expression transfer as a batch data pipeline: face photos in, the same people with new expressions out."""

__version__ = "0.2.0"
