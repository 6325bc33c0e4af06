"""Recognisers of people and of expressions, small enough to be trained many times: what generated faces are for."""
