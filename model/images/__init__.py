"""Pixels in and out: codecs, video frames, provenance marks, contact sheets."""
