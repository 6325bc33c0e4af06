"""Each module prints figures that the documentation quotes: `python -m benchmarks.NAME`."""
