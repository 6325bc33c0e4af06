"""Faces, networks, losses and metrics: arrays and tensors in, arrays and tensors out.

Nothing here knows of flows, tables or trackers, and nothing is read or written but weights. Import the module that is
named for what you need: each loads only the libraries it uses.
"""
