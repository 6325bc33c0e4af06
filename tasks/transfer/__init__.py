"""Pairs to judged faces: the gate, reproduction, one pair of photos."""
